"""A picture that says nothing: shapes and strokes without a subject."""

from random import Random

from mmseq.data.sample.scenes.brush import Brush, colour


def _strokes(brush: Brush, rng: Random) -> None:
    for _ in range(rng.randint(25, 60)):
        path = [(rng.uniform(-1.4, 1.4), rng.uniform(-1.4, 1.4)) for _ in range(3)]
        brush.line(path, colour(rng, 0.1, 1.0), rng.uniform(0.01, 0.08))


def _shards(brush: Brush, rng: Random) -> None:
    for _ in range(rng.randint(30, 60)):
        x, y = rng.uniform(-1.4, 1.4), rng.uniform(-1.4, 1.4)
        corners = [(x + rng.uniform(-0.4, 0.4), y + rng.uniform(-0.4, 0.4)) for _ in range(4)]
        brush.polygon(corners, colour(rng, 0.1, 1.0))


def _bubbles(brush: Brush, rng: Random) -> None:
    for _ in range(rng.randint(40, 80)):
        reach = rng.uniform(0.04, 0.25)
        x, y = rng.uniform(-1.4, 1.4), rng.uniform(-1.4, 1.4)
        brush.oval(x, y, reach, reach, colour(rng, 0.1, 1.0))


def draw_clutter(brush: Brush, rng: Random) -> None:
    """Strokes, shards or bubbles all over the canvas."""
    rng.choice((_strokes, _shards, _bubbles))(brush, rng)
