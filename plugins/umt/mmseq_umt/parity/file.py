"""A file with weights, inputs and outputs of the authors' published code, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveInt, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmseq import UserError

INPUTS = {
    "input_ids": "BN",
    "attention_mask": "BN",
    "tags": "BN",
    "boundary_tags": "BN",
    "conversion_matrix": "KL",
    "image_regions": "BEhw",
}
"""Input -> shape: B sentences, N sub-words, K boundary tags, L tags, E image width, h x w cells"""

OUTPUTS = {
    "text_X": "BND",
    "boundary_H": "BND",
    "boundary_emissions": "BNK",
    "text_R": "BND",
    "image_queried_P": "BRD",
    "image_A": "BND",
    "text_T": "BND",
    "fused_F": "BNF",
    "main_emissions": "BNL",
    "final_emissions": "BNL",
    "loss": "1",
    "decoded": "BN",
}
"""Output -> shape: as above, R = h w regions, D text width, F = 2D"""


class Structure(BaseModel, strict=True, frozen=True, allow_inf_nan=False):
    """The header's entry `config`: sizes and settings, in the authors' words."""

    vocab_size: PositiveInt
    hidden_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    intermediate_size: PositiveInt
    max_position_embeddings: PositiveInt
    layer_norm_eps: NonNegativeFloat
    txt2img_layers: PositiveInt
    img2txt_layers: PositiveInt
    txt2txt_layers: PositiveInt
    num_tags: PositiveInt
    num_boundary_tags: PositiveInt
    emission_mix: Annotated[float, Field(ge=0, le=1)]
    boundary_loss_weight: NonNegativeFloat


@dataclass(frozen=True)
class ParityFile:
    """What such a file holds. Inputs and outputs fit the structure; weights are not checked yet."""

    path: Path
    structure: Structure
    weights: Mapping[str, Tensor]
    """By the authors' names"""
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def read(path: Path) -> ParityFile:
    """The file, or `UserError` that names it and what is wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: _plain(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: no safetensors file that can be read ({error}).") from error
    structure = _structure(path, header)
    known = [*(f"inputs.{name}" for name in INPUTS), *(f"outputs.{name}" for name in OUTPUTS)]
    require_none(path, "missing tensors", [name for name in known if name not in tensors])
    weights = [name for name in tensors if name.startswith("weights.")]
    others = sorted(set(tensors) - {*known, *weights})
    require_none(path, "tensors without a meaning here", others)
    found = ParityFile(
        path,
        structure,
        {name.removeprefix("weights."): tensors[name] for name in weights},
        {name: tensors[f"inputs.{name}"] for name in INPUTS},
        {name: tensors[f"outputs.{name}"] for name in OUTPUTS},
    )
    require_none(path, "tensors of another shape", _misshapen(found))
    odd = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    require_none(path, "tensors with infinite or undefined numbers", odd)
    require_none(path, "impossible inputs", _impossible(found))
    return found


def require_none(path: Path, what: str, found: Sequence[str]) -> None:
    """`UserError` with the number of things that are wrong in the file and the first of them."""
    if found:
        first = "; ".join(found[:3]) + "; …" * (len(found) > 3)
        raise UserError(
            f"{path}: {what} ({len(found)}): {first}. The README of mmseq-umt says what belongs "
            "in such a file."
        )


def misfit(name: str, shape: Sequence[int], wanted: Sequence[int | str]) -> str:
    """``weights.gate.bias is (31), not (32)``, for `require_none`."""
    given, right = (", ".join(map(str, sizes)) for sizes in (shape, wanted))
    return f"{name} is ({given}), not ({right})"


def _plain(tensor: Tensor) -> Tensor:
    """In 32 bits; whole numbers in 64."""
    return tensor.float() if tensor.is_floating_point() else tensor.long()


def _structure(path: Path, header: Mapping[str, str]) -> Structure:
    if "config" not in header:
        raise UserError(f"{path}: its header has no entry 'config', which gives the sizes.")
    wrong = []
    try:
        found = Structure.model_validate_json(header["config"])
        width, heads, inner = found.hidden_size, found.num_attention_heads, found.intermediate_size
        if width % heads:
            wrong.append(f"num_attention_heads: {heads} does not divide hidden_size {width}")
        if inner % width:
            wrong.append(f"intermediate_size: {inner} is not a multiple of hidden_size {width}")
    except ValidationError as error:
        faults = error.errors()
        wrong = [": ".join((*map(str, fault["loc"]), fault["msg"])) for fault in faults]
    require_none(path, "faults in the header's 'config'", wrong)
    return found


def _misshapen(file: ParityFile) -> list[str]:
    structure = file.structure
    width = structure.hidden_size
    sizes = {"D": width, "F": 2 * width, "1": 1}
    sizes |= {"L": structure.num_tags, "K": structure.num_boundary_tags}
    wrong = []

    def check(name: str, tensor: Tensor, letters: str) -> None:
        # A letter not met before stands for the size it has here.
        if len(letters) != tensor.dim() or not all(
            size and sizes.setdefault(letter, size) == size
            for letter, size in zip(letters, tensor.shape, strict=True)
        ):
            wrong.append(misfit(name, tensor.shape, [sizes.get(i, i) for i in letters]))

    for name, letters in INPUTS.items():
        check(f"inputs.{name}", file.inputs[name], letters)
    if wrong:
        return wrong
    sizes["R"] = sizes["h"] * sizes["w"]
    for name, letters in OUTPUTS.items():
        check(f"outputs.{name}", file.outputs[name], letters)
    return wrong


def _impossible(file: ParityFile) -> list[str]:
    structure, inputs = file.structure, file.inputs
    wrong = []
    for name, limit in (
        ("input_ids", structure.vocab_size),
        ("tags", structure.num_tags),
        ("boundary_tags", structure.num_boundary_tags),
    ):
        ids = inputs[name]
        if ids.is_floating_point() or ids.min() < 0 or ids.max() >= limit:
            wrong.append(f"inputs.{name} (not whole numbers from 0 to {limit - 1})")
    mask = inputs["attention_mask"]
    lengths = mask.bool().sum(dim=1)
    prefix = torch.arange(mask.shape[1]) < lengths[:, None]
    if (mask != prefix).any() or not lengths.all():
        wrong.append("inputs.attention_mask (not ones, then zeros, in each row)")
    if mask.shape[1] > structure.max_position_embeddings:
        positions = structure.max_position_embeddings
        wrong.append(f"inputs.input_ids ({mask.shape[1]} in a row, {positions} positions)")
    return wrong
