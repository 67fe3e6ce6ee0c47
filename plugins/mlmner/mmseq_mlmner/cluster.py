"""Entity words are drawn to the centre of their type and away from the other types' centres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from mmseq import AuxOutput, AuxTask, Count, NonNegative, Share, Sizes, Targets, all_sum
from mmseq_mlmner.distances import cosine_loss, margin_loss


class ClusterTask(AuxTask):
    """MLMNER's entity clustering task: words near their type's centre, beyond the others'.

    After `preparation` epochs of the main task, the centre C_K of type K is the mean of the fused
    vectors F (2D in MLMNER) of all training words of that type, B- and I- alike. For a word of
    type K, averaged over the other types K'::

        separation = "cosine"   loss = |F - C_K| - cos(F - C_K, F - C_K')
        separation = "margin"   loss = |F - C_K| + max(0, margin - |F - C_K'|)

    The loss is summed over the entity words whose type has a centre, and the count is their
    number; a type that training never shows has none. With one type alone, |F - C_K| remains. Words
    whose tags are open are neither in the loss nor in a centre.
    A word exactly on its centre has cosine 0 and finite gradients.

    `centers` start there and are trained ("learned"), follow each batch's means C <- momentum C +
    (1 - momentum) mean ("ema"), or are fixed ("pretrained", as in the paper).

    The centres are measured after `preparation` epochs.

    Source: Li et al. 2022, Eq. 6-8. Eq. 8 prints -(d_intra + d_cos), which would push words away
    from their own centre: d_intra is added here. Its d_cos, "the cosine of d_intra and d_inter",
    two scalars, is read as that of the difference vectors: -1 between the two centres, +1 beyond
    the own one.
    """

    views: ClassVar[tuple[str, ...]] = ("fused",)
    weight: ClassVar[float] = 0.01
    partial: ClassVar[bool] = True
    centers: Tensor
    seen: Tensor
    type_ids: Tensor

    def __init__(
        self,
        sizes: Sizes,
        *,
        preparation: Count = 1,
        centers: Literal["pretrained", "ema", "learned"] = "learned",
        momentum: Share = 0.99,
        separation: Literal["cosine", "margin"] = "cosine",
        margin: NonNegative = 10.0,
    ) -> None:
        super().__init__()
        self.preparation = preparation
        self.kind = centers
        self.momentum = momentum
        self.separation = separation
        self.margin = margin
        named = [label.partition("-")[2] for label in sizes.labels]
        self.types = tuple(dict.fromkeys(name for name in named if name))
        ids = [self.types.index(name) if name else -1 for name in named]
        start = torch.zeros(len(self.types), sizes.views["fused"])
        if centers == "learned":
            self.centers = nn.Parameter(start)
        else:
            self.register_buffer("centers", start)
        self.register_buffer("seen", torch.zeros(len(self.types), dtype=torch.long))
        self.register_buffer("type_ids", torch.tensor(ids), persistent=False)

    @property
    def valid(self) -> Tensor:
        """(K,) bool: the types that have a centre."""
        return self.seen > 0

    def named_centers(self) -> dict[str, Tensor]:
        """Centre (F,) of each type that has one, on the CPU."""
        centers = self.centers.detach().cpu()
        return {name: centers[i] for i, name in enumerate(self.types) if self.seen[i]}

    def count(self, targets: Targets) -> int:
        return int(self._words(targets)[0].sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()))
        words, types = self._words(targets)
        vectors, types = views["fused"][words], types[words]
        if self.kind == "ema" and self.training:
            self._follow(vectors.detach(), types)
        if self.separation == "margin":
            return AuxOutput(margin_loss(vectors, types, self.centers, self.valid, self.margin))
        return AuxOutput(cosine_loss(vectors, types, self.centers, self.valid))

    @torch.no_grad()
    def observe(self, views: Mapping[str, Tensor], targets: Targets) -> None:
        """Move `centers` to the mean of all words of this process so far."""
        types = self.type_ids[targets.tags]
        words = targets.tagged & (types >= 0)
        total, number = self._totals(views["fused"][words], types[words])
        self.seen.add_(number)
        # A running mean keeps its precision where a sum over a large corpus would lose it.
        change = (total - number[:, None] * self.centers) / self.seen.clamp(min=1)[:, None]
        self.centers.add_(change)

    @torch.no_grad()
    def finish(self) -> None:
        """Centres over all processes: their means, weighted by the words each has seen."""
        total = all_sum(self.centers * self.seen[:, None])
        self.seen.copy_(all_sum(self.seen))
        self.centers.copy_(total / self.seen.clamp(min=1)[:, None])

    @torch.no_grad()
    def _follow(self, vectors: Tensor, types: Tensor) -> None:
        total, number = (all_sum(part) for part in self._totals(vectors, types))
        present = (number > 0)[:, None]
        mean = total / number.clamp(min=1)[:, None]
        followed = self.centers.lerp(mean, 1 - self.momentum)
        self.centers.copy_(torch.where(present, followed, self.centers))

    def _totals(self, vectors: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Sum (K, F) and number (K,) of the vectors (N, F) of each type."""
        total = torch.zeros_like(self.centers).index_add_(0, types, vectors.to(self.centers.dtype))
        return total, torch.bincount(types, minlength=len(self.types))

    def _words(self, targets: Targets) -> tuple[Tensor, Tensor]:
        """(B, W) bool: entity words whose type has a centre; (B, W) long: the types, -1 for O."""
        if targets.tags is None:
            return torch.zeros_like(targets.mask), torch.zeros_like(targets.mask, dtype=torch.long)
        types = self.type_ids[targets.tags]
        known = torch.cat([self.valid, self.valid.new_zeros(1)])  # the last one answers to -1
        return targets.tagged & known[types], types
