"""One optimiser step: all micro-batches, all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim import Optimizer

from mmseq.contracts.callback import StepEvent
from mmseq.layers.gradients import Cosines
from mmseq.model.batch import Batch
from mmseq.model.model import Model
from mmseq.processes import all_sum, process_count, sum_gradients
from mmseq.training.progress import Progress


@dataclass(frozen=True)
class Step:
    """What a step was, over all micro-batches and processes."""

    losses: Mapping[str, float]
    """Sum of each loss over its items; absent ones left out"""
    counts: Mapping[str, int]
    """Number of items of each loss, and of ``sentences``"""
    weights: Mapping[str, float]
    gradient_norm: float
    cosines: Mapping[str, float]
    """Empty unless asked for"""

    def event(self, progress: Progress, rates: Mapping[str, float]) -> StepEvent:
        """The event for callbacks: means in place of sums, and how far the run is."""
        return StepEvent(
            step=progress.step,
            epoch=progress.epoch + 1,
            losses={name: value / self.counts[name] for name, value in self.losses.items()},
            weights=self.weights,
            learning_rates=rates,
            gradient_norm=self.gradient_norm,
            cosines=self.cosines,
        )


class Stepper:
    """Takes steps: losses, their weighting, backward, gradients over processes, the optimiser."""

    def __init__(
        self,
        model: Model,
        optimiser: Optimizer,
        accelerator: Accelerator,
        clip: float,
        adversarial: float = 0.0,
    ) -> None:
        self.model = model
        self.accelerator = accelerator
        self.optimiser = accelerator.prepare(optimiser)
        self.clip = clip
        """Largest gradient norm; 0: no limit"""
        self.adversarial = adversarial
        """`train.adversarial`; 0: no second pass"""

    def step(
        self,
        batches: Sequence[Batch],
        tasks: Sequence[str],
        progress: float,
        cosines: Cosines | None = None,
    ) -> Step:
        """Train on this process's micro-batches with the named auxiliary tasks."""
        counts = self.counts(batches, tasks)
        # Tasks with items anywhere in this step, and those that refine, as in prediction.
        wanted = [name for name in tasks if counts[name] or self.model.task(name).refines]
        sums: dict[str, Tensor] = {}
        for batch in batches:
            with self.accelerator.autocast():
                output = self.model(batch, wanted)
                # Each micro-batch stands for the whole: scaled up here and down again below, so
                # that what a weighting adds to the losses is added once a step.
                scale = len(batches) * process_count()
                means = {
                    name: loss * (scale / counts[name])
                    for name, loss in output.losses.items()
                    if counts[name]
                }
                weighted = self.model.weigh(means, output.shared, progress)
            if cosines:
                cosines.add({name: output.losses[name] for name in means}, output.shared)
            self.accelerator.backward(weighted.total / scale)
            for name in means:
                sums[name] = output.losses[name].detach() + sums.get(name, 0.0)
        if self.adversarial and counts["main"]:
            each = weighted.weights["main"] / counts["main"]
            self._learn_where_it_is_worse(batches, tasks, each)
        if process_count() > 1:
            sum_gradients(self.model)
            sums = {name: all_sum(value) for name, value in sums.items()}
        found = cosines.values() if cosines else {}
        norm = self._clip()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        losses = {name: value.item() for name, value in sums.items()}
        return Step(losses, counts, weighted.weights, norm, found)

    def _learn_where_it_is_worse(
        self, batches: Sequence[Batch], tasks: Sequence[str], each: float
    ) -> None:
        """Adds the main loss's gradient at embeddings E + r to the gradients of the step.

        With g the step's gradient on E and e its size `train.adversarial`, r = e g / |g|: the
        fast gradient method of Miyato, Dai and Goodfellow 2017, on the matrix, so that a word is
        moved the same way wherever it stands in the batch, where they move every sentence on its
        own. `each` is what one item of the loss counts in the step.
        """
        matrix = self.model.text_encoder.embeddings()
        assert matrix is not None  # `require_trainable` has asked
        own = torch.zeros_like(matrix) if matrix.grad is None else matrix.grad
        rise = all_sum(own)
        norm = rise.norm()
        if not norm > 0:
            return
        before = matrix.detach().clone()
        with torch.no_grad():
            matrix.add_(rise * (self.adversarial / norm))
        refining = [name for name in tasks if self.model.task(name).refines]
        for batch in batches:
            with self.accelerator.autocast():
                loss = self.model(batch, refining).losses["main"]
            self.accelerator.backward(loss * each)
        with torch.no_grad():
            # Not subtracted: that would not give the same numbers.
            matrix.copy_(before)

    def counts(self, batches: Sequence[Batch], tasks: Sequence[str]) -> dict[str, int]:
        """Items of each loss over all micro-batches and processes, and sentences."""
        totals = dict.fromkeys(["main", *tasks, "sentences"], 0)
        for batch in batches:
            found = self.model.counts(batch, tasks)
            for name, count in {**found, "sentences": len(batch.text.mask)}.items():
                totals[name] += count
        if process_count() > 1:
            device = self.accelerator.device
            summed = all_sum(torch.tensor(list(totals.values()), device=device))
            totals = dict(zip(totals, summed.tolist(), strict=True))
        return totals

    def _clip(self) -> float:
        limit = self.clip or float("inf")
        # What a weighting learns its weights from is not a gradient of the network.
        own = {id(p) for p in self.model.weighting.parameters()}
        parameters = [p for p in self.model.parameters() if p.grad is not None and id(p) not in own]
        norm: Tensor = self.accelerator.clip_grad_norm_(parameters, limit)
        return norm.item()
