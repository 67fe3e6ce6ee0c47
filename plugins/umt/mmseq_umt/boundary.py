"""Where entities begin and end, without their types: the task that UMT calls span detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmseq import (
    AuxOutput,
    AuxTask,
    Count,
    CrfDecoder,
    Dropout,
    Share,
    Sizes,
    Targets,
    check_heads,
)
from mmseq_umt.transformer import Transformer, initialise

BOUNDARIES = ("O", "B", "I")
NAMED = ("O", "B-entity", "I-entity")
"""The same as tags, by which the CRF knows what BIO allows"""


class BoundaryTask(AuxTask):
    """Entity boundary detection: a CRF over O, B, I on the words, from text alone.

    H = Transformer(X), emissions H W + b (B, W, 3), tags those of the main task with the type
    removed. The loss is the CRF's negative log-likelihood, summed over sentences; their number is
    the count. A word whose tag is open may be any of the three (`CrfDecoder.partial_loss`).

    With `refine`, the main emissions become (1 - refine_share) * main + refine_share * boundary
    W^c, at training and at prediction. W^c (3, L) is fixed: O goes to O, B and I are spread evenly
    over the types.

    `heads` must divide the text width (`UserError` otherwise).

    Source: Li et al. 2022, Eq. 9-10 (weight 0.4, no refinement); Yu et al. 2020 refine, with
    weight 0.5.
    """

    views: ClassVar[tuple[str, ...]] = ("words",)
    weight: ClassVar[float] = 0.4
    partial: ClassVar[bool] = True
    boundary_ids: Tensor
    conversion: Tensor

    def __init__(
        self,
        sizes: Sizes,
        *,
        heads: Count = 12,
        layers: Count = 1,
        dropout: Dropout = 0.1,
        expansion: Count = 4,
        refine: bool = False,
        refine_share: Share = 0.5,
    ) -> None:
        super().__init__()
        check_heads("aux task 'boundary'", heads, sizes.text)
        self.refines = refine
        self.refine_share = refine_share
        self.text = Transformer(sizes.text, heads, layers, dropout, expansion)
        self.emissions = nn.Linear(sizes.text, len(BOUNDARIES))
        self.apply(initialise)
        self.crf = CrfDecoder(replace(sizes, labels=NAMED))
        ids = [BOUNDARIES.index(label.partition("-")[0]) for label in sizes.labels]
        self.register_buffer("boundary_ids", torch.tensor(ids), persistent=False)
        self.register_buffer("conversion", conversion_matrix(sizes.labels), persistent=False)

    def count(self, targets: Targets) -> int:
        return self.crf.count(targets)

    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        boundaries = self.emissions(self.text(views["words"], targets.mask))
        refined = None
        if self.refines:
            share = self.refine_share
            refined = (1 - share) * emissions + share * (boundaries @ self.conversion)
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()), refined)
        tags = self.boundary_ids[targets.tags]
        if targets.known is None:
            return AuxOutput(self.crf.loss(boundaries, tags, targets.mask), refined)
        own = tags[..., None] == torch.arange(len(BOUNDARIES), device=tags.device)
        allowed = own | ~targets.known[..., None]
        return AuxOutput(self.crf.partial_loss(boundaries, allowed, targets.mask), refined)


def conversion_matrix(labels: Sequence[str]) -> Tensor:
    """W^c (3, L): each of O, B, I spread evenly over the tags that begin with it."""
    members = torch.tensor(
        [[label.partition("-")[0] == boundary for label in labels] for boundary in BOUNDARIES]
    ).float()
    return members / members.sum(dim=1, keepdim=True).clamp(min=1)
