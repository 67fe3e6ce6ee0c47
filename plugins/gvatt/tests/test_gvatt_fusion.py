import math
from dataclasses import replace

import pytest
import torch
from mmseq_gvatt.fusion import GvattFusion

from mmseq import Config, ImageStates, Sizes, TextStates, UserError
from mmseq.testing import check_fusion

D, S, E, A = 5, 4, 6, 3
SIZES = Sizes(labels=("O", "B-PER", "I-PER"), text=D, sentence=S, image=E)
JOINS = pytest.mark.parametrize("join", ["concatenate", "add"])


def fusion(join="concatenate", seed=0, sizes=SIZES, **options):
    """A fusion with large random weights, so that a wrong path shows."""
    torch.manual_seed(seed)
    built = GvattFusion(sizes, join=join, **{"attention": A, **options}).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return built


def batch(words=(4, 2, 3), regions=(3, 0, 6), seed=1):
    """Sentences with so many words and regions (0: no picture), random values in the padding."""
    torch.manual_seed(seed)
    word_mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    region_mask = torch.arange(max(*regions, 1)) < torch.tensor(regions)[:, None]
    vectors = torch.randn(*word_mask.shape, D, dtype=torch.double)
    sentence = torch.randn(len(words), S, dtype=torch.double)
    text = TextStates(vectors, word_mask, sentence)
    images = ImageStates(torch.randn(*region_mask.shape, E, dtype=torch.double), region_mask)
    return text, images


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def papers_weights(built):
    """The weights by the letters of the equations, as lists of numbers."""
    w = {
        "W_t": built.sentence.weight,
        "W_v": built.region.weight,
        "W_a": built.region_score.weight[0],
    }
    if built.join == "concatenate":
        w["W_a"] = torch.cat([built.sentence_score.weight[0], built.region_score.weight[0]])
        w["b"] = built.sentence_score.bias[0]
    gates = {"v": built.visual_gate, "w": built.word_gate, "m": built.modulation}
    for letter, gate in gates.items():
        w[f"{letter}.W"], w[f"{letter}.b"] = gate.word.weight, gate.word.bias
        w[f"{letter}.U"] = gate.picture.weight
    return {name: tensor.tolist() for name, tensor in w.items()}


def slow_fusion(w, words, sentence, regions, join):
    """The equations for one sentence, one number at a time: lists of vectors, no padding."""
    asked = [dot(row, sentence) for row in w["W_t"]]
    scores = []
    for region in regions:
        seen = [dot(row, region) for row in w["W_v"]]
        if join == "concatenate":
            joined = [math.tanh(x) for x in asked] + [math.tanh(x) for x in seen]
            scores.append(dot(w["W_a"], joined) + w["b"])
        else:
            added = [math.tanh(x + y) for x, y in zip(asked, seen, strict=True)]
            scores.append(dot(w["W_a"], added))
    total = sum(math.exp(score) for score in scores)
    context = [0.0] * E
    for score, region in zip(scores, regions, strict=True):
        for k in range(E):
            context[k] += math.exp(score) / total * region[k]

    fused = []
    for word in words:

        def raw(letter, k, word=word):
            both = dot(w[f"{letter}.W"][k], word) + dot(w[f"{letter}.U"][k], context)
            return both + w[f"{letter}.b"][k]

        # Without a picture there is no visual term, whatever the biases say.
        visual = [
            sigmoid(raw("v", k)) * math.tanh(raw("m", k)) if regions else 0.0 for k in range(D)
        ]
        fused.append([sigmoid(raw("w", k)) * word[k] + visual[k] for k in range(D)])
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
            text.vector[i].tolist(),
            images.regions[i, :regions].tolist(),
            join,
        )
        expected = torch.tensor(one, dtype=torch.double)
        torch.testing.assert_close(got[i, :words], expected, atol=1e-12, rtol=0)


def by_hand(join):
    """One word, one number a vector; weights chosen so that every step is a plain fraction."""
    sizes = replace(SIZES, text=1, sentence=1, image=1)
    built = GvattFusion(sizes, attention=1, join=join).double().eval()
    log2, log3 = math.log(2), math.log(3)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
        built.sentence.weight.fill_(log3)
        built.region.weight.fill_(log2)
        built.region_score.weight.fill_(5 * log2)
        if built.sentence_score is not None:
            built.sentence_score.weight.fill_(7.0)
            built.sentence_score.bias.fill_(-2.0)
        built.visual_gate.word.bias.fill_(log3)
        built.word_gate.word.weight.fill_(log3)
        built.word_gate.picture.weight.fill_(-log3)
        built.modulation.picture.weight.fill_(2 * log2)
    mask = torch.ones(1, 1, dtype=torch.bool)
    text = TextStates(torch.ones(1, 1, 1).double(), mask, torch.ones(1, 1).double())
    return built, text


def test_the_equations_by_hand():
    built, text = by_hand("concatenate")
    regions = torch.tensor([[[1.0], [0.0]]]).double()
    got = built(text, ImageStates(regions, torch.ones(1, 2, dtype=torch.bool)))
    # tanh(log 2) = (2 - 1/2) / (2 + 1/2) = 3/5, so W_a P_v is 5 log 2 * 3/5 = log 8 and 0; what
    # the sentence adds is the same for both. alpha = 8/9, 1/9; v_c = 8/9.
    # beta_w = sigmoid(log 3 - 8/9 log 3) = 3^(1/9) / (3^(1/9) + 1); beta_v = sigmoid(log 3) = 3/4;
    # m = tanh(2 log 2 * 8/9) = (4^(16/9) - 1) / (4^(16/9) + 1).
    root, power = 3 ** (1 / 9), 4 ** (16 / 9)
    text_term, image_term = root / (root + 1), 3 / 4 * (power - 1) / (power + 1)
    assert got.views["text"].item() == pytest.approx(text_term, abs=1e-12)
    assert got.views["image"].item() == pytest.approx(image_term, abs=1e-12)
    assert got.states.item() == pytest.approx(text_term + image_term, abs=1e-12)


def test_the_added_attention_by_hand():
    built, text = by_hand("add")
    with torch.no_grad():
        built.sentence.weight.fill_(math.log(2))
        built.region_score.weight.fill_(17 * math.log(2))
    regions = torch.tensor([[[1.0], [0.0]]]).double()
    got = built(text, ImageStates(regions, torch.ones(1, 2, dtype=torch.bool)))
    # tanh(2 log 2) = (4 - 1/4) / (4 + 1/4) = 15/17 and tanh(log 2) = 3/5: the scores differ by
    # 17 log 2 * (15/17 - 3/5) = 4.8 log 2. With e = 2^4.8: v_c = alpha_1 = e / (e + 1),
    # m = tanh(2 v_c log 2), and beta_v = 3/4 as above.
    context = 2**4.8 / (2**4.8 + 1)
    expected = 3 / 4 * math.tanh(2 * context * math.log(2))
    assert got.views["image"].item() == pytest.approx(expected, abs=1e-12)


def test_without_a_picture_a_word_passes_through_its_own_gate_by_hand():
    built, text = by_hand("concatenate")
    # The visual gate's bias says 3/4 and the modulation's would say tanh(log 2): there is neither.
    built.modulation.word.bias.data.fill_(math.log(2))
    nothing = ImageStates(torch.ones(1, 2, 1).double(), torch.zeros(1, 2, dtype=torch.bool))
    got = built(text, nothing)
    # beta_w = sigmoid(log 3) = 3/4 of the word 1.
    assert got.states.item() == pytest.approx(3 / 4, abs=1e-12)
    assert got.views["image"].item() == 0


def test_printed_attention_does_not_depend_on_the_sentence():
    built = fusion("concatenate")
    text, images = batch()
    before = built(text, images).states
    other = replace(text, vector=text.vector * -3 + 1)
    torch.testing.assert_close(built(other, images).states, before, atol=1e-12, rtol=0)
    before.square().sum().backward()
    for parameter in (built.sentence.weight, *built.sentence_score.parameters()):
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter), atol=1e-12, rtol=0)


def test_added_attention_depends_on_the_sentence():
    built = fusion("add")
    text, images = batch()
    other = replace(text, vector=text.vector * -3 + 1)
    change = (built(text, images).states - built(other, images).states).abs().amax((1, 2))
    assert (change[[0, 2]] > 1e-2).all()
    assert change[1] == 0


@JOINS
def test_gradient_is_the_fusions_slope_with_and_without_a_picture(join):
    built = fusion(join)
    text, images = batch(words=(2, 1), regions=(2, 0))

    def states(words, vector, regions):
        given = replace(text, words=words, vector=vector), replace(images, regions=regions)
        return built(*given).states[text.mask]

    inputs = (text.words, text.vector, images.regions)
    assert torch.autograd.gradcheck(states, tuple(x.requires_grad_() for x in inputs))


def test_views_are_the_two_terms_of_the_fused_states():
    built = fusion()
    got = built(*batch())
    torch.testing.assert_close(got.views["text"] + got.views["image"], got.states)
    assert {name: view.shape[-1] for name, view in got.views.items()} == built.views
    assert got.states.shape == (3, 4, built.width) == (3, 4, D)
    assert (got.views["image"][1] == 0).all()
    assert (got.views["image"][[0, 2]].abs().amax(-1) > 0).all()


def test_regions_of_all_pictures_share_one_attention():
    built = fusion()
    text, images = batch(words=(3,), regions=(6,))
    both = built(text, images).states
    turned = replace(images, regions=images.regions[:, [3, 4, 5, 0, 1, 2]])
    torch.testing.assert_close(built(text, turned).states, both, atol=1e-12, rtol=0)
    first = built(text, ImageStates(images.regions[:, :3], images.mask[:, :3])).states
    assert (both - first).abs().max() > 1e-3


def test_an_encoder_without_a_sentence_vector_is_an_error():
    with pytest.raises(UserError) as error:
        fusion(sizes=replace(SIZES, sentence=0))
    assert str(error.value).startswith("fusion 'gvatt' ")
    assert "sentence vector" in str(error.value)
    assert "bilstm with layers >= 1" in str(error.value)


def test_dropout_is_on_w_alone():
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
    with pytest.raises(UserError, match=f"fusion 'gvatt': {option} = {value}"):
        Config.from_layers(settings={"fusion.name": "gvatt", f"fusion.{option}": value})


@JOINS
def test_it_keeps_the_contract_of_a_fusion(join):
    """Masks, batches, gradients, state: with both ways of joining."""
    check_fusion("gvatt", join=join)
