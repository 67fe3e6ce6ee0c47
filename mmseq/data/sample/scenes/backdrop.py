"""What lies behind a subject and around it; it says nothing of its kind."""

from random import Random

from PIL import Image, ImageDraw, ImageFilter

from mmseq.data.sample.scenes.brush import Brush, Colour, colour


def _plain(draw: ImageDraw.ImageDraw, rng: Random, side: int, tones: list[Colour]) -> None:
    draw.rectangle((0, 0, side, side), fill=tones[0])


def _gradient(draw: ImageDraw.ImageDraw, rng: Random, side: int, tones: list[Colour]) -> None:
    upright = rng.random() < 0.5
    bands = 56
    for band in range(bands):
        share = band / (bands - 1)
        red, green, blue = (
            round(a + (b - a) * share) for a, b in zip(tones[0], tones[1], strict=True)
        )
        low, high = side * band // bands, side * (band + 1) // bands
        corners = (0, low, side, high) if upright else (low, 0, high, side)
        draw.rectangle(corners, fill=(red, green, blue))


def _stripes(draw: ImageDraw.ImageDraw, rng: Random, side: int, tones: list[Colour]) -> None:
    _plain(draw, rng, side, tones)
    step, slant = rng.uniform(0.08, 0.25) * side, rng.uniform(-0.6, 0.6) * side
    position = -side
    while position < 2 * side:
        edges = [(position, 0), (position + step / 2, 0)]
        edges += [(position + step / 2 + slant, side), (position + slant, side)]
        draw.polygon(edges, fill=tones[1])
        position += round(step)


def _patches(draw: ImageDraw.ImageDraw, rng: Random, side: int, tones: list[Colour]) -> None:
    _plain(draw, rng, side, tones)
    for _ in range(rng.randint(4, 12)):
        x, y = rng.uniform(0, side), rng.uniform(0, side)
        reach = rng.uniform(0.05, 0.3) * side
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=rng.choice(tones))


def _halves(draw: ImageDraw.ImageDraw, rng: Random, side: int, tones: list[Colour]) -> None:
    _plain(draw, rng, side, tones)
    edge = rng.uniform(0.2, 0.85) * side
    corners = (0, edge, side, side) if rng.random() < 0.6 else (edge, 0, side, side)
    draw.rectangle(corners, fill=tones[1])


def backdrop(rng: Random, side: int, low: float, high: float) -> Image.Image:
    """A blurred surface, `side` pixels square, of brightness between `low` and `high`."""
    coarse = side // 2  # it is blurred anyway, so half the size does
    image = Image.new("RGB", (coarse, coarse))
    draw = ImageDraw.Draw(image)
    tones = [colour(rng, low, high) for _ in range(3)]
    rng.choice((_plain, _gradient, _stripes, _patches, _halves))(draw, rng, coarse, tones)
    image = image.filter(ImageFilter.BoxBlur(rng.uniform(0, 0.03) * coarse))
    return image.resize((side, side), Image.Resampling.BILINEAR)


def litter(brush: Brush, rng: Random, pieces: int) -> None:
    """Small shapes in any colour, anywhere within one unit of the centre."""
    for _ in range(pieces):
        x, y, reach = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0.015, 0.06)
        fill = colour(rng, 0.2, 1.0)
        shape = rng.randrange(3)
        if shape == 0:
            brush.oval(x, y, reach, reach, fill)
        elif shape == 1:
            brush.box(x - reach, y - reach / 2, x + reach, y + reach / 2, fill)
        else:
            brush.polygon([(x, y - reach), (x + reach, y + reach), (x - reach, y + reach)], fill)
