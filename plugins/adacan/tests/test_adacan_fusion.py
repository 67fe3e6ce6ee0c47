import math
from dataclasses import replace

import pytest
import torch
from mmseq_adacan.fusion import AdacanFusion, JoinedAttention

from mmseq import Config, ImageStates, Sizes, TextStates, UserError
from mmseq.testing import check_fusion

D, E, A = 5, 4, 3
SIZES = Sizes(labels=("O", "B-PER", "I-PER"), text=D, image=E)
JOINS = pytest.mark.parametrize("join", ["concatenate", "add"])


def fusion(join="concatenate", seed=0, sizes=SIZES, **options):
    """A fusion with large random weights, so that a wrong path shows."""
    torch.manual_seed(seed)
    built = AdacanFusion(sizes, join=join, **{"attention": A, **options}).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return built


def batch(words=(4, 2, 3), regions=(3, 0, 6), seed=1):
    """Sentences with so many words and regions (0: no picture), random values in the padding."""
    torch.manual_seed(seed)
    word_mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    region_mask = torch.arange(max(*regions, 1)) < torch.tensor(regions)[:, None]
    text = TextStates(torch.randn(*word_mask.shape, D, dtype=torch.double), word_mask)
    images = ImageStates(torch.randn(*region_mask.shape, E, dtype=torch.double), region_mask)
    return text, images


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def plus(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def times(matrix, vector):
    return [dot(row, vector) for row in matrix]


def tanh(vector):
    return [math.tanh(x) for x in vector]


def sigmoid(vector):
    return [1 / (1 + math.exp(-x)) for x in vector]


def papers_weights(built):
    """The weights by the letters of the equations, as lists of numbers."""
    linear = {
        "W_vI": built.region_keys,
        "W_ht": built.word_queries,
        "W_x": built.word_keys,
        "W_xv": built.image_queries,
        "W_v": built.visual,
        "W_h": built.textual,
        "W_g": built.fusion_gate,
        "W_sh": built.word_filter,
        "W_ms": built.fused_filter,
        "W_m": built.reserved,
        "W_mhat": built.output,
    }
    w = {name: layer.weight.tolist() for name, layer in linear.items()}
    for name in ("W_ht", "W_xv", "W_v", "W_h", "W_sh", "W_m"):
        w[f"b of {name}"] = linear[name].bias.tolist()
    for name, own in (
        ("W_alpha", built.visual_attention),
        ("W_beta", built.textual_attention),
    ):
        # Of [key ; query].
        w[name] = own.key.weight[0].tolist()
        if own.query is not None:
            w[name] += own.query.weight[0].tolist()
            w[f"b of {name}"] = own.query.bias.item()
    return w


def slow_attention(keys, query, vector, bias, join):
    """Shares of the keys; `query` is None where there is nothing to ask with."""
    scores = []
    for key in keys:
        if join == "concatenate":
            asked = [0.0] * len(key) if query is None else query
            scores.append(dot(vector, tanh(key + asked)) + bias)
        else:
            scores.append(dot(vector, tanh(key if query is None else plus(key, query))))
    total = sum(math.exp(score) for score in scores)
    return [math.exp(score) / total for score in scores]


def mean(shares, vectors, width):
    result = [0.0] * width
    for share, vector in zip(shares, vectors, strict=True):
        result = plus(result, [share * x for x in vector])
    return result


def slow_fusion(w, words, regions, join):
    """The equations for one sentence, word by word: lists of vectors, no padding."""
    fused = []
    for h in words:
        query = plus(times(w["W_ht"], h), w["b of W_ht"])
        keys = [times(w["W_vI"], v) for v in regions]
        alpha = slow_attention(keys, query, w["W_alpha"], w.get("b of W_alpha"), join)
        seen = mean(alpha, regions, E)

        query = plus(times(w["W_xv"], seen), w["b of W_xv"]) if regions else None
        keys = [times(w["W_x"], x) for x in words]
        beta = slow_attention(keys, query, w["W_beta"], w.get("b of W_beta"), join)
        read = mean(beta, words, D)

        b_ = tanh(plus(times(w["W_h"], read), w["b of W_h"]))
        if regions:
            a = tanh(plus(times(w["W_v"], seen), w["b of W_v"]))
            gate = sigmoid(times(w["W_g"], a + b_))
            m = [g * x + (1 - g) * y for g, x, y in zip(gate, a, b_, strict=True)]
        else:
            m = b_
        share = plus(plus(times(w["W_sh"], h), times(w["W_ms"], m)), w["b of W_sh"])
        kept = tanh(plus(times(w["W_m"], m), w["b of W_m"]))
        u = [s * x for s, x in zip(sigmoid(share), kept, strict=True)]
        fused.append(times(w["W_mhat"], h + u))
    return fused


@JOINS
def test_fusion_follows_the_equations_for_each_sentence(join):
    built = fusion(join)
    text, images = batch()
    got = built(text, images).states
    for i, (words, regions) in enumerate(zip((4, 2, 3), (3, 0, 6), strict=True)):
        one = slow_fusion(
            papers_weights(built),
            text.words[i, :words].tolist(),
            images.regions[i, :regions].tolist(),
            join,
        )
        expected = torch.tensor(one, dtype=torch.double)
        torch.testing.assert_close(got[i, :words], expected, atol=1e-12, rtol=0)


LOG2, LOG3 = math.log(2), math.log(3)


def attention_by_hand(join):
    """One number a vector; keys log 2 and 0, queries log 2 and 0."""
    attention = JoinedAttention(1, join).double()
    torch.nn.init.constant_(attention.key.weight, 5 * LOG2)
    if attention.query is not None:
        torch.nn.init.constant_(attention.query.weight, 7.0)
    vectors = torch.tensor([[[LOG2], [0.0]]]).double()
    return attention(vectors, vectors, torch.ones(1, 2, dtype=torch.bool))[0]


def test_concatenated_attention_by_hand():
    # tanh(log 2) = (2 - 1/2) / (2 + 1/2) = 3/5: the keys score 5 log 2 * 3/5 = log 8 and 0, and
    # what a query adds is the same for both. Each query takes 8/9 and 1/9.
    expected = torch.tensor([[8 / 9, 1 / 9], [8 / 9, 1 / 9]]).double()
    torch.testing.assert_close(attention_by_hand("concatenate"), expected)


def test_added_attention_by_hand():
    # tanh(2 log 2) = (4 - 1/4) / (4 + 1/4) = 15/17. The first query scores 5 log 2 * 15/17 and
    # 5 log 2 * 3/5: odds 2^(75/17 - 3) = 2^(24/17). The second scores log 8 and 0.
    odds = 2 ** (24 / 17)
    expected = torch.tensor([[odds / (odds + 1), 1 / (odds + 1)], [8 / 9, 1 / 9]]).double()
    torch.testing.assert_close(attention_by_hand("add"), expected)


def by_hand():
    """One word, one number a vector; weights chosen so that every step is a plain fraction."""
    built = AdacanFusion(replace(SIZES, text=1, image=1), attention=1).double().eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
        built.region_keys.weight.fill_(LOG2)
        built.visual_attention.key.weight.fill_(5 * LOG2)
        built.visual.weight.fill_(9 * LOG2 / 8)
        built.textual.bias.fill_(LOG3)
        built.fusion_gate.weight.copy_(torch.tensor([[-5 * LOG3 / 3, 0]], dtype=torch.double))
        built.word_filter.bias.fill_(LOG3)
        built.reserved.weight.fill_(LOG2 / 0.75)
        built.output.weight.copy_(torch.tensor([[2.0, 20.0]]))
    text = TextStates(torch.ones(1, 1, 1).double(), torch.ones(1, 1, dtype=torch.bool))
    return built, text


def test_the_equations_by_hand():
    built, text = by_hand()
    regions = torch.tensor([[[1.0], [0.0]]]).double()
    got = built(text, ImageStates(regions, torch.ones(1, 2, dtype=torch.bool)))
    # alpha = 8/9, 1/9 (above): vhat = 8/9. The one word takes all of beta.
    # a = tanh(9/8 log 2 * 8/9) = 3/5, b_ = tanh(log 3) = (3 - 1/3) / (3 + 1/3) = 4/5,
    # g = sigmoid(-log 3) = 1/4: m = 1/4 * 3/5 + 3/4 * 4/5 = 3/4.
    # s = sigmoid(log 3) = 3/4, u = 3/4 tanh(log 2 / (3/4) * 3/4) = 9/20.
    # mhat = 2 * 1 + 20 * 9/20 = 11.
    assert got.views["image"].item() == pytest.approx(3 / 20, abs=1e-12)
    assert got.views["text"].item() == pytest.approx(3 / 5, abs=1e-12)
    assert got.states.item() == pytest.approx(11, abs=1e-12)


def test_without_a_picture_the_mixture_is_the_text_by_hand():
    built, text = by_hand()
    built.visual.bias.data.fill_(LOG3)
    built.reserved.weight.data.fill_(LOG2 / 0.8)
    nothing = ImageStates(torch.ones(1, 2, 1).double(), torch.zeros(1, 2, dtype=torch.bool))
    got = built(text, nothing)
    # m = b_ = 4/5, though the bias of a would say 4/5 of its own; u = 3/4 * 3/5 = 9/20.
    assert got.views["image"].item() == 0
    assert got.views["text"].item() == pytest.approx(4 / 5, abs=1e-12)
    assert got.states.item() == pytest.approx(11, abs=1e-12)


@JOINS
def test_no_weight_or_bias_of_the_picture_stands_in_for_one(join):
    built = fusion(join)
    text, images = batch()
    before = built(text, images).states
    for layer in (
        built.region_keys,
        built.word_queries,
        built.visual_attention,
        built.image_queries,
        built.visual,
    ):
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=3.0)
    built.fusion_gate.weight.data[:, :D] += 5.0
    change = (built(text, images).states - before).abs().amax((1, 2))
    assert change[1] < 1e-12
    assert (change[[0, 2]] > 1e-3).all()


def test_printed_attention_does_not_depend_on_who_asks():
    built = fusion("concatenate")
    text, images = batch()
    got = built(text, images)
    for view in got.views.values():
        torch.testing.assert_close(view, view[:, :1].expand_as(view), atol=1e-12, rtol=0)
    got.states[text.mask].square().sum().backward()
    for layer in (
        built.word_queries,
        built.image_queries,
        built.visual_attention.query,
        built.textual_attention.query,
    ):
        for parameter in layer.parameters():
            expected = torch.zeros_like(parameter)
            torch.testing.assert_close(parameter.grad, expected, atol=1e-12, rtol=0)


def test_added_attention_depends_on_who_asks():
    text, images = batch()
    views = fusion("add")(text, images).views
    for view in views.values():
        spread = (view[:, 1:2] - view[:, :1]).abs().amax((1, 2))
        assert (spread[[0, 2]] > 1e-3).all()
        # Without a picture no word asks.
        assert spread[1] < 1e-12


@JOINS
def test_gradient_is_the_fusions_slope_with_and_without_a_picture(join):
    built = fusion(join)
    text, images = batch(words=(2, 1), regions=(2, 0))

    def states(words, regions):
        given = replace(text, words=words), replace(images, regions=regions)
        return built(*given).states[text.mask]

    inputs = (text.words.requires_grad_(), images.regions.requires_grad_())
    assert torch.autograd.gradcheck(states, inputs)


def test_regions_of_all_pictures_share_one_attention():
    built = fusion()
    text, images = batch(words=(3,), regions=(6,))
    both = built(text, images).states
    turned = replace(images, regions=images.regions[:, [3, 4, 5, 0, 1, 2]])
    torch.testing.assert_close(built(text, turned).states, both, atol=1e-12, rtol=0)
    first = built(text, ImageStates(images.regions[:, :3], images.mask[:, :3])).states
    assert (both - first).abs().max() > 1e-3


def test_dropout_is_on_mhat_alone():
    """In training each number of F is 0 or twice what it is in evaluation."""
    built, given = fusion(dropout=0.5), batch(words=(4, 4, 4))
    whole = built(*given)
    torch.manual_seed(0)
    dropped = built.train()(*given)
    lost = dropped.states == 0
    assert 0.2 < lost.double().mean() < 0.8
    torch.testing.assert_close(dropped.states, torch.where(lost, 0.0, 2 * whole.states))
    for name, view in whole.views.items():
        torch.testing.assert_close(dropped.views[name], view)


@pytest.mark.parametrize(("option", "value"), [("attention", 0), ("dropout", 1.0)])
def test_options_out_of_range_are_errors(option, value):
    with pytest.raises(UserError, match=f"fusion 'adacan': {option} = {value}"):
        Config.from_layers(settings={"fusion.name": "adacan", f"fusion.{option}": value})


@JOINS
def test_it_keeps_the_contract_of_a_fusion(join):
    """Masks, batches, gradients, state: with both ways of joining."""
    check_fusion("adacan", join=join)
