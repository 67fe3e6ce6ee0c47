"""The layer by hand: attention (Eq. 1), joined heads (Eq. 2), add & norm, feed-forward."""

import math

import pytest
import torch
from mmseq_umt.transformer import Transformer, TransformerLayer
from torch import nn

ONE_KEY = torch.ones(1, 1, dtype=torch.bool)


def row(*values):
    return torch.tensor([[list(values)]], dtype=torch.double)


def plain_layer(width, heads=1, expansion=1):
    """Every linear map the identity, without biases."""
    layer = TransformerLayer(width, heads, dropout=0.0, expansion=expansion).double()
    for part in layer.modules():
        if isinstance(part, nn.Linear):
            nn.init.eye_(part.weight)
            nn.init.zeros_(part.bias)
    return layer


def attention_alone(layer):
    """The layer without norms and without what the feed-forward part adds: S + MultiHead(S, C)."""
    layer.attention_norm = layer.norm = nn.Identity()
    nn.init.zeros_(layer.outer.weight)
    return layer


def test_scores_are_divided_by_the_root_of_width_over_heads():
    # Width 8, two heads: sqrt(8 / 2) = 2 (as printed, sqrt(8) / 2, it would be 1.41).
    layer = attention_alone(plain_layer(8, heads=2))
    state = row(2 * math.log(3), 0, 0, 0, 0, 0, 0, 0)
    context = torch.tensor([[[1, 0, 0, 4, 2, 0, 0, 0], [0, 8, 0, 0, 0, 6, 0, 0]]]).double()
    added = layer(state, context, torch.ones(1, 2, dtype=torch.bool)) - state
    # First head: scores log 3 and 0, shares 3/4 and 1/4. The second asks for nothing: halves.
    assert added.tolist() == [[[pytest.approx(x) for x in (0.75, 2, 0, 3, 1, 3, 0, 0)]]]


def test_every_map_has_its_place():
    # One key: attention is its value, whatever query and key say.
    layer = attention_alone(plain_layer(2))
    with torch.no_grad():
        layer.value.weight.copy_(torch.tensor([[2.0, 0], [0, 3]]))
        layer.value.bias.copy_(torch.tensor([1.0, 0]))
        layer.output.weight.copy_(torch.tensor([[0.0, 1], [1, 0]]))
        layer.output.bias.copy_(torch.tensor([0.0, 7]))
    # Value (2*4 + 1, 3*5) = (9, 15); joined heads through W' and its bias: (15, 9 + 7).
    got = layer(row(100, 200), row(4, 5), ONE_KEY)
    assert got.tolist() == [[[115, 216]]]


def test_query_and_key_have_maps_of_their_own():
    layer = attention_alone(plain_layer(1))
    with torch.no_grad():
        layer.query.weight.fill_(2.0)
        layer.query.bias.fill_(1.0)
        layer.key.weight.fill_(math.log(3) / 5)
        layer.key.bias.fill_(9.0)  # the same for every key: changes no share
    # Query 2*2 + 1 = 5; keys (log 3)/5 and 0: scores log 3 and 0; values 1 and 0.
    got = layer(row(2), torch.tensor([[[1.0], [0.0]]]).double(), torch.ones(1, 2).bool())
    assert got.item() == pytest.approx(2 + 0.75)


def test_masked_keys_have_no_share():
    layer = attention_alone(plain_layer(1))
    context = torch.tensor([[[4.0], [6.0], [99.0]]]).double()
    mask = torch.tensor([[True, True, False]])
    assert layer(row(0), context, mask).item() == pytest.approx(5)


def test_add_and_norm_then_feed_forward_add_and_norm():
    # LayerNorm of (3, 1) is (1, -1), of (3, 1) + (1, -1) too; the feed-forward part adds
    # GELU(1) = P(1) and GELU(-1) = -P(-1), P the normal distribution; the last norm is left out.
    layer = plain_layer(2)
    layer.norm = nn.Identity()
    below = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    expected = [1 + below, -1 - (1 - below)]
    nothing = layer(row(3, 1), row(5, 5), torch.zeros(1, 1, dtype=torch.bool))
    assert nothing[0, 0].tolist() == pytest.approx(expected)
    assert layer(row(3, 1), row(1, -1), ONE_KEY)[0, 0].tolist() == pytest.approx(expected)


def test_feed_forward_maps_and_the_last_norm():
    layer = plain_layer(2, expansion=2)
    assert (layer.inner.out_features, layer.outer.in_features) == (4, 4)
    with torch.no_grad():
        layer.inner.weight.zero_()
        layer.inner.bias.copy_(torch.tensor([0.0, 0, 0, 1]))
        layer.outer.weight.copy_(torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 1]]))
        layer.outer.bias.copy_(torch.tensor([4.0, 0]))
        layer.norm.weight.copy_(torch.tensor([10.0, 20]))
        layer.norm.bias.copy_(torch.tensor([1.0, 2]))
    # (1, -1) + (4, GELU(1)): the first stays the greater, so the norm gives (1, -1) again.
    got = layer(row(3, 1), row(0, 0), torch.zeros(1, 1, dtype=torch.bool))
    assert got[0, 0].tolist() == pytest.approx([10 + 1, -20 + 2])


def test_layers_follow_each_other_over_their_own_states_or_a_context_that_stays():
    stack = Transformer(1, heads=1, layers=2, dropout=0.0, expansion=1).double()
    for number in (0, 1):
        stack.layers[number] = attention_alone(plain_layer(1))
    assert stack(row(1), ONE_KEY).item() == 1 + 1 + 2
    assert stack(row(1), ONE_KEY, row(10)).item() == 1 + 10 + 10


def test_the_norms_epsilon_is_berts():
    # With differences of 1e-5 the usual epsilon, 1e-5, would leave next to nothing of them.
    layer = plain_layer(2)
    got = layer(row(1e-5, -1e-5), row(0, 0), torch.zeros(1, 1, dtype=torch.bool))
    assert got[0, 0].tolist() == pytest.approx([1, -1], abs=0.01)


def test_gradient_is_the_layers_slope_with_and_without_a_key():
    torch.manual_seed(0)
    layer = TransformerLayer(4, heads=2, dropout=0.0, expansion=2).double()
    given = [torch.randn(2, n, 4, dtype=torch.double, requires_grad=True) for n in (1, 3)]
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert torch.autograd.gradcheck(lambda s, c: layer(s, c, mask), given)


def test_dropout_is_taken_of_attention_and_of_both_halves():
    torch.manual_seed(0)
    layer = attention_alone(plain_layer(1))
    layer.dropout = nn.Dropout(0.5)
    nn.init.constant_(layer.outer.bias, 50.0)
    states = torch.zeros(1, 800, 1, dtype=torch.double)
    # What stays is doubled: the attention's 3 twice (its share, and what it adds), the 50 once.
    added = layer.train()(states, row(3), ONE_KEY).flatten().tolist()
    assert set(added) == {0, 12, 100, 112}
    assert sum(x % 100 == 12 for x in added) / 800 == pytest.approx(1 / 4, abs=0.05)
    assert sum(x >= 100 for x in added) / 800 == pytest.approx(1 / 2, abs=0.05)
    assert set(layer.eval()(states, row(3), ONE_KEY).flatten().tolist()) == {53}


@pytest.mark.parametrize("norm", ["attention_norm", "norm"])
def test_the_variance_of_states_is_taken_with_an_epsilon_of_1e_12(norm):
    layer = attention_alone(plain_layer(2))
    setattr(
        layer, norm, TransformerLayer(2, 1, dropout=0.0, expansion=1).double().get_submodule(norm)
    )
    # The variance is 1e-12 itself: of 1 and -1 the root of a half is left.
    got = layer(row(1e-6, -1e-6), row(0, 0), torch.zeros(1, 1, dtype=torch.bool))
    assert got[0, 0].tolist() == pytest.approx([0.5**0.5, -(0.5**0.5)])
