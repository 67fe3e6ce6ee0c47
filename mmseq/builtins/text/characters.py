"""A word's vector from its characters: a convolution with max-pooling, or an LSTM each way."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from mmseq.builtins.text.first_weights import initialise_lstm, initialise_vectors
from mmseq.builtins.text.vocabulary import PADDING


class CharacterCnn(nn.Module):
    """Characters to a word's vector by convolution (Ma & Hovy 2016).

    With c_1 … c_n the word's character vectors (30 wide, dropout on them in training) and
    c_0 = c_{n+1} = 0, filter f of 30 gives max over i of w_f · [c_{i-1} ; c_i ; c_{i+1}] + b_f,
    i = 1 … n.

    (U, C) ids of characters, 0 at padding, to (U, 30).
    """

    width = 30

    def __init__(self, characters: int, *, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(characters, 30, padding_idx=PADDING)
        initialise_vectors(self.vectors)
        self.dropout = nn.Dropout(dropout)
        self.filters = nn.Conv1d(30, self.width, kernel_size=3, padding=1)
        nn.init.xavier_uniform_(self.filters.weight)
        assert self.filters.bias is not None
        nn.init.zeros_(self.filters.bias)

    def forward(self, characters: Tensor) -> Tensor:
        real = characters != PADDING
        # The vector of the padding is 0 and stays 0: it is the edge of a short word too.
        vectors = self.dropout(self.vectors(characters))
        scores = self.filters(vectors.transpose(1, 2))
        found: Tensor = scores.masked_fill(~real[:, None], -math.inf).amax(dim=2)
        return found


class CharacterLstm(nn.Module):
    """Characters to a word's vector by a bidirectional LSTM (Lample et al. 2016).

    Characters are 25 wide; the vector is [state after the last character, read forward ; state
    after the first, read backward], 25 each.

    (U, C) ids of characters, 0 at padding, to (U, 50).
    """

    width = 50

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(characters, 25, padding_idx=PADDING)
        initialise_vectors(self.vectors)
        self.lstm = nn.LSTM(25, self.width // 2, batch_first=True, bidirectional=True)
        initialise_lstm(self.lstm)

    def forward(self, characters: Tensor) -> Tensor:
        lengths = (characters != PADDING).sum(dim=1).cpu()
        packed = pack_padded_sequence(
            self.vectors(characters), lengths, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.lstm(packed)
        return torch.cat([last[0], last[1]], dim=1)
