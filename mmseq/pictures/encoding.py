"""What an image encoder's frozen part gives for pictures, to the bit the same in any company."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.errors import UserError
from mmseq.pictures.store import Row

BATCH = 16
"""Pictures that the encoder takes at a time"""
LARGEST = float(np.finfo(np.float16).max)

_alike: WeakKeyDictionary[ImageEncoder, dict[tuple[Any, ...], bool]] = WeakKeyDictionary()
"""Encoder -> with pictures of a shape, so many threads and such batches: whether a picture alone
gets the bits that it gets in a batch"""


def half_rows(
    encoder: ImageEncoder,
    batch: Mapping[str, Tensor],
    device: torch.device,
    batch_size: int = BATCH,
) -> dict[str, Row]:
    """What `precompute` gives for each of up to `batch_size` pictures, in half precision.

    `batch`: name of a picture -> its pixels as the encoder's `transform` gives them. `UserError`
    where features do not fit half precision.

    Every picture gets the bits of a batch of `batch_size`. Fewer than that are padded with zeros,
    as sums may be taken in another order for another size; but on a CPU they are taken one by one
    where the first batch has shown that this gives the same bits.
    """
    pixels = torch.stack(list(batch.values())).to(device)
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad():
        found = _precomputed(encoder, pixels, batch_size)
    encoder.train(was_training)
    arrays = {}
    for name, tensor in found.items():
        used = tensor[: len(batch)].float()
        if not bool((used.abs() <= LARGEST).all()):  # NaN fails too
            raise UserError(
                f"Image encoder {type(encoder).__name__} gives values in '{name}' that are not "
                "finite or do not fit half precision, in which features are kept. Train all of "
                "its layers (then nothing is kept), or take another model."
            )
        arrays[name] = used.half().cpu().numpy()
    return {
        sha: {name: array[i].copy() for name, array in arrays.items()}
        for i, sha in enumerate(batch)
    }


def _precomputed(encoder: ImageEncoder, pixels: Tensor, batch_size: int) -> Mapping[str, Tensor]:
    """(B, …) -> name -> (at least B, …), with the bits of a batch of `batch_size`."""
    known = _alike.setdefault(encoder, {})
    way = (pixels.device.type, pixels.shape[1:], batch_size, torch.get_num_threads())
    if len(pixels) < batch_size and known.get(way):
        found = [_alone(encoder, one) for one in pixels[:, None]]
        return {name: torch.cat([one[name] for one in found]) for name in found[0]}
    padded = pixels.new_zeros((batch_size, *pixels.shape[1:]))
    padded[: len(pixels)] = pixels
    together = encoder.precompute(padded)
    # A GPU has cores for all of a batch, and is faster with it.
    if way not in known and pixels.device.type == "cpu" and batch_size > 1:
        alone = _alone(encoder, pixels[:1])
        known[way] = all(torch.equal(alone[name], together[name][:1]) for name in together)
    return together


def _alone(encoder: ImageEncoder, pixels: Tensor) -> Mapping[str, Tensor]:
    """(1, …) on a CPU -> name -> (1, …)."""
    with _AsInBatches():
        return encoder.precompute(pixels)


class _AsInBatches(TorchFunctionMode):
    """Convolutions by oneDNN, with which torch computes them for 16 pictures and more; fewer it
    computes partly in another way, in which sums come out different in the last bit.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.conv2d:
            found = _one_dnn(*args, **(kwargs or {}))
            if found is not None:
                return found
        return func(*args, **(kwargs or {}))


def _one_dnn(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    """`torch.conv2d`, whose names these are; None for what it would compute otherwise too."""
    one_dnn = torch.backends.mkldnn
    if not one_dnn.is_available() or not one_dnn.enabled:  # type: ignore[no-untyped-call,unused-ignore]
        return None
    if input.dtype != torch.float32 or isinstance(padding, str) or input.ndim != 4:
        return None
    sides = (_both(padding), _both(stride), _both(dilation))
    return torch.mkldnn_convolution(input, weight, bias, *sides, groups)


def _both(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)
