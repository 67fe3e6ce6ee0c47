"""The auxiliary task: does the picture add to what the text says?"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import mmseq


class RelationTask(mmseq.AuxTask):
    """Whether the picture adds to what the text says (Vempala & Preotiuc-Pietro 2019).

    With z the fusion's view `pair` and y the field `relation` of the data, 1 where it does::

        p = sigmoid(w . z + b)
        loss = - sum over sentences of y log p + (1 - y) log(1 - p)

    Sentences without a picture, and those whose `relation` is -1, are not counted.
    """

    views = ("pair",)
    extras = {"relation": mmseq.PerSentence(1, -1, 1, training_only=True)}
    weight = 0.2

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.score = nn.Linear(sizes.sentence_views["pair"], 1)

    def count(self, targets: mmseq.Targets) -> int:
        return int(self._told(targets).sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: mmseq.Targets, emissions: Tensor
    ) -> mmseq.AuxOutput:
        told = self._told(targets)
        right = targets.extras["relation"][told]
        scores = self.score(views["pair"][told])
        return mmseq.AuxOutput(
            binary_cross_entropy_with_logits(scores, right.to(scores), reduction="sum")
        )

    def _told(self, targets: mmseq.Targets) -> Tensor:
        """(B,) bool: what the sentence's relation is stands in the data."""
        return targets.has_image & (targets.extras["relation"][:, 0] >= 0)
