import math

import pytest
import torch

from mmseq.builtins.text.characters import CharacterCnn, CharacterLstm
from mmseq.builtins.text.first_weights import initialise_lstm
from mmseq.builtins.text.vocabulary import PADDING

WORDS = [[2, 3, 4, 5], [3], [1, 6], [5] * 40]


def padded(words):
    longest = max(map(len, words))
    return torch.tensor([word + [PADDING] * (longest - len(word)) for word in words])


@pytest.fixture
def cnn():
    torch.manual_seed(0)
    return CharacterCnn(7, dropout=0.5).eval()


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return CharacterLstm(7).eval()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def last_state(lstm, vectors, suffix=""):
    """The state after the last of the vectors, from the LSTM's equations, one number at a time."""
    weight, recurrent, bias, more = (
        getattr(lstm, f"{name}_l0{suffix}").tolist()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    size = lstm.hidden_size
    state, cell = [0.0] * size, [0.0] * size
    for vector in vectors:
        gates = [
            sum(w * x for w, x in zip(weight[row], vector, strict=True))
            + sum(u * h for u, h in zip(recurrent[row], state, strict=True))
            + bias[row]
            + more[row]
            for row in range(4 * size)
        ]
        for k in range(size):
            enter, forget = sigmoid(gates[k]), sigmoid(gates[size + k])
            new, leave = math.tanh(gates[2 * size + k]), sigmoid(gates[3 * size + k])
            cell[k] = forget * cell[k] + enter * new
            state[k] = leave * math.tanh(cell[k])
    return state


def test_the_cnn_is_the_largest_score_of_each_filter_over_the_word(cnn):
    found = cnn(padded(WORDS))
    assert found.shape == (4, 30)
    filters, bias = cnn.filters.weight.tolist(), cnn.filters.bias.tolist()
    table = cnn.vectors.weight.tolist()
    for row, word in enumerate(WORDS):
        vectors = [[0.0] * 30, *(table[c] for c in word), [0.0] * 30]
        for f in (0, 7, 29):
            scores = [
                bias[f]
                + sum(
                    filters[f][d][offset] * vectors[i - 1 + offset][d]
                    for offset in range(3)
                    for d in range(30)
                )
                for i in range(1, len(word) + 1)
            ]
            assert found[row, f].item() == pytest.approx(max(scores), abs=1e-5)


def test_a_filter_worked_by_hand(cnn):
    # Filter 0 looks at the first number of a character: 2 of the one before, 1 of its own, -1 of
    # the one after, and adds 0.5. Of a word with 1, 3, 2 it sees
    #   2*0 + 1 - 3 = -2,   2*1 + 3 - 2 = 3,   2*3 + 2 - 0 = 8; the largest is 8 + 0.5.
    # Alone, the second gives 3.5 and the padding after it, which would give 2*3, is not looked at.
    with torch.no_grad():
        cnn.vectors.weight[2:5] = 0
        cnn.vectors.weight[2:5, 0] = torch.tensor([1.0, 3.0, 2.0])
        cnn.filters.weight[0] = 0
        cnn.filters.weight[0, 0] = torch.tensor([2.0, 1.0, -1.0])
        cnn.filters.bias[0] = 0.5
    assert cnn(padded([[2, 3, 4], [3]]))[:, 0].tolist() == [8.5, 3.5]


def test_the_lstm_is_its_last_state_in_each_direction(lstm):
    words = WORDS[:3]
    found = lstm(padded(words))
    assert found.shape == (3, 50)
    table = lstm.vectors.weight.tolist()
    for row, word in enumerate(words):
        vectors = [table[c] for c in word]
        expected = [
            *last_state(lstm.lstm, vectors),
            *last_state(lstm.lstm, vectors[::-1], "_reverse"),
        ]
        assert found[row].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_a_word_is_the_same_alone_in_any_order_and_beside_longer_ones(kind, request):
    module = request.getfixturevalue(kind)
    together, backwards = module(padded(WORDS)), module(padded(WORDS[::-1]))
    for row, word in enumerate(WORDS):
        alone = module(padded([word]))[0]
        torch.testing.assert_close(together[row], alone, atol=1e-6, rtol=0)
        torch.testing.assert_close(backwards[len(WORDS) - 1 - row], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_the_padding_has_no_gradient_and_stays_zero(kind, request):
    module = request.getfixturevalue(kind).train()
    module(padded(WORDS)).square().sum().backward()
    assert module.vectors.weight[PADDING].tolist() == [0] * module.vectors.embedding_dim
    assert not module.vectors.weight.grad[PADDING].any()
    assert module.vectors.weight.grad[[1, 2, 3, 4, 5, 6]].any(dim=1).all()


def test_the_cnn_drops_characters_in_training_only(cnn):
    words = padded([[2, 3, 4, 5]] * 50)
    assert len(cnn(words).unique(dim=0)) == 1
    assert len(cnn.train()(words).unique(dim=0)) > 40


def test_first_weights_are_those_of_the_papers():
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(6, 10, bidirectional=True)
    initialise_lstm(lstm)
    for suffix in ("", "_reverse"):
        bias = getattr(lstm, f"bias_ih_l0{suffix}") + getattr(lstm, f"bias_hh_l0{suffix}")
        assert bias.tolist() == [0] * 10 + [1] * 10 + [0] * 20
        # Glorot: uniform in ±sqrt(6 / (in + out)), of each gate by itself.
        for name, entering in (("weight_ih", 6), ("weight_hh", 10)):
            bound = math.sqrt(6 / (entering + 10))
            largest = getattr(lstm, f"{name}_l0{suffix}").abs().max().item()
            assert 0.9 * bound < largest <= bound
    table = CharacterLstm(200).vectors.weight
    assert 0.95 * math.sqrt(3 / 25) < table.abs().max().item() <= math.sqrt(3 / 25)
