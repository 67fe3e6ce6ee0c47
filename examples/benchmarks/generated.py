"""Data sets of drawn words and colours, as large as one likes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

WORDS, NAMES = 5000, 500


def write(
    path: Path,
    sentences: int,
    seed: int,
    *,
    words: tuple[int, int] = (5, 30),
    types: Sequence[str] = ("PER", "LOC"),
    pictures: int = 0,
) -> None:
    """Sentences of so many words, from and to; a tenth of the words are names, of each type in
    turn. `pictures`: of each sentence, those that `draw_pictures` makes.
    """
    draw, names = random.Random(seed), 0
    images = [f"{number}.png" for number in range(pictures)]
    with path.open("w", encoding="utf-8") as file:
        for _ in range(sentences):
            tokens, tags = [], []
            for _ in range(draw.randint(*words)):
                if draw.random() < 0.1:
                    tokens.append(f"Name{names % NAMES}")
                    tags.append(f"B-{types[names % NAMES % len(types)]}")
                    names += 1
                else:
                    tokens.append(f"word{draw.randrange(WORDS)}")
                    tags.append("O")
            file.write(json.dumps({"tokens": tokens, "tags": tags, "images": images}) + "\n")


def draw_pictures(folder: Path, number: int) -> None:
    """Pictures ``0.png``, ``1.png`` …, each of a colour of its own."""
    folder.mkdir()
    draw = random.Random(0)
    for index in range(number):
        colour = (draw.randrange(256), draw.randrange(256), draw.randrange(256))
        Image.new("RGB", (224, 224), colour).save(folder / f"{index}.png")
