"""The auxiliary task: is the sentence negative, neutral or positive?"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import mmseq


class SentimentTask(mmseq.AuxTask):
    """The sentiment of each sentence, told by the mean of its words.

    With h the mean of the fused words and y the field `sentiment` of the data, 0 (negative), 1
    (neutral) or 2 (positive)::

        loss = - sum over sentences of log softmax(W h + b)_y

    A sentence whose `sentiment` is -1 has none, and is not counted.
    """

    extras = {"sentiment": mmseq.PerSentence(1, -1, 2, training_only=True)}
    weight = 0.2

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.score = nn.Linear(sizes.views["fused"], 3)

    def count(self, targets: mmseq.Targets) -> int:
        return int((targets.extras["sentiment"] >= 0).sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: mmseq.Targets, emissions: Tensor
    ) -> mmseq.AuxOutput:
        words = views["fused"].masked_fill(~targets.mask[..., None], 0.0)
        mean = words.sum(dim=1) / targets.mask.sum(dim=1, keepdim=True)
        # -1 is what cross_entropy leaves out.
        right = targets.extras["sentiment"][:, 0].long()
        return mmseq.AuxOutput(
            cross_entropy(self.score(mean), right, ignore_index=-1, reduction="sum")
        )
