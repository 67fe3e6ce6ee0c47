import math
from dataclasses import replace

import pytest
import torch
from mmseq_film.fusion import FilmFusion

from mmseq import Config, ImageStates, Sizes, TextStates, UserError
from mmseq.testing import check_fusion

D, E = 5, 3
SIZES = Sizes(labels=("O", "B-PER", "I-PER"), text=D, image=E)
WORDS, REGIONS = (4, 2, 3), (2, 0, 5)
"""Of each sentence; the second has no picture"""


def fusion(blocks):
    """A fusion with large random weights and biases, so that a wrong path shows."""
    torch.manual_seed(0)
    built = FilmFusion(SIZES, blocks=blocks).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return built


def batch():
    """Random words and regions, in the padding too."""
    torch.manual_seed(1)
    words = torch.arange(max(WORDS)) < torch.tensor(WORDS)[:, None]
    regions = torch.arange(max(REGIONS)) < torch.tensor(REGIONS)[:, None]
    text = TextStates(torch.randn(*words.shape, D, dtype=torch.double), words)
    return text, ImageStates(torch.randn(*regions.shape, E, dtype=torch.double), regions)


def linear(layer, vector):
    """Its output for a list of numbers, one number at a time."""
    biases = [0.0] * len(layer.weight) if layer.bias is None else layer.bias.tolist()
    rows = zip(layer.weight.tolist(), biases, strict=True)
    return [sum(w * x for w, x in zip(row, vector, strict=True)) + bias for row, bias in rows]


def slow_block(block, word, picture):
    """The block's equations for one word; `picture` is None where the sentence has none."""
    gamma = [1.0] * D if picture is None else [1 + g for g in linear(block.scale, picture)]
    beta = [0.0] * D if picture is None else linear(block.shift, picture)
    r = [max(0.0, value) for value in linear(block.enter, word)]
    features = linear(block.features, r)
    mean = sum(features) / D
    variance = sum((value - mean) ** 2 for value in features) / D
    # The small number keeps a word whose features are all alike from a division by 0.
    normed = [(value - mean) / math.sqrt(variance + block.norm.eps) for value in features]
    return [r[c] + max(0.0, gamma[c] * normed[c] + beta[c]) for c in range(D)]


@pytest.mark.parametrize("blocks", [1, 3])
def test_fusion_follows_the_equations_for_each_word(blocks):
    built, (text, images) = fusion(blocks), batch()
    got = built(text, images).states
    for i, (words, regions) in enumerate(zip(WORDS, REGIONS, strict=True)):
        seen = images.regions[i, :regions].tolist()
        picture = [sum(column) / regions for column in zip(*seen, strict=True)] if seen else None
        for j in range(words):
            word = text.words[i, j].tolist()
            for block in built.blocks:
                word = slow_block(block, word, picture)
            assert got[i, j].tolist() == pytest.approx(word, abs=1e-12)


def by_hand():
    """Words of two numbers, pictures of one, one block; U and V are the identity."""
    built = FilmFusion(replace(SIZES, text=2, image=1), blocks=1).double().eval()
    (block,) = built.blocks
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
        block.enter.weight.copy_(torch.eye(2))
        block.features.weight.copy_(torch.eye(2))
        block.scale.weight.copy_(torch.tensor([[2.0], [-3.0]]))
        block.scale.bias.fill_(0.5)
        block.shift.bias.copy_(torch.tensor([1.0, 7.0]))
    block.norm.eps = 0.0
    words = torch.tensor([[[5.0, -1.0], [1.0, 3.0]]]).double()
    return built, TextStates(words, torch.ones(1, 2, dtype=torch.bool))


def test_the_equations_by_hand():
    built, text = by_hand()
    picture = ImageStates(torch.ones(1, 1, 1).double(), torch.ones(1, 1, dtype=torch.bool))
    # gamma = 1 + (2, -3) + 0.5 = (3.5, -1.5); beta = (1, 7).
    # Word (5, -1): r = ReLU = (5, 0), F = (1, -1): r + ReLU(3.5 + 1, 1.5 + 7) = (9.5, 8.5).
    # Word (1, 3): r = (1, 3), F = (-1, 1): r + ReLU(-3.5 + 1, -1.5 + 7) = (1, 3) + (0, 5.5).
    assert built(text, picture).states.tolist() == [[[9.5, 8.5], [1.0, 8.5]]]


def test_without_a_picture_nothing_is_modulated_by_hand():
    built, text = by_hand()
    nothing = ImageStates(torch.ones(1, 1, 1).double(), torch.zeros(1, 1, dtype=torch.bool))
    # gamma = (1, 1) and beta = (0, 0) whatever the biases say: r + ReLU(F) = (5, 0) + (1, 0) and
    # (1, 3) + (0, 1).
    assert built(text, nothing).states.tolist() == [[[6.0, 0.0], [1.0, 4.0]]]


def test_what_the_picture_teaches_does_not_touch_a_sentence_without_one():
    built, (text, images) = fusion(2), batch()
    before = built(text, images).states
    with torch.no_grad():
        for block in built.blocks:
            for layer in (block.scale, block.shift):
                layer.weight.add_(1.0)
                layer.bias.add_(1.0)
    change = (built(text, images).states - before).abs().amax(dim=(1, 2))
    assert (change[[0, 2]] > 0.1).all()
    assert change[1] == 0


def test_gradient_is_the_fusions_slope_with_and_without_a_picture():
    built, (text, images) = fusion(2), batch()

    def states(words, regions):
        given = replace(text, words=words), replace(images, regions=regions)
        return built(*given).states[text.mask]

    inputs = (text.words.requires_grad_(), images.regions.requires_grad_())
    assert torch.autograd.gradcheck(states, inputs)


@pytest.mark.parametrize("blocks", [1, 4])
def test_it_keeps_the_contract_of_a_fusion(blocks):
    check_fusion("film", blocks=blocks)


@pytest.mark.parametrize(("option", "value"), [("blocks", 0), ("dropout", 1.0)])
def test_options_out_of_range_are_errors(option, value):
    with pytest.raises(UserError, match=f"fusion 'film': {option} = {value}"):
        Config.from_layers(settings={"fusion.name": "film", f"fusion.{option}": value})


def test_the_preset_is_bert_crf_with_the_fusion():
    bare = Config.from_preset("bert-crf").tables()
    whole = Config.from_preset("film-bert-crf").tables()
    for section in ("text_encoder", "decoder", "train"):
        assert whole[section] == bare[section]
    assert whole["fusion"] == {"name": "film", "blocks": 4, "dropout": 0.1}
