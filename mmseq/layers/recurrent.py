"""An LSTM over sentences of several lengths."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_lstm(lstm: nn.LSTM, words: Tensor, mask: Tensor) -> Tensor:
    """The states of `lstm` (``batch_first``) at every word, (B, W, width); 0 at padding.

    `words` (B, W, D), `mask` (B, W) bool, true at real words, which come first: padding is left
    out, so that the backward direction begins at the last word. A sentence without a word reads
    one of padding: a sequence of length 0 cannot be packed.
    """
    lengths = mask.sum(dim=1).clamp(min=1).cpu()
    packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=mask.shape[1])
    return states
