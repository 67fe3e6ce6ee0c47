"""A place: a skyline, mountains, a coast or a village street. It fills the canvas to its edges."""

from random import Random

from mmseq.data.sample.scenes.brush import Brush, Colour, colour, shade

EDGE = 2.6  # units: scenes run past the canvas on every side, however it is placed and turned


def _ground(brush: Brush, level: float, fill: Colour) -> None:
    brush.box(-EDGE, level, EDGE, EDGE, fill)


def _sun(brush: Brush, rng: Random) -> None:
    if rng.random() < 0.6:
        reach = rng.uniform(0.08, 0.2)
        brush.oval(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, -0.3), reach, reach, (255, 240, 190))
    tone = colour(rng, 0.8, 1.0)
    for _ in range(rng.randint(0, 3)):
        x, y = rng.uniform(-1, 1), rng.uniform(-0.9, -0.35)
        for shift in (-0.12, 0.0, 0.12):
            brush.oval(x + shift, y + abs(shift) * 0.3, 0.14, 0.07, tone)


def _tower(brush: Brush, rng: Random, left: float, width: float, top: float, base: float) -> None:
    wall = colour(rng, 0.15, 0.8)
    pane = shade(wall, 1.9) if max(wall) < 130 else shade(wall, 0.5)
    brush.box(left, top, left + width, base, wall)
    roof = rng.random()
    if roof < 0.2:
        brush.polygon([(left, top), (left + width / 2, top - width), (left + width, top)], wall)
    elif roof < 0.4:
        brush.line([(left + width / 2, top), (left + width / 2, top - 0.2)], wall, 0.02)
    columns = max(2, round(width / 0.085))
    cell = width / columns
    y = top + 0.05
    while y < base - 0.08:
        for column in range(columns):
            if rng.random() < 0.85:
                x = left + column * cell
                brush.box(x + cell * 0.25, y, x + cell * 0.75, y + 0.055, pane)
        y += 0.11


def _skyline(brush: Brush, rng: Random) -> None:
    base = rng.uniform(0.35, 0.75)
    far = colour(rng, 0.45, 0.8)
    x = -1.8
    while x < 1.8:
        width = rng.uniform(0.15, 0.3)
        brush.box(x, base - rng.uniform(0.2, 0.8), x + width, base, far)
        x += width
    x = -1.8
    while x < 1.8:
        width = rng.uniform(0.18, 0.38)
        _tower(brush, rng, x, width, base - rng.uniform(0.3, 1.15), base)
        x += width + rng.uniform(0, 0.1)
    _ground(brush, base, colour(rng, 0.2, 0.7))


def _mountains(brush: Brush, rng: Random) -> None:
    base = rng.uniform(0.25, 0.6)
    for depth in range(3):
        rock = colour(rng, 0.3, 0.7)
        x = -1.9
        while x < 1.9:
            half = rng.uniform(0.35, 0.7)
            height = rng.uniform(0.5, 1.1) * (1 - depth * 0.25)
            peak = (x + half, base - height + depth * 0.1)
            brush.polygon([(x - 0.1, base), peak, (x + 2 * half + 0.1, base)], rock)
            cap = 0.3
            run = (half + 0.1) * cap
            foot = peak[1] + (base - peak[1]) * cap
            jag = [(peak[0] + run, foot), (peak[0] + run / 3, foot - 0.06), (peak[0], foot + 0.03)]
            brush.polygon([peak, *jag, (peak[0] - run, foot)], (245, 247, 250))
            x += half * rng.uniform(1.0, 1.6)
    _ground(brush, base, colour(rng, 0.25, 0.7))
    for _ in range(rng.randint(8, 20)):
        x, y, size = rng.uniform(-1.2, 1.2), base + rng.uniform(0.05, 0.6), rng.uniform(0.08, 0.16)
        tree = [(x, y - size * 1.8), (x + size * 0.6, y), (x - size * 0.6, y)]
        brush.polygon(tree, colour(rng, 0.15, 0.4))


def _coast(brush: Brush, rng: Random) -> None:
    level = rng.uniform(-0.15, 0.25)
    sea = colour(rng, 0.45, 0.8)
    _ground(brush, level, sea)
    for _ in range(30):
        x, y = rng.uniform(-1.4, 1.4), level + rng.uniform(0.03, 0.6)
        brush.line([(x, y), (x + rng.uniform(0.1, 0.3), y)], shade(sea, 1.25), 0.015)
    shore = level + rng.uniform(0.4, 0.7)
    sand = [(-EDGE, shore), (-0.5, shore + 0.1), (0.5, shore - 0.08), (EDGE, shore + 0.1)]
    brush.polygon([*sand, (EDGE, EDGE), (-EDGE, EDGE)], colour(rng, 0.75, 0.95))
    for _ in range(rng.randint(1, 3)):
        x, foot, top = rng.uniform(-0.9, 0.9), shore + 0.2, level - rng.uniform(0.2, 0.55)
        lean = rng.uniform(-0.2, 0.2)
        brush.line([(x, foot), (x + lean * 0.4, (foot + top) / 2), (x + lean, top)],
                   (96, 66, 40), 0.06)  # fmt: skip
        leaf = colour(rng, 0.25, 0.5)
        for dx, dy in ((-0.4, 0.05), (-0.3, -0.2), (0.3, -0.2), (0.4, 0.05), (-0.2, 0.25),
                       (0.22, 0.25)):  # fmt: skip
            tip = (x + lean + dx, top + dy)
            middle = (x + lean + dx * 0.5, top + dy * 0.5 - 0.14)
            brush.polygon([(x + lean, top), middle, tip, (x + lean + dx * 0.5, top + dy * 0.5)],
                          leaf)  # fmt: skip
    if rng.random() < 0.5:
        x = rng.uniform(-0.7, 0.7)
        brush.polygon([(x, level - 0.4), (x + 0.22, level - 0.02), (x, level - 0.02)],
                      (250, 250, 250))  # fmt: skip
        brush.polygon([(x - 0.15, level), (x + 0.25, level), (x + 0.18, level + 0.07),
                       (x - 0.1, level + 0.07)], (110, 50, 40))  # fmt: skip


def _village(brush: Brush, rng: Random) -> None:
    base = rng.uniform(0.1, 0.4)
    for _ in range(4):
        x, reach = rng.uniform(-1.3, 1.3), rng.uniform(0.5, 1.0)
        brush.oval(x, base + 0.1, reach, rng.uniform(0.3, 0.6), colour(rng, 0.3, 0.75))
    _ground(brush, base, colour(rng, 0.35, 0.75))
    road = colour(rng, 0.3, 0.6)
    brush.polygon([(-0.05, base), (0.08, base), (0.75, EDGE), (-0.6, EDGE)], road)
    x = -1.5
    while x < 1.4:
        width, height = rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.38)
        foot = base + rng.uniform(0.02, 0.14)
        wall, roof = colour(rng, 0.6, 1.0), colour(rng, 0.25, 0.6)
        brush.box(x, foot - height, x + width, foot, wall)
        brush.polygon([(x - 0.05, foot - height), (x + width / 2, foot - height - 0.25),
                       (x + width + 0.05, foot - height)], roof)  # fmt: skip
        brush.box(x + width * 0.4, foot - 0.14, x + width * 0.6, foot, shade(wall, 0.4))
        for side in (0.1, 0.7):
            left = x + width * side
            brush.box(left, foot - height + 0.05, left + 0.08, foot - height + 0.13,
                      shade(wall, 0.5))  # fmt: skip
        x += width + rng.uniform(0.1, 0.5)
        if rng.random() < 0.5:
            brush.line([(x - 0.08, foot), (x - 0.08, foot - 0.25)], (90, 60, 40), 0.04)
            brush.oval(x - 0.08, foot - 0.32, 0.12, 0.17, colour(rng, 0.2, 0.5))


def draw_place(brush: Brush, rng: Random) -> None:
    """A skyline, mountains, a coast or a village, under a sky that the backdrop gives."""
    _sun(brush, rng)
    rng.choice((_skyline, _mountains, _coast, _village))(brush, rng)
