"""The text encoder: hashed words, with a share of their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from zlib import crc32

import mmseq
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad
from torch.nn.utils.rnn import pad_sequence


class ExampleTextEncoder(mmseq.TextEncoder):
    """Looks up hashed words in a matrix and adds half the mean of their neighbours.

    A word has row crc32(word) mod `rows` of the matrix E, so there is no vocabulary to learn, and
    two words may share a row. With e_i the row of word i, and n_i the mean of those of the word
    before and the word after it (of the one there is, 0 if there is none)::

        x_i = e_i + n_i / 2                                             (B, W, `width`)
    """

    epochs: ClassVar[int] = 30

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        width: mmseq.Count = 100,
        rows: mmseq.Count = 20_000,
        learning_rate: mmseq.NonNegative = 3e-2,
    ) -> None:
        super().__init__()
        self.width = width
        self.learning_rate = learning_rate
        self.matrix = nn.Parameter(torch.randn(rows, width))

    def embeddings(self) -> nn.Parameter:
        return self.matrix

    def encode(self, tokens: Sequence[str]) -> Tensor:
        return torch.tensor([crc32(t.encode()) % len(self.matrix) for t in tokens])

    def collate(self, encoded: Sequence[Tensor]) -> Mapping[str, Tensor]:
        return {"rows": pad_sequence(list(encoded), batch_first=True)}

    def forward(
        self, inputs: mmseq.TextInputs, images: mmseq.ImageStates | None
    ) -> mmseq.TextStates:
        real = inputs.mask[..., None].to(self.matrix)
        words = embedding(inputs.tensors["rows"], self.matrix) * real
        number = (_before(real) + _after(real)).clamp(min=1)
        neighbours = (_before(words) + _after(words)) / number
        return mmseq.TextStates(words + neighbours / 2, inputs.mask)


def _before(words: Tensor) -> Tensor:
    """At each word what (B, W, k) has at the word before it; 0 at the first."""
    return pad(words[:, :-1], (0, 0, 1, 0))


def _after(words: Tensor) -> Tensor:
    """At each word what (B, W, k) has at the word after it; 0 at the last."""
    return pad(words[:, 1:], (0, 0, 0, 1))
