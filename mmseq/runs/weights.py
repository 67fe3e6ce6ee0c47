"""The weights of a run as a safetensors file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
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
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = _difference(model.state_dict(), tensors)
        raise UserError(f"{path}: weights of another model ({reason}); {remedy}.") from error


def _difference(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """How the weights of a file differ from a model's: in tags, or the first and how many."""
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
    ]
    more = f"; {len(places) - 1} more differ" if len(places) > 1 else ""
    return f"{places[0] if places else 'of another kind'}{more}"


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
