"""A person: a portrait, or a standing figure."""

from random import Random

from mmseq.data.sample.scenes.brush import Brush, Colour, colour, shade

SKIN: tuple[Colour, ...] = (
    (255, 224, 196), (241, 194, 150), (224, 172, 120), (198, 134, 86), (141, 85, 44), (92, 58, 36),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (28, 22, 20), (70, 44, 28), (120, 76, 40), (200, 160, 80), (160, 60, 30), (190, 190, 190),
)  # fmt: skip


def _face(brush: Brush, rng: Random, skin: Colour, hair: Colour) -> None:
    gaze = rng.uniform(-0.03, 0.03)
    for side in (-1, 1):
        x = side * 0.15
        brush.oval(x, -0.38, 0.075, 0.045, (248, 248, 248))
        brush.oval(x + gaze, -0.38, 0.036, 0.04, (40, 30, 30))
        tilt = rng.uniform(-0.02, 0.03)
        brush.line([(x - 0.08, -0.47 + tilt), (x + 0.08, -0.47 - tilt)], shade(hair, 0.7), 0.03)
    brush.polygon([(0, -0.36), (0.055, -0.2), (-0.04, -0.2)], shade(skin, 0.82))
    width = rng.uniform(0.08, 0.15)
    if rng.random() < 0.5:
        brush.oval(0, -0.1, width, 0.06, (170, 50, 55), turn=(0.0, 0.5))
    else:
        brush.oval(0, -0.09, width, 0.025, (165, 60, 60))
    if rng.random() < 0.3:
        for side in (-1, 1):
            ring = [(side * 0.15 + 0.1 * dx, -0.38 + 0.08 * dy) for dx, dy in
                    ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]  # fmt: skip
            brush.line(ring, (25, 25, 25), 0.022)
        brush.line([(-0.05, -0.38), (0.05, -0.38)], (25, 25, 25), 0.022)


def _portrait(brush: Brush, rng: Random) -> None:
    skin, hair, clothes = rng.choice(SKIN), rng.choice(HAIR), colour(rng, 0.15, 0.95)
    style = rng.choice(("short", "long", "bun", "hat", "bald", "curly"))
    if style == "long":
        brush.oval(0, -0.28, 0.46, 0.62, hair)
    elif style == "bun":
        brush.oval(0, -0.92, 0.17, 0.15, hair)
    elif style == "curly":
        for _ in range(22):
            brush.oval(rng.uniform(-0.38, 0.38), rng.uniform(-0.85, -0.3), 0.14, 0.14, hair)
    brush.oval(0, 0.72, 0.82, 0.62, clothes, turn=(0.5, 1.0))
    brush.box(-0.82, 0.71, 0.82, 1.9, clothes)
    brush.polygon([(-0.2, 0.14), (0.2, 0.14), (0, 0.4)], shade(clothes, 0.6))
    brush.box(-0.14, -0.1, 0.14, 0.2, shade(skin, 0.86))
    for side in (-1, 1):
        brush.oval(side * 0.35, -0.33, 0.06, 0.1, shade(skin, 0.9))
    brush.oval(0, -0.34, 0.35, 0.44, skin)
    if style != "bald":
        brush.oval(0, -0.5, 0.37, 0.33, hair, turn=(0.47, 1.03))
    if style == "hat":
        brush.box(-0.34, -0.98, 0.34, -0.58, clothes)
        brush.box(-0.56, -0.62, 0.56, -0.54, shade(clothes, 0.7))
    if style in {"short", "bald", "hat"} and rng.random() < 0.45:
        brush.oval(0, -0.16, 0.3, 0.27, hair, turn=(0.0, 0.5))
    _face(brush, rng, skin, hair)


def _figure(brush: Brush, rng: Random) -> None:
    skin, hair = rng.choice(SKIN), rng.choice(HAIR)
    shirt, trousers = colour(rng, 0.2, 0.95), colour(rng, 0.1, 0.8)
    stride, swing = rng.uniform(0.05, 0.25), rng.uniform(-0.3, 0.35)
    for side in (-1, 1):
        foot = side * (0.12 + stride)
        brush.line([(side * 0.1, 0.25), (foot, 0.95)], trousers, 0.17)
        brush.oval(foot + 0.04, 0.97, 0.12, 0.05, (35, 30, 30))
        hand = (side * (0.42 + abs(swing) * 0.4), 0.25 - max(0.0, swing * side) * 2.4)
        brush.line([(side * 0.22, -0.32), hand], shirt, 0.12)
        brush.oval(*hand, 0.07, 0.07, skin)
    brush.polygon([(-0.3, -0.38), (0.3, -0.38), (0.2, 0.32), (-0.2, 0.32)], shirt)
    if rng.random() < 0.5:
        brush.glyph("010110010010111", -0.07, -0.25, 0.26, shade(shirt, 0.45))
    brush.box(-0.07, -0.5, 0.07, -0.36, shade(skin, 0.86))
    brush.oval(0, -0.68, 0.17, 0.21, skin)
    brush.oval(0, -0.75, 0.18, 0.16, hair, turn=(0.46, 1.04))
    for side in (-1, 1):
        brush.oval(side * 0.065, -0.68, 0.02, 0.02, (30, 25, 25))
    brush.line([(-0.05, -0.57), (0.05, -0.57)], (150, 50, 50), 0.02)


def draw_person(brush: Brush, rng: Random) -> None:
    """A portrait (three in four) or a standing figure."""
    (_portrait if rng.random() < 0.75 else _figure)(brush, rng)
