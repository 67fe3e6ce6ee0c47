import torch
from torch import nn

from mmseq import run_lstm


def test_every_sentence_is_read_by_itself_both_ways():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 2, batch_first=True, bidirectional=True)
    words = torch.randn(3, 4, 3)
    lengths = (2, 4, 0)
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    states = run_lstm(lstm, words, mask)
    assert states.shape == (3, 4, 4)
    for row, length in enumerate(lengths[:2]):
        alone, _ = lstm(words[row : row + 1, :length])
        torch.testing.assert_close(states[row, :length], alone[0])
        assert not states[row, length:].any()
    assert states[2].isfinite().all()
