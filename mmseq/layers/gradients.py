"""Gradients of several losses on the states they share: how large, and which way they point."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mmseq.errors import UserError
from mmseq.processes import all_sum


def shared_gradients(losses: Mapping[str, Tensor], shared: Tensor, asker: str) -> dict[str, Tensor]:
    """The gradient of each scalar loss on `shared` (B, W, D); zero where a loss does not reach it.

    The graph stays whole and nothing is drawn or accumulated: the backward pass that follows gives
    what it would have given. A loss over the vectors of several processes meets the others in
    here, so each process must ask for the same losses in the same order. `UserError` naming
    `asker` where the text encoder does not train.
    """
    if not shared.requires_grad:
        raise UserError(
            f"{asker} needs the losses' gradients on the text encoder's states, but nothing of the "
            f"text encoder trains; let it train (text_encoder.freeze = 0), or do without {asker}."
        )
    found = {}
    # A backward pass of its own is not to be cast a second time.
    with torch.autocast(shared.device.type, enabled=False):
        for name, loss in losses.items():
            gradient = None
            if loss.requires_grad:
                (gradient,) = torch.autograd.grad(
                    loss, shared, retain_graph=True, allow_unused=True
                )
            found[name] = torch.zeros_like(shared) if gradient is None else gradient
    return {name: gradient.float() for name, gradient in found.items()}


class Cosines:
    """Cosine of each auxiliary task's gradient with the main task's, over a whole step."""

    def __init__(self, asker: str) -> None:
        self.asker = asker
        self.sums: dict[str, Tensor] = {}
        """(2,): dot product with the main task's gradient, and squared norm"""

    def add(self, losses: Mapping[str, Tensor], shared: Tensor) -> None:
        """Take up a micro-batch: `losses` summed over the items, ``main`` among them."""
        gradients = shared_gradients(losses, shared, self.asker)
        main = gradients["main"]
        for name, gradient in gradients.items():
            products = torch.stack([(gradient * main).sum(), (gradient * gradient).sum()])
            self.sums[name] = self.sums.get(name, 0.0) + products

    def values(self) -> dict[str, float]:
        """Over all micro-batches and processes; tasks with a zero gradient are left out."""
        totals = all_sum(torch.stack(list(self.sums.values()))).tolist()
        table = dict(zip(self.sums, totals, strict=True))
        _, main = table.pop("main")
        return {
            name: max(-1.0, min(1.0, dot / math.sqrt(main * square)))
            for name, (dot, square) in table.items()
            if 0 < main * square < math.inf
        }
