"""The auxiliary task: which words does the caption of the picture have?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import mmseq


def words_of(caption: str) -> set[str]:
    """The words of a caption, in small letters."""
    return set(caption.lower().split())


class CaptionTask(mmseq.AuxTask):
    """Which words the caption of the picture has, told by the mean of the sentence's words.

    With h the mean of the fused words, and for each word w of the vocabulary y_w = 1 where the
    field `caption` of the data has it, else 0::

        p_w = sigmoid(V_w . h + b_w)
        loss = - sum over captions and w of y_w log p_w + (1 - y_w) log(1 - p_w)

    The vocabulary is the `words` most frequent ones of the training captions. An empty caption is
    none. Captions, made by a person or a model, are needed for training alone.
    """

    extras = {"caption": mmseq.Text(training_only=True)}
    weight = 0.01

    @classmethod
    def fit(cls, examples: Sequence[mmseq.Example], *, words: int) -> list[str]:
        """The vocabulary, the most frequent first."""
        found = Counter(word for e in examples for word in sorted(words_of(e.extras["caption"])))
        return [word for word, _ in found.most_common(words)]

    def __init__(
        self, sizes: mmseq.Sizes, *, words: mmseq.Count = 500, fitted: Sequence[str] = ()
    ) -> None:
        super().__init__()
        if not fitted:
            raise mmseq.UserError("aux task 'caption': every training caption is empty; add some.")
        self.places = {word: place for place, word in enumerate(fitted)}
        self.score = nn.Linear(sizes.views["fused"], len(fitted))

    def count(self, targets: mmseq.Targets) -> int:
        return sum(map(bool, targets.texts["caption"]))

    def forward(
        self, views: Mapping[str, Tensor], targets: mmseq.Targets, emissions: Tensor
    ) -> mmseq.AuxOutput:
        captions = targets.texts["caption"]
        told = [row for row, caption in enumerate(captions) if caption]
        mask = targets.mask[told]
        words = views["fused"][told].masked_fill(~mask[..., None], 0.0)
        scores = self.score(words.sum(dim=1) / mask.sum(dim=1, keepdim=True))
        right = torch.zeros_like(scores)
        for place, row in enumerate(told):
            known = [self.places[w] for w in words_of(captions[row]) if w in self.places]
            right[place, known] = 1.0
        return mmseq.AuxOutput(binary_cross_entropy_with_logits(scores, right, reduction="sum"))
