"""An organisation: its emblem, as a shield, a roundel, a pennant or a sign with its letters."""

import math
from random import Random

from mmseq.data.sample.scenes.brush import GLYPHS, Brush, Colour, Point, colour, shade


def _tones(rng: Random) -> tuple[Colour, Colour, Colour]:
    """Three tones that stand out against each other: field, charge and rim."""
    dark, light = colour(rng, 0.15, 0.5), colour(rng, 0.8, 1.0)
    return (dark, light, shade(dark, 0.5)) if rng.random() < 0.5 else (light, dark, dark)


def _letters(brush: Brush, rng: Random, count: int, y: float, height: float, fill: Colour) -> None:
    pitch = height * 0.8
    left = -(count * pitch - height * 0.2) / 2
    for place in range(count):
        brush.glyph(rng.choice(GLYPHS), left + place * pitch, y, height, fill)


def _shield_outline(size: float) -> list[Point]:
    right = [(0.75, -0.85), (0.75, 0.0), (0.68, 0.3), (0.5, 0.58), (0.25, 0.8), (0.0, 0.95)]
    left = [(-x, y) for x, y in reversed(right[:-1])]
    return [(x * size, y * size) for x, y in [*right, *left]]


def _shield(brush: Brush, rng: Random) -> None:
    field, charge, rim = _tones(rng)
    brush.polygon(_shield_outline(1.08), rim)
    brush.polygon(_shield_outline(1.0), charge)
    brush.polygon(_shield_outline(0.92), field)
    device = rng.randrange(4)
    if device == 0:
        for place in (-0.36, 0.0, 0.36):
            brush.box(place - 0.09, -0.3, place + 0.09, 0.35 + 0.25 * (place == 0), charge)
    elif device == 1:
        for y in (-0.1, 0.22):
            arms = [(-0.55, y + 0.18), (0, y - 0.12), (0.55, y + 0.18), (0.5, y + 0.33)]
            brush.polygon([*arms, (0, y + 0.06), (-0.5, y + 0.33)], charge)
    elif device == 2:
        brush.star(0, 0.15, 0.42, rng.randint(5, 8), charge)
    else:
        brush.box(-0.09, -0.3, 0.09, 0.75, charge)
        brush.box(-0.66, 0.02, 0.66, 0.2, charge)
    brush.box(-0.69, -0.78, 0.69, -0.36, charge)
    _letters(brush, rng, rng.randint(2, 3), -0.71, 0.28, field)


def _roundel(brush: Brush, rng: Random) -> None:
    field, charge, rim = _tones(rng)
    for reach, fill in ((0.95, rim), (0.9, charge), (0.62, rim), (0.58, field)):
        brush.oval(0, 0, reach, reach, fill)
    count = rng.randint(10, 16)
    for step in range(count):
        angle = 2 * math.pi * step / count
        x, y = 0.76 * math.cos(angle), 0.76 * math.sin(angle)
        brush.glyph(rng.choice(GLYPHS), x - 0.06, y - 0.09, 0.18, field)
    if rng.random() < 0.5:
        brush.star(0, 0, 0.45, rng.randint(5, 7), charge)
    else:
        _letters(brush, rng, 2, -0.25, 0.5, charge)


def _pennant(brush: Brush, rng: Random) -> None:
    field, charge, rim = _tones(rng)
    brush.line([(-0.95, -0.95), (-0.95, 1.0)], (110, 80, 50), 0.07)
    brush.polygon([(-0.93, -0.7), (1.1, -0.02), (-0.93, 0.66)], rim)
    brush.polygon([(-0.9, -0.64), (0.98, -0.02), (-0.9, 0.6)], field)
    brush.polygon([(-0.9, -0.64), (-0.66, -0.56), (-0.66, 0.52), (-0.9, 0.6)], charge)
    brush.star(-0.4, -0.02, 0.2, 5, charge)
    for place in range(3):
        height = 0.36 - 0.07 * place
        brush.glyph(rng.choice(GLYPHS), -0.12 + 0.29 * place, -0.02 - height / 2, height, charge)


def _sign(brush: Brush, rng: Random) -> None:
    field, charge, rim = _tones(rng)
    brush.box(-1.0, -0.62, 1.0, 0.62, rim)
    brush.box(-0.95, -0.57, 0.95, 0.57, field)
    brush.oval(-0.56, 0, 0.34, 0.34, charge)
    brush.star(-0.56, 0, 0.26, rng.randint(4, 8), field)
    for row, height in ((-0.32, 0.36), (0.14, 0.2)):
        for place in range(3 if height > 0.3 else 5):
            brush.glyph(rng.choice(GLYPHS), -0.1 + place * height * 0.85, row, height, charge)


def draw_organisation(brush: Brush, rng: Random) -> None:
    """A shield, a roundel, a pennant or a sign."""
    rng.choice((_shield, _shield, _roundel, _pennant, _sign))(brush, rng)
