import math
from dataclasses import replace

import pytest
import torch
from mmseq_umt.cross_transformer import CrossTransformerFusion
from mmseq_umt.transformer import TransformerLayer

from mmseq import Config, ImageStates, Sizes, TextStates, UserError

D, E, HEADS = 12, 5, 3
SIZES = Sizes(labels=("O", "B-PER", "I-PER"), text=D, image=E)


def fusion(seed=0, **options):
    """A fusion with large random weights, so that a wrong path shows."""
    torch.manual_seed(seed)
    built = CrossTransformerFusion(SIZES, **{"heads": HEADS, **options}).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built


def batch(words=(4, 2, 3), regions=(3, 0, 6), seed=1):
    """Sentences with so many words and regions (0: no picture), random values in the padding."""
    torch.manual_seed(seed)
    word_mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    region_mask = torch.arange(max(*regions, 1)) < torch.tensor(regions)[:, None]
    text = TextStates(torch.randn(*word_mask.shape, D, dtype=torch.double), word_mask)
    images = ImageStates(torch.randn(*region_mask.shape, E, dtype=torch.double), region_mask)
    return text, images


def add(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def linear(layer, vector):
    return add([dot(row, vector) for row in layer.weight.tolist()], layer.bias.tolist())


def layer_norm(layer, vector):
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    normal = [(x - mean) / math.sqrt(variance + 1e-12) for x in vector]
    scaled = [n * w for n, w in zip(normal, layer.weight.tolist(), strict=True)]
    return add(scaled, layer.bias.tolist())


def slow_layer(layer, states, context):
    """BERT's layer written from its definition, one number at a time, over real keys only."""
    keys = [linear(layer.key, c) for c in context]
    values = [linear(layer.value, c) for c in context]
    size = layer.query.in_features // layer.heads
    result = []
    for state in states:
        query = linear(layer.query, state)
        joined = []
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            shares = [math.exp(dot(query[part], key[part]) / math.sqrt(size)) for key in keys]
            for column in range(part.start, part.stop):
                joined.append(dot(shares, [v[column] for v in values]) / sum(shares or [1.0]))
        attended = linear(layer.output, joined) if context else [0.0] * len(state)
        middle = layer_norm(layer.attention_norm, add(state, attended))
        inner = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in linear(layer.inner, middle)]
        result.append(layer_norm(layer.norm, add(middle, linear(layer.outer, inner))))
    return result


def slow_fusion(built, words, regions):
    """The equations for one sentence: lists of word and of region vectors, no padding."""
    context = slow_layer(built.text.layers[0], words, words)
    queries = [linear(built.image_queries, r) for r in regions]
    keys = [linear(built.image_keys, r) for r in regions]
    queried = slow_layer(built.image_to_text.layers[0], queries, context)
    guided = slow_layer(built.text_to_text.layers[0], context, queried)
    seen = slow_layer(built.text_to_image.layers[0], context, keys)
    fused = []
    for t, a in zip(guided, seen, strict=True):
        gate = [1 / (1 + math.exp(-x)) for x in linear(built.gate, t + a)]
        fused.append(t + [g * x if regions else 0.0 for g, x in zip(gate, a, strict=True)])
    return fused


def test_a_layer_is_berts():
    torch.manual_seed(0)
    layer = TransformerLayer(D, HEADS, dropout=0.1, expansion=2).double().eval()
    states, context = torch.randn(2, 1, 4, D, dtype=torch.double).unbind(0)
    got = layer(states, context, torch.ones(1, 4, dtype=torch.bool))
    expected = torch.tensor([slow_layer(layer, states[0].tolist(), context[0].tolist())])
    torch.testing.assert_close(got, expected.double(), atol=1e-6, rtol=0)


def test_fusion_follows_the_equations_for_each_sentence():
    built = fusion()
    text, images = batch()
    got = built(text, images)
    for i, (words, regions) in enumerate(zip((4, 2, 3), (3, 0, 6), strict=True)):
        one = slow_fusion(
            built, text.words[i, :words].tolist(), images.regions[i, :regions].tolist()
        )
        expected = torch.tensor(one, dtype=torch.double)
        torch.testing.assert_close(got.states[i, :words], expected, atol=1e-9, rtol=0)


def test_the_gate_by_hand():
    built = CrossTransformerFusion(replace(SIZES, text=2), heads=1).double().eval()
    # A last norm without weight: T is (1, 2) and A is (8, 12) for every word.
    for stack, vector in ((built.text_to_text, [1.0, 2.0]), (built.text_to_image, [8.0, 12.0])):
        torch.nn.init.zeros_(stack.layers[0].norm.weight)
        stack.layers[0].norm.bias.data = torch.tensor(vector).double()
    half, log3 = 0.5 * math.log(3), math.log(3)
    built.gate.weight.data = torch.tensor([[-log3, 0, 0, 0], [0, half, 0, -log3 / 12]]).double()
    built.gate.bias.data = torch.tensor([0.0, log3]).double()
    text, images = batch(words=(2, 2), regions=(2, 0))
    got = built(replace(text, words=text.words[..., :2]), images)
    # [T ; A] = (1, 2, 8, 12): sigmoid(-log 3) = 1/4 and sigmoid(log 3 - log 3 + log 3) = 3/4.
    expected = torch.tensor([[[1, 2, 2, 9]] * 2, [[1, 2, 0, 0]] * 2]).double()
    torch.testing.assert_close(got.states, expected)


def test_gradient_is_the_fusions_slope_with_and_without_a_picture():
    built = fusion(expansion=1)
    text, images = batch(words=(2, 1), regions=(2, 0))
    regions = images.regions.requires_grad_()

    def states(words, regions):
        given = replace(text, words=words), replace(images, regions=regions)
        return built(*given).states[text.mask]

    assert torch.autograd.gradcheck(states, (text.words.requires_grad_(), regions))


def test_one_word_among_padding_is_as_alone():
    built = fusion()
    text, images = batch(words=(4,), regions=(3,))
    masks = torch.tensor([[True] + [False] * 3]), torch.tensor([[True] + [False] * 2])
    padded = built(replace(text, mask=masks[0]), replace(images, mask=masks[1])).states[:, :1]
    alone = built(
        TextStates(text.words[:, :1], masks[0][:, :1]),
        ImageStates(images.regions[:, :1], masks[1][:, :1]),
    )
    torch.testing.assert_close(padded, alone.states)


def test_views_are_the_halves_of_the_fused_states():
    got = fusion()(*batch())
    torch.testing.assert_close(got.states, torch.cat([got.views["text"], got.views["image"]], -1))


def test_announced_widths_are_given():
    built = fusion()
    got = built(*batch())
    assert got.states.shape[-1] == built.width == 2 * D
    assert built.views == {"text": D, "image": D}
    assert {name: view.shape for name, view in got.views.items()} == {
        "text": (3, 4, D),
        "image": (3, 4, D),
    }


def test_a_sentence_without_picture_has_no_image_part():
    image = fusion()(*batch()).views["image"]
    assert (image[1] == 0).all()
    assert (image[[0, 2]].abs().amax(-1) > 0).all()


def test_a_mixed_batch_gives_what_separate_batches_give():
    built = fusion().float()
    text, images = batch()
    words, regions = text.words.float(), images.regions.float()
    mixed = built(TextStates(words, text.mask), ImageStates(regions, images.mask)).states
    for i, (w, r) in enumerate(zip((4, 2, 3), (3, 1, 6), strict=True)):
        one = slice(i, i + 1)
        alone = built(
            TextStates(words[one, :w], text.mask[one, :w]),
            ImageStates(regions[one, :r], images.mask[one, :r]),
        )
        torch.testing.assert_close(mixed[one, :w], alone.states, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("what", ["words", "regions"])
def test_what_the_padding_holds_changes_nothing(what):
    built = fusion()
    text, images = batch()
    before = built(text, images).states[text.mask]
    if what == "words":
        text = replace(text, words=text.words.masked_fill(~text.mask[..., None], 50.0))
    else:
        images = replace(images, regions=images.regions.masked_fill(~images.mask[..., None], 50.0))
    torch.testing.assert_close(built(text, images).states[text.mask], before, atol=1e-12, rtol=0)


def test_every_picture_of_a_sentence_counts():
    built = fusion()
    text, images = batch(words=(3,), regions=(6,))
    both = built(text, images).views["text"]
    first = built(text, ImageStates(images.regions[:, :3], images.mask[:, :3])).views["text"]
    assert (both - first).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("words", "regions"),
    [((3, 2), (0, 0)), ((1,), (0,)), ((1,), (1,)), ((5, 1), (0, 4)), ((2, 0), (2, 0))],
)
def test_gradients_are_finite(words, regions):
    built = fusion().train()
    text, images = batch(words, regions)
    text = replace(text, words=text.words.requires_grad_())
    images = replace(images, regions=images.regions.requires_grad_())
    got = built(text, images)
    assert got.states.isfinite().all()
    got.states[text.mask].square().sum().backward()
    gradients = [text.words.grad, images.regions.grad, *(p.grad for p in built.parameters())]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert (images.regions.grad[~images.mask] == 0).all()


def test_pictures_that_are_zero_everywhere_are_harmless():
    built = fusion().train()
    text, images = batch()
    images = replace(images, regions=torch.zeros_like(images.regions))
    built(text, images).states.sum().backward()
    assert all(p.grad.isfinite().all() for p in built.parameters())


def test_dropout_acts_in_training_only():
    built = fusion(dropout=0.5)
    args = batch()
    assert torch.equal(built(*args).states, built(*args).states)
    built.train()
    assert not torch.equal(built(*args).states, built(*args).states)


def test_more_layers_may_be_asked_for():
    built = fusion(text_layers=2, image_to_text_layers=3, text_to_image_layers=2, expansion=1)
    counts = [len(stack.layers) for stack in (built.text, built.image_to_text, built.text_to_text)]
    assert counts == [2, 3, 1]
    assert built(*batch()).states.isfinite().all()


@pytest.mark.parametrize("width", [384, 768])
def test_default_heads_fit_the_usual_encoders(width):
    with torch.device("meta"):
        CrossTransformerFusion(replace(SIZES, text=width))


def test_linear_layers_start_as_berts_do():
    torch.manual_seed(0)
    built = CrossTransformerFusion(replace(SIZES, text=48, image=100))
    assert built.image_keys.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert (built.gate.bias == 0).all()


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(UserError) as error:
        CrossTransformerFusion(replace(SIZES, text=50))
    assert "fusion 'cross-transformer'" in str(error.value)
    assert "heads = 12" in str(error.value)
    assert "width 50" in str(error.value)
    assert "1, 2, 5, 10, 25, 50." in str(error.value)


LAYERS = [f"{name}_layers" for name in ("text", "image_to_text", "text_to_text", "text_to_image")]


@pytest.mark.parametrize(
    ("option", "value"),
    [("heads", 0), ("expansion", 0), ("dropout", 1.0), ("dropout", -0.1)]
    + [(name, number) for name in LAYERS for number in (0, -1)],
)
def test_a_structure_that_cannot_be_built_is_an_error(option, value):
    settings = {"fusion.name": "cross-transformer", f"fusion.{option}": value}
    with pytest.raises(UserError, match=f"fusion 'cross-transformer': {option} = {value}"):
        Config.from_layers(settings=settings)


def test_weights_survive_saving():
    one, other = fusion(seed=0), fusion(seed=5)
    other.load_state_dict(one.state_dict())
    args = batch()
    assert torch.equal(one(*args).states, other(*args).states)


def test_the_structure_unless_told_otherwise():
    built = CrossTransformerFusion(replace(SIZES, text=24))
    for stack in (built.text, built.image_to_text, built.text_to_text, built.text_to_image):
        (layer,) = stack.layers
        assert (layer.heads, layer.inner.out_features, layer.dropout.p) == (12, 4 * 24, 0.1)
