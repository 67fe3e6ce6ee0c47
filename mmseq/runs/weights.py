"""The weights of a run as a safetensors file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmseq.errors import UserError
from mmseq.files import replacing
from mmseq.model.model import Model
from mmseq.modes import as_umask_says


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """The state dict, every tensor contiguous and on its own storage, as safetensors wants."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        tensor = tensor.detach().contiguous()
        shared = tensor.data_ptr() in seen and tensor.numel() > 0
        seen.add(tensor.data_ptr())
        tensors[name] = tensor.clone() if shared else tensor
    return tensors


def save_weights(model: Model, path: Path) -> None:
    """All weights into one safetensors file, whole or not at all."""
    with replacing(path) as temporary:
        write_tensors(tensors_of(model), temporary)


RESTORE = (
    "config.toml, labels.json and the weights of a run belong together: restore the folder from "
    "where it was made"
)
"""What to do about a run whose weights are of another model than its files describe"""


Weights = dict[str, Tensor]


def size_of(path: Path) -> tuple[int, int]:
    """Number of the tensors in a file of weights and their bytes, of its header alone. `UserError`
    where it is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            slices = [file.get_slice(name) for name in names]
            held = [math.prod(one.get_shape()) * _BYTES[one.get_dtype()] for one in slices]
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; the run folder is damaged.") from error
    # safetensors raises its own class, derived from Exception alone.
    except Exception as error:
        raise UserError(f"{path}: damaged or not a safetensors file ({error}).") from error
    return len(held), sum(held)


_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8"), 1),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F64", "I64", "U64"), 8),
}
"""Of a number of each type that a run's weights may be of"""


def load_weights(
    model: nn.Module,
    path: Path,
    *,
    weighting: bool = True,
    suited: Callable[[Weights, Weights], Weights] = lambda own, given: given,
    remedy: str = RESTORE,
) -> None:
    """Weights of a file, strictly; `UserError` where it is missing, damaged or of another model.

    `weighting` False: the weighting keeps its own state, whatever the file has of one. `suited`:
    what is loaded of the model's own weights and those of the file. `remedy`: what to do where they
    are another model's.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; the run folder is damaged.") from error
    # safetensors raises its own class, derived from Exception alone.
    except Exception as error:
        raise UserError(f"{path}: damaged or not a safetensors file ({error}).") from error
    if not weighting and isinstance(model, Model):
        tensors = {n: t for n, t in tensors.items() if not n.startswith("weighting.")}
        tensors |= model.weighting.state_dict(prefix="weighting.")
    tensors = suited(model.state_dict(), tensors)
    if reason := _difference(model.state_dict(), tensors):
        raise UserError(f"{path}: weights of another model ({reason}); {remedy}.")
    model.load_state_dict(tensors)


def _difference(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """How the weights of a file differ from a model's: in tags, or the first and how many; empty:
    not at all.
    """
    tags, known = (len(weights.get("head.weight", ())) for weights in (given, own))
    if tags and known and tags != known:
        return f"for {tags} tags, and here are {known}"
    places = [
        *(f"{name} is missing" for name in own if name not in given),
        *(f"{name} is not of this model" for name in given if name not in own),
        *(
            f"{name} is {tuple(given[name].shape)}, here {tuple(tensor.shape)}"
            for name, tensor in own.items()
            if name in given and given[name].shape != tensor.shape
        ),
        *(
            f"{name} is of {_type(given[name])}, here of {_type(tensor)}"
            for name, tensor in own.items()
            if name in given and given[name].dtype != tensor.dtype
        ),
    ]
    more = f"; {len(places) - 1} more differ" if len(places) > 1 else ""
    return f"{places[0]}{more}" if places else ""


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def require_finite(model: nn.Module, path: Path) -> None:
    """`UserError` where weights that were loaded from `path` are no numbers: every score would be
    none. Constants may be infinite, as masks are; what weighs losses tags nothing.
    """
    weights = {name for name, _ in model.named_parameters()}
    for name, tensor in model.state_dict().items():
        # A sum is a number where all of it are, which is quickly seen; where it is none, one looks.
        if name.startswith("weighting.") or not tensor.is_floating_point():
            continue
        if tensor.sum(dtype=torch.float32).isfinite():
            continue
        if tensor.isnan().any() or (name in weights and tensor.isinf().any()):
            raise UserError(
                f"{path}: damaged: {name} holds what is no number; restore the folder from where "
                "the run was made."
            )


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """A safetensors file; `UserError` where it cannot be written, as on a full disk."""
    try:
        with as_umask_says(path):
            save_file(tensors, path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path}: cannot be written ({error}); nothing written before is lost: make room, "
            "then go on with mmseq train --resume."
        ) from error
