"""What a decoder's probabilities are of: all tag paths, or those that BIO allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mmseq.testing.contract import ATOL, RTOL, Judge
from mmseq.testing.world import LABELS

ALL, ALLOWED = "all paths", "the paths that BIO allows"


@dataclass(frozen=True)
class Case:
    """One sentence whose tag paths are enumerated."""

    emissions: Tensor
    """(1, W, L)"""
    paths: Tensor
    """(P, W)"""
    likelihood: Tensor
    """(P,): exp(-loss) of each, in 64 bits"""
    allowed: Tensor
    """(P,) bool: BIO allows it"""

    @property
    def shares(self) -> dict[str, Tensor]:
        """The probability of each path among all, and among those that BIO allows."""
        bound = self.likelihood * self.allowed
        return {ALL: self.likelihood, ALLOWED: bound / bound.sum()}


def enumerated(decoder: Any, emissions: Tensor) -> Case:
    """All paths of one sentence (1, W, L), by the decoder's loss."""
    words = emissions.shape[1]
    paths = torch.tensor(list(product(range(len(LABELS)), repeat=words)), dtype=torch.long)
    mask = torch.ones(1, words, dtype=torch.bool)
    losses = torch.stack([decoder.loss(emissions, path[None], mask) for path in paths])
    allowed = torch.tensor([_allowed(path) for path in paths.tolist()])
    return Case(emissions, paths, (-losses.double()).exp(), allowed)


class Normaliser:
    """Notes of each method what its probabilities can be of, and fails where that is nothing."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._of: dict[str, set[str]] = {}

    def hold(
        self,
        method: str,
        contract: str,
        found: Tensor,
        right: Mapping[str, Tensor],
        told: str = "summed over",
    ) -> None:
        """`found` is one of what would be `right`, by what it is of; the same at every call.
        `told`: how that is got from it.
        """
        gaps = {name: _excess(found, value) for name, value in right.items()}
        fitting = {name for name, excess in gaps.items() if excess <= 0}
        if not fitting:
            nearest = min(gaps, key=lambda name: gaps[name])
            ways = [f"{_rounded(value)}, {told} {name}" for name, value in right.items()]
            self.judge.alike(contract, {"it": found}, {"it": right[nearest]}, ", or ".join(ways))
        before = self._of.setdefault(method, {ALL, ALLOWED})
        self._of[method] = before & fitting
        if not self._of[method]:
            self._fail(method, f"of {_either(before)}, and in another sentence {_either(fitting)}")

    def agree(self) -> None:
        """All methods are of the same."""
        if not set.intersection(*self._of.values()):
            told = [f"{method} of {_either(of)}" for method, of in self._of.items()]
            self._fail(", ".join(self._of), ", ".join(told))

    def _fail(self, methods: str, found: str) -> None:
        right = (
            f"probabilities among {ALL}, or among {ALLOWED} (p(tags) / p(all that are allowed)), "
            "the same for scores, span_scores and k_best"
        )
        self.judge.fail(f"{methods} (one whole)", found, right)


def _excess(found: Tensor, right: Tensor) -> float:
    """By how much it is further off than rounding."""
    gap = (found.double() - right).abs()
    return float(gap.max()) - ATOL - RTOL * float(right.abs().max()) if gap.numel() else 0.0


def _rounded(value: Tensor) -> str:
    return str([round(p, 4) for p in value.tolist()])


def _either(of: set[str]) -> str:
    return " or ".join(sorted(of))


def _allowed(path: list[int]) -> bool:
    """BIO: I-X follows B-X or I-X."""
    names = ["O", *(LABELS[tag] for tag in path)]
    return all(
        not after.startswith("I-") or before[2:] == after[2:]
        for before, after in zip(names, names[1:], strict=False)
    )
