import math
from dataclasses import replace

import pytest
import torch
from mmseq_modality_attention.fusion import ModalityAttentionFusion

from mmseq import Config, ImageStates, Sizes, TextStates, UserError

PARTS = {"word": 4, "char": 3}
E, WIDTH, HIDDEN = 5, 3, 2
SIZES = Sizes(labels=("O", "B-PER", "I-PER"), text=7, image=E, parts=PARTS)


def fusion(sizes=SIZES, seed=0, **options):
    """A fusion with large random weights, so that a wrong path shows."""
    torch.manual_seed(seed)
    options = {"width": WIDTH, "hidden": HIDDEN, **options}
    built = ModalityAttentionFusion(sizes, **options).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return built


def batch(words=(4, 2, 3), regions=(3, 0, 6), seed=1, vector=True):
    """Sentences with so many words and regions (0: no picture), random values in the padding."""
    torch.manual_seed(seed)
    word_mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    region_mask = torch.arange(max(*regions, 1)) < torch.tensor(regions)[:, None]

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.double)

    parts = {name: draw(*word_mask.shape, width) for name, width in PARTS.items()}
    text = TextStates(torch.cat(list(parts.values()), dim=-1), word_mask, parts=parts)
    pooled = draw(len(words), E) * region_mask.any(dim=1)[:, None]
    regions = draw(*region_mask.shape, E)
    return text, ImageStates(regions, region_mask, pooled if vector else None)


def only(text, images, row, words=None, regions=None):
    """The sentence `row` alone, cut to so many words and regions."""
    one = slice(row, row + 1)
    text = TextStates(
        text.words[one, :words],
        text.mask[one, :words],
        parts={name: part[one, :words] for name, part in text.parts.items()},
    )
    vector = None if images.vector is None else images.vector[one]
    return text, ImageStates(images.regions[one, :regions], images.mask[one, :regions], vector)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def affine(matrix, bias, vector):
    return [dot(row, vector) + b for row, b in zip(matrix.tolist(), bias.tolist(), strict=True)]


def sigmoid(number):
    return 1 / (1 + math.exp(-number))


def slow_mixture(w, inputs, missing):
    """x of one word: `inputs` by modality in the order of W; the last is None without picture."""
    mapped = {
        name: affine(w[f"project.{name}.weight"], w[f"project.{name}.bias"], vector)
        for name, vector in inputs.items()
        if not (missing and name == "picture")
    }
    seen = [mapped.get(name, [0.0] * WIDTH) for name in inputs]
    joined = [number for vector in seen for number in vector]
    numbers = [sigmoid(a) for a in affine(w["score.weight"], w["score.bias"], joined)]
    powers = {name: math.exp(a) for name, a in zip(inputs, numbers, strict=True) if name in mapped}
    total = sum(powers.values())
    return [
        sum(powers[name] / total * vector[column] for name, vector in mapped.items())
        for column in range(WIDTH)
    ]


def slow_lstm(w, vectors, ending):
    """States h_1 … of torch's LSTM read in the given order, one gate at a time."""
    h, c = [0.0] * HIDDEN, [0.0] * HIDDEN
    states = []
    for x in vectors:
        new_h, new_c = [], []
        for unit in range(HIDDEN):
            gates = []
            for gate in range(4):  # input, forget, cell, output
                row = gate * HIDDEN + unit
                own = dot(w[f"lstm.weight_ih_l0{ending}"][row].tolist(), x)
                own += dot(w[f"lstm.weight_hh_l0{ending}"][row].tolist(), h)
                biases = w[f"lstm.bias_ih_l0{ending}"][row] + w[f"lstm.bias_hh_l0{ending}"][row]
                gates.append(own + biases.item())
            cell = sigmoid(gates[1]) * c[unit] + sigmoid(gates[0]) * math.tanh(gates[2])
            new_c.append(cell)
            new_h.append(sigmoid(gates[3]) * math.tanh(cell))
        h, c = new_h, new_c
        states.append(h)
    return states


def slow_fusion(w, words, picture):
    """F of one sentence: `words` a list of {part: vector}, `picture` a vector or None."""
    mixed = [slow_mixture(w, {**word, "picture": picture}, picture is None) for word in words]
    ahead = slow_lstm(w, mixed, "")
    back = slow_lstm(w, mixed[::-1], "_reverse")[::-1]
    return [one + other for one, other in zip(ahead, back, strict=True)]


@pytest.mark.parametrize("parts", [("word", "char"), ("word",)])
@pytest.mark.parametrize("vector", [True, False])
def test_fusion_follows_the_equations_for_each_sentence(parts, vector):
    built = fusion(replace(SIZES, parts={name: PARTS[name] for name in parts}))
    text, images = batch(vector=vector)
    got = built(text, images).states
    for i, (words, regions) in enumerate(zip((4, 2, 3), (3, 0, 6), strict=True)):
        picture = None
        if vector and regions:
            picture = images.vector[i].tolist()
        elif regions:
            cells = images.regions[i, :regions].tolist()
            picture = [sum(column) / regions for column in zip(*cells, strict=True)]
        rows = [{p: text.parts[p][i, t].tolist() for p in parts} for t in range(words)]
        expected = torch.tensor(slow_fusion(built.state_dict(), rows, picture)).double()
        torch.testing.assert_close(got[i, :words], expected, atol=1e-6, rtol=0)


def test_shares_and_mixture_by_hand():
    built = fusion(Sizes(("O",), image=1, parts={"word": 1, "char": 1}), width=1)
    # The word and its characters as they are; the picture u becomes 3 u - 1.
    for name, weight, bias in (("word", 1, 0), ("char", 1, 0), ("picture", 3, -1)):
        built.project[name].weight.data.fill_(weight)
        built.project[name].bias.data.fill_(bias)
    # e^a is e^0.8 for `much`, and half of that for `little`.
    much, little = (math.log(a / (1 - a)) for a in (0.8, 0.8 - math.log(2)))
    # Only the word's number depends on anything: on x_v, 2 with the picture, 0 without.
    built.score.weight.data = torch.tensor([[0, 0, (little - much) / 2], [0] * 3, [0] * 3]).double()
    built.score.bias.data = torch.tensor([much, little, much]).double()
    mask = torch.tensor([[True], [True]])
    parts = {"word": torch.full((2, 1, 1), 4.0), "char": torch.full((2, 1, 1), 8.0)}
    parts = {name: part.double() for name, part in parts.items()}
    present = torch.tensor([[True], [False]])
    images = ImageStates(torch.zeros(2, 1, 1).double(), present, present.double())
    got = built.mix(TextStates(parts["word"], mask, parts=parts), images)
    # With picture: shares 1 : 1 : 2, and 4/4 + 8/4 + 2 * 2/4 = 4. Without, where x_v is 0 and not
    # the map's bias -1: the word has twice the share of its characters, 2/3 * 4 + 1/3 * 8 = 16/3.
    torch.testing.assert_close(got.flatten(), torch.tensor([4, 16 / 3]).double())


EULER = math.e


@pytest.mark.parametrize(
    ("regions", "numbers", "shares"),
    [
        (1, [0, 1, 1], [1 / (1 + 2 * EULER), EULER / (1 + 2 * EULER)]),
        (1, [1, 0, 0], [EULER / (EULER + 2), 1 / (EULER + 2)]),
        (0, [0, 1, 1], [1 / (1 + EULER), EULER / (1 + EULER)]),
    ],
)
def test_no_modality_can_be_turned_off(regions, numbers, shares):
    """Numbers between 0 and 1 enter the softmax: its shares are bounded."""
    built = fusion(Sizes(("O",), image=1, parts={"word": 1, "char": 1}), width=2)
    # The mixture is (share of the word, share of the characters).
    for name, row in (("word", [1.0, 0]), ("char", [0, 1.0]), ("picture", [0, 0])):
        torch.nn.init.zeros_(built.project[name].weight)
        built.project[name].bias.data = torch.tensor(row).double()
    torch.nn.init.zeros_(built.score.weight)
    built.score.bias.data = torch.tensor([1e3 if a else -1e3 for a in numbers]).double()
    text, images = batch(words=(1,), regions=(regions,))
    parts = {"word": text.words[..., :1], "char": text.words[..., :1]}
    images = ImageStates(images.regions[..., :1], images.mask, images.vector[..., :1])
    got = built.mix(replace(text, parts=parts), images)
    torch.testing.assert_close(got.flatten(), torch.tensor(shares).double())


def test_a_mixed_batch_gives_what_separate_batches_give():
    built = fusion()
    for vector in (True, False):
        given = batch(vector=vector)
        mixed = built(*given).states
        for i, (words, regions) in enumerate(zip((4, 2, 3), (3, 1, 6), strict=True)):
            alone = built(*only(*given, i, words, regions)).states
            torch.testing.assert_close(mixed[i : i + 1, :words], alone)


@pytest.mark.parametrize("vector", [True, False])
def test_what_the_padding_holds_changes_nothing(vector):
    built = fusion()
    text, images = batch(vector=vector)
    before = built(text, images).states[text.mask]
    parts = {n: p.masked_fill(~text.mask[..., None], 50.0) for n, p in text.parts.items()}
    regions = images.regions.masked_fill(~images.mask[..., None], 50.0)
    after = built(replace(text, parts=parts), replace(images, regions=regions)).states[text.mask]
    torch.testing.assert_close(after, before, atol=1e-12, rtol=0)


def test_every_picture_of_a_sentence_counts_where_regions_are_averaged():
    built = fusion()
    text, images = batch(words=(3,), regions=(6,), vector=False)
    first = ImageStates(images.regions[:, :3], images.mask[:, :3])
    assert (built(text, images).states - built(text, first).states).abs().max() > 1e-3


def test_the_encoders_context_is_not_read():
    built = fusion()
    text, images = batch()
    other = replace(text, words=text.words + 1)
    assert torch.equal(built(text, images).states, built(other, images).states)


def test_gradient_is_the_fusions_slope_with_and_without_a_picture():
    built = fusion()
    text, images = batch(words=(2, 1), regions=(2, 0), vector=False)
    regions = images.regions.requires_grad_()

    def states(word, char, regions):
        given = replace(text, parts={"word": word, "char": char}), replace(images, regions=regions)
        return built(*given).states[text.mask]

    parts = [text.parts[name].requires_grad_() for name in PARTS]
    assert torch.autograd.gradcheck(states, (*parts, regions))


@pytest.mark.parametrize(
    ("words", "regions"), [((3, 2), (0, 0)), ((1,), (1,)), ((5, 1), (0, 4)), ((2, 0), (2, 0))]
)
def test_gradients_are_finite(words, regions):
    built = fusion().train()
    text, images = batch(words, regions, vector=False)
    regions = images.regions.requires_grad_()
    got = built(text, images).states
    assert got.isfinite().all()
    got[text.mask].square().sum().backward()
    gradients = [regions.grad, *(p.grad for p in built.parameters())]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert (regions.grad[~images.mask] == 0).all()


def test_the_announced_width_is_given_with_any_number_of_layers():
    for layers in (1, 2):
        built = fusion(layers=layers)
        assert built.width == 2 * HIDDEN
        assert built(*batch()).states.shape == (3, 4, 2 * HIDDEN)


def test_dropout_acts_on_x_and_on_f_in_training_only():
    """Each number of x is 0 or twice what it is in evaluation; half of F's are 0."""
    built, given, read = fusion(dropout=0.5), batch(words=(4, 4, 4)), []
    built.lstm.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].data))
    assert (built(*given).states != 0).all()
    torch.manual_seed(0)
    states = built.train()(*given).states
    whole, dropped = read
    lost = dropped == 0
    assert 0.2 < lost.double().mean() < 0.8
    torch.testing.assert_close(dropped, torch.where(lost, 0.0, 2 * whole))
    assert 0.2 < (states == 0).double().mean() < 0.8


def test_an_encoder_without_words_before_context_is_refused():
    with pytest.raises(UserError) as error:
        ModalityAttentionFusion(replace(SIZES, parts={"char": 3}))
    assert "fusion 'modality-attention'" in str(error.value)
    assert "part 'word'" in str(error.value)
    assert "--text-encoder bilstm" in str(error.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("width", 0), ("hidden", 0), ("layers", 0), ("dropout", 1.0), ("dropout", -0.1)],
)
def test_a_structure_that_cannot_be_built_is_an_error(option, value):
    settings = {"fusion.name": "modality-attention", f"fusion.{option}": value}
    with pytest.raises(UserError, match=f"fusion 'modality-attention': {option} = {value}"):
        Config.from_layers(settings=settings)


def test_weights_survive_saving():
    one, other = fusion(seed=0), fusion(seed=5)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(*batch()).states, other(*batch()).states)
