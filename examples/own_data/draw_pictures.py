"""Draws the pictures of this example: planets and temples, no two alike.

Run: ``python draw_pictures.py [FOLDER]`` (data/images beside this file).
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 96
EACH = 12


def draw_planet(draw: random.Random) -> Image.Image:
    """A disc, with or without a ring, among stars."""
    picture = Image.new("RGB", (SIZE, SIZE), "black")
    pen = ImageDraw.Draw(picture)
    for _ in range(40):
        pen.point((draw.randrange(SIZE), draw.randrange(SIZE)), "white")
    x, y, radius = (draw.randint(*limits) for limits in ((35, 60), (35, 60), (15, 28)))
    colour = draw.choice(["orange", "tan", "firebrick", "skyblue", "khaki"])
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    if draw.random() < 0.5:
        pen.ellipse((x - 2 * radius, y - 6, x + 2 * radius, y + 6), outline="white", width=2)
    return picture


def draw_temple(draw: random.Random) -> Image.Image:
    """A roof on columns under a day's sky."""
    picture = Image.new("RGB", (SIZE, SIZE), draw.choice(["lightblue", "azure", "lightcyan"]))
    pen = ImageDraw.Draw(picture)
    stone = draw.choice(["beige", "wheat", "lightgray", "linen"])
    left, right = draw.randint(6, 20), draw.randint(76, 90)
    roof, floor = draw.randint(35, 45), draw.randint(75, 85)
    pen.rectangle((0, floor, SIZE, SIZE), "olivedrab")
    pen.polygon([(left, roof), ((left + right) // 2, roof - 20), (right, roof)], stone, "gray")
    columns = draw.randint(4, 6)
    for column in range(columns):
        x = left + 4 + column * (right - left - 12) // (columns - 1)
        pen.rectangle((x, roof, x + 5, floor), stone, "gray")
    return picture


def main(folder: Path) -> None:
    """Write planet-1.png to planet-12.png, and as many temples."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    for number in range(1, EACH + 1):
        draw_planet(draw).save(folder / f"planet-{number}.png")
        draw_temple(draw).save(folder / f"temple-{number}.png")
    print(f"{folder}: {2 * EACH} pictures")


if __name__ == "__main__":
    here = Path(__file__).parent
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here / "data" / "images")
