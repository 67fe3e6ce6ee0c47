"""A picture to the pixels that a timm model wants, without chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image
from timm.data import config as data_config
from timm.data import transforms_factory
from torch import Tensor, nn

NAMES = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
"""What a transform is described by"""
WIDEST = 8
"""Longest over shortest side of what is resized before a crop"""


def describe_transform(net: nn.Module, *, whole_page: bool) -> dict[str, Any]:
    """Size, mean, standard deviation, interpolation and crop of a model, as JSON."""
    resolve: Any = data_config.resolve_model_data_config
    config: dict[str, Any] = resolve(net)
    if whole_page:
        config |= {"crop_mode": "squash", "crop_pct": 1.0}
    return {name: list(v) if isinstance(v := config[name], tuple) else v for name in NAMES}


def build_transform(config: Mapping[str, Any]) -> Callable[[Image.Image], Tensor]:
    """The transform that `describe_transform` described: RGB picture to (3, H, W).

    `ValueError` for any other key: what a run folder holds is not passed on to timm unseen.
    """
    if others := sorted(set(config) - set(NAMES)):
        raise ValueError(f"'{others[0]}' does not describe a transform")
    listed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }
    create: Any = transforms_factory.create_transform
    resize_and_crop = create(**listed, is_training=False)
    whole_page = config["crop_mode"] == "squash"

    def transform(image: Image.Image) -> Tensor:
        pixels: Tensor = resize_and_crop(image if whole_page else without_strips(image))
        return pixels

    return transform


def seen(config: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 in pixels of the part of a picture of `size` (width, height) that the transform
    of `config` keeps; beyond the picture where it pads.
    """
    high, wide = config["input_size"][1:]
    # timm resizes to what is `crop_pct` times too large, and cuts the centre out.
    goal = tuple(math.floor(side / config["crop_pct"]) for side in (wide, high))
    factors = [side / own for side, own in zip(goal, size, strict=True)]
    if config["crop_mode"] == "border":
        factors = [min(factors)] * 2
    elif config["crop_mode"] != "squash":
        factors = [max(factors)] * 2
    kept = (wide / factors[0], high / factors[1])
    left, top = ((own - part) / 2 for own, part in zip(size, kept, strict=True))
    return (left, top, left + kept[0], top + kept[1])


def without_strips(image: Image.Image) -> Image.Image:
    """The centre of a very long picture: 20 x 200,000 is not resized whole only to be cropped.

    Pictures up to `WIDEST` times as long as wide are returned as they are.
    """
    width, height = image.size
    if max(width, height) <= WIDEST * min(width, height):
        return image
    wide, high = min(width, WIDEST * height), min(height, WIDEST * width)
    left, top = (width - wide) // 2, (height - high) // 2
    return image.crop((left, top, left + wide, top + high))
