"""The tensors inside what components get and give, by their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmseq.contracts.states import ImageStates, TextStates

LARGE = 1000.0
"""What padding and absent regions are filled with: any influence shows"""


def places(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """(place, tensor) of every tensor in dataclasses, mappings and sequences."""
    if isinstance(value, Tensor):
        yield name, value
    elif is_dataclass(value):
        for field in fields(value):
            inner = f"{name}.{field.name}" if name else field.name
            yield from places(getattr(value, field.name), inner)
    elif isinstance(value, Mapping):
        for key, inner_value in value.items():
            yield from places(inner_value, f"{name}['{key}']" if name else str(key))
    elif isinstance(value, list | tuple):
        for index, inner_value in enumerate(value):
            yield from places(inner_value, f"{name}[{index}]")


def copied(value: object) -> dict[str, Tensor]:
    """A copy of every tensor, by its place."""
    return {name: tensor.detach().clone() for name, tensor in places(value)}


def changed(before: Mapping[str, Tensor], value: object) -> str:
    """Places whose tensors are no longer as in `before`."""
    now = dict(places(value))
    return ", ".join(name for name, tensor in before.items() if not _same(tensor, now.get(name)))


def _same(before: Tensor, now: Tensor | None) -> bool:
    if now is None or now.shape != before.shape or now.dtype != before.dtype:
        return False
    gap = before != now
    if before.is_floating_point():
        gap &= ~(before.isnan() & now.isnan())
    return not bool(gap.any())


def words_padded(text: TextStates, more: int = 0) -> TextStates:
    """The same sentences with `LARGE` numbers in the padding, `more` words longer."""
    mask = pad(text.mask, (0, more))
    return replace(
        text,
        words=filled(text.words, mask, more),
        mask=mask,
        parts={name: filled(part, mask, more) for name, part in text.parts.items()},
        # Padded with 0, as the contract has it.
        extras={name: pad(field, (0, 0, 0, more)) for name, field in text.extras.items()},
    )


def regions_padded(images: ImageStates, more: int = 0) -> ImageStates:
    """The same pictures with `LARGE` numbers in absent regions, `more` of them."""
    mask = pad(images.mask, (0, more))
    longer: dict[str, Any] = {}
    if images.grid is not None:
        longer["grid"] = pad(images.grid, (0, 0, 0, more))
    if images.image_index is not None:
        longer["image_index"] = pad(images.image_index, (0, more))
    return replace(images, regions=filled(images.regions, mask, more), mask=mask, **longer)


def tracked_pictures(images: ImageStates) -> tuple[ImageStates, dict[str, Tensor]]:
    """The same pictures asking for gradients, and their tensors by name."""
    assert images.vector is not None
    levels = tuple(level.clone().requires_grad_() for level in images.levels)
    pictures = {
        "regions": images.regions.clone().requires_grad_(),
        "vector": images.vector.clone().requires_grad_(),
    }
    seen = replace(images, **pictures, levels=levels)
    return seen, pictures | {f"levels[{i}]": level for i, level in enumerate(levels)}


def filled(tensor: Tensor, mask: Tensor, more: int = 0) -> Tensor:
    """(B, n, …) with `LARGE` where `mask` (B, n + more) is false."""
    longer = pad(tensor, (0, 0, 0, more))
    return torch.where(mask[..., None], longer, torch.full_like(longer, LARGE))
