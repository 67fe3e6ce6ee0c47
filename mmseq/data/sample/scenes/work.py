"""A work or product: a book, a record, a cassette, a telephone or a film's clapperboard."""

from random import Random

from mmseq.data.sample.scenes.brush import GLYPHS, Brush, Colour, colour, shade

PAPER: Colour = (244, 238, 224)
BLACK: Colour = (24, 24, 26)


def _lines(
    brush: Brush, rng: Random, left: float, top: float, right: float, rows: int, ink: Colour
) -> None:
    for row in range(rows):
        end = left + (right - left) * rng.uniform(0.6, 1.0)
        brush.line([(left, top + row * 0.11), (end, top + row * 0.11)], ink, 0.025)


def _closed_book(brush: Brush, rng: Random) -> None:
    cover, ink = colour(rng, 0.25, 0.75), colour(rng, 0.85, 1.0)
    depth = rng.uniform(0.14, 0.26)
    brush.polygon([(-0.6, 0.9), (-0.6 + depth, 0.9 + depth), (0.66 + depth, 0.9 + depth),
                   (0.66 + depth, -0.85 + depth), (0.66, -0.9)], shade(cover, 0.6))  # fmt: skip
    brush.polygon([(0.66, -0.86), (0.62 + depth, -0.86 + depth), (0.62 + depth, 0.86 + depth),
                   (-0.5 + depth, 0.86 + depth), (-0.56, 0.9), (0.66, 0.9)], PAPER)  # fmt: skip
    for step in range(1, 5):
        shift = depth * step / 5
        edge = [(-0.56 + shift, 0.9 + shift), (0.66 + shift, 0.9 + shift)]
        brush.line([*edge, (0.66 + shift, -0.86 + shift)], shade(PAPER, 0.75), 0.012)
    brush.box(-0.66, -0.9, 0.66, 0.9, cover)
    brush.box(-0.66, -0.9, -0.5, 0.9, shade(cover, 0.7))
    for place in range(4):
        brush.glyph(rng.choice(GLYPHS), -0.36 + place * 0.23, -0.65, 0.26, ink)
    brush.line([(-0.36, -0.25), (0.5, -0.25)], ink, 0.03)
    brush.oval(0.07, 0.2, 0.26, 0.26, ink)
    brush.oval(0.07, 0.2, 0.2, 0.2, shade(cover, 1.3))
    _lines(brush, rng, -0.2, 0.66, 0.34, 2, ink)


def _open_book(brush: Brush, rng: Random) -> None:
    brush.box(-1.04, -0.62, 1.04, 0.74, colour(rng, 0.2, 0.6))
    for side in (-1, 1):
        page = [(0, -0.56), (side * 0.35, -0.66), (side * 0.98, -0.58), (side * 0.98, 0.62)]
        brush.polygon([*page, (side * 0.35, 0.56), (0, 0.68)],
                      PAPER if side > 0 else shade(PAPER, 0.93))  # fmt: skip
        left = 0.12 if side > 0 else -0.88
        _lines(brush, rng, left, -0.42, left + 0.76, 9, (90, 84, 80))
    brush.line([(0, -0.56), (0, 0.68)], shade(PAPER, 0.6), 0.03)


def _record(brush: Brush, rng: Random) -> None:
    sleeve, label = colour(rng, 0.4, 0.95), colour(rng, 0.5, 1.0)
    out = rng.uniform(0.3, 0.55)
    for reach in range(14):
        tone = BLACK if reach % 2 == 0 else (70, 70, 74)
        size = 0.8 - reach * 0.04
        brush.oval(out, 0, size, size, tone)
    brush.oval(out, 0, 0.28, 0.28, label)
    brush.oval(out, 0, 0.05, 0.05, BLACK)
    if rng.random() < 0.6:
        brush.box(-1.05, -0.85, out - 0.05, 0.85, sleeve)
        brush.box(-1.05, -0.85, -1.0, 0.85, shade(sleeve, 0.6))
        for place in range(3):
            brush.glyph(rng.choice(GLYPHS), -0.85 + place * 0.27, -0.65, 0.3, shade(sleeve, 0.35))
        _lines(brush, rng, -0.85, 0.45, out - 0.2, 3, shade(sleeve, 0.4))


def _cassette(brush: Brush, rng: Random) -> None:
    shell, label = colour(rng, 0.1, 0.5), colour(rng, 0.8, 1.0)
    brush.box(-1.0, -0.64, 1.0, 0.64, shell)
    brush.box(-0.88, -0.54, 0.88, 0.28, label)
    _lines(brush, rng, -0.78, -0.44, 0.78, 2, shade(label, 0.4))
    brush.box(-0.6, -0.2, 0.6, 0.16, shade(shell, 0.5))
    for side in (-0.36, 0.36):
        brush.oval(side, -0.02, 0.15, 0.15, (240, 240, 240))
        brush.star(side, -0.02, 0.13, 6, shell)
    brush.box(-0.2, -0.12, 0.2, 0.08, (110, 70, 50))
    brush.polygon([(-0.6, 0.64), (-0.5, 0.4), (0.5, 0.4), (0.6, 0.64)], shade(shell, 1.5))


def _telephone(brush: Brush, rng: Random) -> None:
    screen = colour(rng, 0.6, 1.0)
    brush.box(-0.52, -0.98, 0.52, 0.98, (60, 60, 64))
    brush.box(-0.48, -0.94, 0.48, 0.94, BLACK)
    brush.box(-0.43, -0.78, 0.43, 0.74, screen)
    for row in range(4):
        for column in range(3):
            x, y = -0.27 + column * 0.27, -0.5 + row * 0.27
            brush.box(x - 0.09, y - 0.09, x + 0.09, y + 0.09, colour(rng, 0.2, 0.9))
    brush.box(-0.4, 0.52, 0.4, 0.7, shade(screen, 0.7))
    brush.oval(0, 0.84, 0.06, 0.06, (120, 120, 124))
    brush.line([(-0.12, -0.86), (0.12, -0.86)], (120, 120, 124), 0.03)


def _clapperboard(brush: Brush, rng: Random) -> None:
    chalk = (236, 236, 236)
    brush.box(-0.9, -0.3, 0.9, 0.8, BLACK)
    for row in (0.02, 0.34):
        brush.line([(-0.86, row), (0.86, row)], chalk, 0.025)
    for column in (-0.3, 0.3):
        brush.line([(column, 0.34), (column, 0.76)], chalk, 0.025)
        brush.glyph(rng.choice(GLYPHS), column + 0.15, 0.42, 0.26, chalk)
    _lines(brush, rng, -0.75, -0.14, 0.6, 1, chalk)
    _lines(brush, rng, -0.75, 0.18, 0.6, 1, chalk)
    lift = rng.uniform(0.15, 0.5)
    for top, slope in ((-0.5, 0.0), (-0.72, lift)):
        for stripe in range(8):
            ends = [-0.9 + 1.8 * (stripe + part) / 8 for part in (0, 1)]
            rise = [slope * (end + 0.9) / 1.8 for end in ends]
            fill = chalk if stripe % 2 else BLACK
            brush.polygon([(ends[0], top - rise[0]), (ends[1], top - rise[1]),
                           (ends[1], top + 0.2 - rise[1]), (ends[0], top + 0.2 - rise[0])],
                          fill)  # fmt: skip


def draw_work(brush: Brush, rng: Random) -> None:
    """A book, a record, a cassette, a telephone or a clapperboard."""
    scenes = (_closed_book, _open_book, _record, _cassette, _telephone, _clapperboard)
    rng.choice(scenes)(brush, rng)
