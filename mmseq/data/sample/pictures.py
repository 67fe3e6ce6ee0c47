"""Draws one picture of a kind of scene, so that the kind has to be seen.

Backdrop, place, size, slant, clutter, noise and colour come from the same distributions for every
kind: the mean colour of a picture in particular is drawn before anything is known of its kind.
"""

from collections.abc import Callable, Mapping
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from mmseq.data.sample.scenes.backdrop import backdrop, litter
from mmseq.data.sample.scenes.brush import Brush
from mmseq.data.sample.scenes.clutter import draw_clutter
from mmseq.data.sample.scenes.organisation import draw_organisation
from mmseq.data.sample.scenes.person import draw_person
from mmseq.data.sample.scenes.place import draw_place
from mmseq.data.sample.scenes.work import draw_work

SIDE = 224  # pixels
CLUTTER = "clutter"
Scene = Callable[[Brush, Random], None]
SCENES: Mapping[str, Scene] = {
    "PER": draw_person,
    "LOC": draw_place,
    "ORG": draw_organisation,
    "OTHER": draw_work,
    CLUTTER: draw_clutter,
}

_OVERSAMPLING = 2  # drawn at twice the size and reduced, which smooths the edges


def _grade(image: Image.Image, rng: Random) -> Image.Image:
    """Gives the picture a mean colour and a contrast drawn at random, and some noise."""
    level = rng.uniform(85, 170)
    target = np.array([level + rng.uniform(-28, 28) for _ in range(3)], dtype=np.float32)
    spread = rng.uniform(42, 62)
    noise = np.random.default_rng(rng.getrandbits(32))
    pixels = np.array(image, dtype=np.float32)
    grain = noise.standard_normal(pixels.shape, dtype=np.float32)
    pixels += np.float32(rng.uniform(2, 9)) * grain
    pixels *= np.float32(spread) / pixels.std()
    # Clipping moves the mean, so the colour is set again until it all but stays.
    for _ in range(3):
        pixels += target - pixels.mean((0, 1))
        np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def draw_picture(kind: str, rng: Random) -> Image.Image:
    """A picture of `SIDE` x `SIDE` pixels that shows a scene of the given kind.

    Raises:
        KeyError: when there is no such kind.
    """
    image = _scene(SCENES[kind], rng, SIDE * _OVERSAMPLING)
    return _grade(image.resize((SIDE, SIDE), Image.Resampling.BOX), rng)


def draw_cluttered_picture(kind: str, rng: Random) -> Image.Image:
    """A heap of clutter with one small scene of the given kind lying anywhere on it.

    The scene covers a twelfth to a sixth of the picture; a few snippets of its size show clutter.

    Raises:
        KeyError: when there is no such kind.
    """
    scenes = [draw_clutter] * rng.randint(3, 5) + [SCENES[kind]]
    side = SIDE * _OVERSAMPLING
    image = _scene(draw_clutter, rng, side)
    for scene in scenes:
        small = round(side * rng.uniform(0.29, 0.41))
        corner = (rng.randint(0, side - small), rng.randint(0, side - small))
        image.paste(_scene(scene, rng, small), corner)
    return _grade(image.resize((SIDE, SIDE), Image.Resampling.BOX), rng)


def _scene(scene: Scene, rng: Random, side: int) -> Image.Image:
    """A scene on its backdrop, `side` pixels square."""
    image = backdrop(rng, side, *rng.choice(((0.1, 0.5), (0.45, 0.8), (0.7, 1.0))))
    draw = ImageDraw.Draw(image)
    behind = Brush(draw, (side / 2, side / 2), side / 2)
    litter(behind, rng, rng.randint(0, 14))
    centre = (side * rng.uniform(0.36, 0.64), side * rng.uniform(0.38, 0.62))
    brush = Brush(draw, centre, side * rng.uniform(0.27, 0.5), rng.uniform(-0.2, 0.2))
    scene(brush, rng)
    litter(behind, rng, rng.randint(0, 8))
    return image
