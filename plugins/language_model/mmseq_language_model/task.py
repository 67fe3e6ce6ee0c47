"""Each word's neighbours are predicted from states that have not seen them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mmseq import AuxOutput, AuxTask, Count, Example, Sizes, Targets

UNKNOWN, END = 0, 1
"""Ids before those of the words: any other word, and what lies beyond the sentence"""

_ADVICE = (
    "A state that has seen the whole sentence would only have to copy the word it is to predict: "
    "take --text-encoder bilstm with --set text_encoder.layers=1."
)


class LanguageModelTask(AuxTask):
    """Language model: predict the next word from the forward, the previous from the backward state.

    With f_t and g_t the views ``forward`` and ``backward`` at word t of a sentence w_1 … w_n::

        m_t = tanh(W_f f_t + b)      p(w_t+1 | w_1 … w_t) = softmax(Q_f m_t + c)
        k_t = tanh(W_g g_t + d)      p(w_t-1 | w_t … w_n) = softmax(Q_g k_t + e)
        loss = - sum_{t=1..n} log p(w_t+1 | w_1 … w_t) - sum_{t=1..n} log p(w_t-1 | w_t … w_n)

    w_n+1 and w_0 are the symbol END. The classes are UNKNOWN, END and the `vocabulary` most
    frequent lower-cased words of the training text (ties in the order of the alphabet); any other
    word counts as UNKNOWN. `hidden` is the width of m and k. Padding has no logits.

    The loss is summed over words and both directions; the count is the number of sentences. So
    with decoder ``crf``, whose loss is a sentence's too, the total is Rei's E + gamma (E_f + E_g)
    divided by the number of sentences, gamma being the task's weight, 0.1. Decoder ``softmax``
    counts words: there that gamma is a weight of 0.1 divided by the mean length of a sentence.

    Source: Rei 2017; gamma, `hidden` and the size of the vocabulary are his. His code
    predicts neither end and counts UNKNOWN among the 7500; here both ends are predicted,
    so that every word has two targets and a sentence of one word has a loss.
    """

    views: ClassVar[tuple[str, ...]] = ("forward", "backward")
    lacking: ClassVar[Mapping[str, str]] = {"forward": _ADVICE, "backward": _ADVICE}
    weight: ClassVar[float] = 0.1
    partial: ClassVar[bool] = True  # it reads no tag

    def __init__(
        self,
        sizes: Sizes,
        *,
        vocabulary: Count = 7500,
        hidden: Count = 50,
        fitted: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.ids = {word: END + 1 + rank for rank, word in enumerate(fitted["words"])}
        classes = END + 1 + len(self.ids)
        self.next = _predictor(sizes.views["forward"], hidden, classes)
        self.previous = _predictor(sizes.views["backward"], hidden, classes)

    @classmethod
    def fit(
        cls, examples: Iterable[Example], *, vocabulary: int = 7500, hidden: int = 50
    ) -> dict[str, list[str]]:
        """The words to predict, most frequent first."""
        seen = Counter(token.lower() for example in examples for token in example.tokens)
        ranked = sorted(seen, key=lambda word: (-seen[word], word))
        return {"words": ranked[:vocabulary]}

    def count(self, targets: Targets) -> int:
        return int(targets.mask.any(dim=1).sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()))
        sentences = [[self._id(token) for token in tokens] for tokens in targets.tokens]
        following = [word for ids in sentences for word in (*ids[1:], END)]
        preceding = [word for ids in sentences for word in (END, *ids[:-1])]
        ahead = self.next(views["forward"][targets.mask])
        back = self.previous(views["backward"][targets.mask])
        return AuxOutput(_surprise(ahead, following) + _surprise(back, preceding))

    def _id(self, token: str) -> int:
        return self.ids.get(token.lower(), UNKNOWN)


def _predictor(width: int, hidden: int, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, classes))


def _surprise(logits: Tensor, words: Sequence[int]) -> Tensor:
    """Sum of -log p of the words (N,) under softmax(logits (N, classes))."""
    ids = torch.tensor(words, device=logits.device)
    return cross_entropy(logits, ids, reduction="sum")
