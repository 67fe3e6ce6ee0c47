"""What a component is checked for, and the error that reports it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import torch
from torch import Tensor

from mmseq.errors import UserError
from mmseq.model.guard import raised

RTOL, ATOL = 1e-3, 1e-4
"""Rounding that other shapes of a batch may bring; a fault is far larger"""


class ContractError(AssertionError):
    """A component breaks its contract: which part of it, where, what was found, what is right."""


@dataclass(frozen=True)
class Outputs:
    """What a component gives for a batch, sorted by what a row of it belongs to."""

    mask: Tensor
    """(B, W) bool: a real word"""
    words: Mapping[str, Tensor] = field(default_factory=dict)
    """(B, W, …) each"""
    sentences: Mapping[str, Tensor] = field(default_factory=dict)
    """(B, …) each"""

    def of(self, sentence: int) -> dict[str, Tensor]:
        """What belongs to one sentence, without its padding."""
        real = self.mask[sentence]
        words = {name: tensor[sentence][real] for name, tensor in self.words.items()}
        return {**words, **{name: tensor[sentence] for name, tensor in self.sentences.items()}}


class Judge:
    """Compares what a component gives with what its contract says; its name is in each message."""

    def __init__(self, title: str) -> None:
        self.title = title

    def fail(self, contract: str, found: str, right: str) -> NoReturn:
        """Raise the error: `contract` names the part that is broken, and where."""
        raise ContractError(f"{self.title}, {contract}: {found}. Right: {right}.")

    def require(self, holds: object, contract: str, found: str, right: str) -> None:
        """Fail unless `holds`."""
        if not holds:
            self.fail(contract, found, right)

    @contextmanager
    def running(
        self, contract: str, right: str = "it runs without an error", **given: object
    ) -> Iterator[None]:
        """An exception in the block is a failure of the component, which got what is `given`; a
        `UserError` passes.
        """
        try:
            yield
        except (ContractError, UserError):
            raise
        # A stranger's component may raise anything.
        except Exception as error:
            raise ContractError(
                f"{self.title}, {contract}: it raises {raised(error, given)}. Right: {right}."
            ) from error

    def tensor(self, contract: str, name: str, value: object, shape: tuple[int, ...]) -> None:
        """Fail unless `value` is a finite tensor of 32-bit floats of that shape."""
        if not isinstance(value, Tensor):
            self.fail(contract, f"{name} is {type(value).__name__}", f"a tensor {shape}")
        self.require(
            tuple(value.shape) == shape, contract, f"{name} is {tuple(value.shape)}", f"{shape}"
        )
        right = "torch.float32, as the inputs are"
        self.require(value.dtype == torch.float32, contract, f"{name} is {value.dtype}", right)
        self.finite(contract, name, value)

    def finite(self, contract: str, name: str, value: Tensor) -> None:
        """Fail where `value` holds NaN or infinity."""
        wrong = ~torch.isfinite(value)
        if wrong.any():
            place = tuple(int(i) for i in wrong.nonzero()[0])
            found = f"{name} holds {value[place].item()} at {list(place)}"
            self.fail(contract, found, "finite numbers everywhere, the padding too")

    def alike(
        self, contract: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor], right: str
    ) -> None:
        """Fail unless the tensors are the same but for rounding."""
        for name, value in found.items():
            value, other = value.detach(), expected[name].detach()
            if value.shape != other.shape:
                shapes = f"{name} is {tuple(value.shape)}, otherwise {tuple(other.shape)}"
                self.fail(contract, shapes, right)
            gap = (value.double() - other.double()).abs()
            size = float(other.double().abs().max()) if other.numel() else 0.0
            worst = float(gap.nan_to_num(math.inf).max()) if gap.numel() else 0.0
            if worst > ATOL + RTOL * size:
                row = ""
                if gap.dim() > 1:
                    row = f" (row {int(gap.nan_to_num(math.inf).flatten(1).amax(dim=1).argmax())})"
                self.fail(contract, f"{name} differs by up to {worst:.3g}{row}", right)
