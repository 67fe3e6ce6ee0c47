"""The contract of a weighting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.states import Sizes
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import gradients
from mmseq.testing.invariance import check_repeats
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.world import LABELS

WEIGHTS = {"main": 1.0, "first": 0.5, "second": 0.1}
"""The config's"""
PRESENT = (
    ("main", "first", "second"),
    ("main",),
    ("main", "second"),
    ("main", "first"),
    ("main", "first", "second"),
)
"""Losses of steps that follow each other, the others absent"""
MEANS = {"main": 2.0, "first": 0.7, "second": 4.0}


def check_weighting(component: type[Weighting] | str, **options: Any) -> None:
    """Check a weighting, a class or a registered name, with `options` of its constructor.

    Three losses over states that they share, some absent in some steps. Raises
    `mmseq.testing.ContractError` for a broken contract, `mmseq.UserError` for a wrong name or
    option.
    """
    subject = Subject("weighting", component, options)
    _Check(subject).run()


class _Check:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.learned = subject.fit()
        self.weighting: Any = self.build()
        self.loud: set[str] = set()

    def build(self, seed: int = 17) -> Any:
        sizes = Sizes(LABELS, losses=WEIGHTS)
        return self.subject.build(sizes, fitted=self.learned, seed=seed)

    def run(self) -> None:
        subject, weighting = self.subject, self.weighting
        rate = weighting.learning_rate
        good = rate is None or (isinstance(rate, int | float) and rate >= 0)
        subject.require(good, "learning_rate", f"it is {rate!r}", "None, or a number of at least 0")
        weighting.train()
        for step, names in enumerate(PRESENT):
            self.step(names, step / (len(PRESENT) - 1))
            with subject.running("end_epoch"):
                weighting.end_epoch({name: MEANS[name] for name in names})
        silent = sorted(WEIGHTS.keys() - self.loud)
        right = "each loss has a share in the total at some time in the training"
        subject.require(not silent, "gradients", f"none for {', '.join(silent)}", right)
        weighting.eval()
        check_repeats(subject, weighting, self.outputs)
        check_state(subject, weighting, lambda: self.build(seed=18), self.outputs)
        check_device(subject, weighting, self.outputs)

    def losses(self, names: Sequence[str]) -> tuple[dict[str, Tensor], Tensor]:
        """Means as in a step: two that reach the states, and one of weights of its own."""
        draw = torch.Generator().manual_seed(6)
        states = torch.randn(2, 3, 8, generator=draw, requires_grad=True)
        own = torch.tensor(1.5, requires_grad=True)
        shared = states * 1.0
        every = {
            "main": shared.square().mean(),
            "first": (shared - 1).abs().mean(),
            "second": own.square(),
        }
        return {name: every[name] for name in names}, shared

    def outputs(self, weighting: Any = None) -> Outputs:
        losses, shared = self.losses(PRESENT[0])
        weighted: Weighted = (weighting or self.weighting)(losses, shared, 0.5)
        values = torch.tensor([weighted.weights[name] for name in losses])
        given = {"total": weighted.total.detach()[None], "weights": values[None]}
        return Outputs(torch.ones(1, 1, dtype=torch.bool), {}, given)

    def step(self, names: Sequence[str], progress: float) -> None:
        """One step as the engine takes it, with an optimiser on the weighting's parameters."""
        subject, weighting = self.subject, self.weighting
        where = f"losses {', '.join(names)}, progress {progress:g}"
        losses, shared = self.losses(names)
        before = {name: loss.item() for name, loss in losses.items()}
        with subject.running(f"forward of {where}", "absent losses are not among the losses"):
            weighted = weighting(losses, shared, progress)
        given = isinstance(weighted, Weighted)
        subject.require(given, "forward", f"it gives {type(weighted).__name__}", "mmseq.Weighted")
        subject.tensor(f"total (a scalar) of {where}", "it", weighted.total, ())
        same = {name: loss.item() for name, loss in losses.items()} == before
        subject.require(same, "losses (changed in place)", "they differ", "they are only read")
        self.weights(names, weighted.weights)
        found = gradients(subject, weighted.total, losses, f" ({where})")
        for name, gradient in found.items():
            told = weighted.weights[name]
            if abs(gradient.item() - told) > 1e-4 * max(1.0, abs(told)):
                subject.fail(
                    f"weights of {where}",
                    f"'{name}' has {told:.4g}, but the total grows {gradient.item():.4g} times it",
                    "weights are those that the losses have in the total (no detached loss)",
                )
            self.loud |= {name} if gradient.item() else set()
        own = [p for p in weighting.parameters() if p.requires_grad]
        if own:
            # The graph of the losses has been used; the engine's backward is a single one.
            losses, shared = self.losses(names)
            weighting(losses, shared, progress).total.backward()
            for name, parameter in weighting.named_parameters():
                if parameter.grad is not None:
                    subject.finite("gradients", f"the gradient of {name}", parameter.grad)
            torch.optim.SGD(own, lr=0.01).step()
            weighting.zero_grad(set_to_none=True)

    def weights(self, names: Sequence[str], weights: Mapping[str, float]) -> None:
        contract, right = "weights", f"a finite float for each of {', '.join(names)}"
        named = sorted(weights) == sorted(names)
        self.subject.require(named, contract, f"they are for {', '.join(weights)}", right)
        for name, value in weights.items():
            good = isinstance(value, float) and math.isfinite(value)
            self.subject.require(good, contract, f"'{name}' has {value!r}", right)
            least = "at least 0: the total grows with every loss"
            self.subject.require(value >= 0, contract, f"'{name}' has {value:.4g}", least)
