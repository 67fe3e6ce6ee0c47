"""The auxiliary task: is a word part of an entity?"""

from __future__ import annotations

from collections.abc import Mapping

import mmseq
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


class ExampleTask(mmseq.AuxTask):
    """Tells of every word whether it belongs to an entity.

    With h the fused word (F wide) and y = 0 where its tag is O, else 1::

        p = sigmoid(w . h + b)
        loss = - sum over words of a y log p + (1 - y) log(1 - p)

    The number of words is the count; those whose tags are open are left out. `entity_weight` is a:
    above 1, missing an entity's word costs more than finding one too many.
    """

    weight = 0.5
    partial = True  # it looks at `targets.tagged`

    def __init__(self, sizes: mmseq.Sizes, *, entity_weight: mmseq.Positive = 1.0) -> None:
        super().__init__()
        self.entity_weight = entity_weight
        self.score = nn.Linear(sizes.views["fused"], 1)

    def count(self, targets: mmseq.Targets) -> int:
        return int(targets.tagged.sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: mmseq.Targets, emissions: Tensor
    ) -> mmseq.AuxOutput:
        assert targets.tags is not None  # it does not refine, so is called in training alone
        words = targets.tagged
        scores = self.score(views["fused"][words])[:, 0]
        inside = targets.tags[words] != 0  # O is label 0
        losses = binary_cross_entropy_with_logits(scores, inside.to(scores), reduction="none")
        return mmseq.AuxOutput(torch.where(inside, self.entity_weight * losses, losses).sum())
