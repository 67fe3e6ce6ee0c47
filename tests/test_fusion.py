from dataclasses import replace

import pytest
import torch

from mmseq.builtins.fusion import ConcatFusion, GateFusion, NoFusion, PooledPicture
from mmseq.config.config import Config
from mmseq.contracts.states import ImageStates, Sizes, TextStates
from mmseq.errors import UserError

SIZES = Sizes(labels=("O", "B-X", "I-X"), text=6, image=4)
PICTURED = {"concat": lambda: ConcatFusion(SIZES, width=5, dropout=0.0)}
PICTURED["gate"] = lambda: GateFusion(SIZES, dropout=0.0)
EVERY = {"none": lambda: NoFusion(SIZES, dropout=0.0), **PICTURED}
pictured = pytest.mark.parametrize("make", PICTURED.values(), ids=PICTURED)
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)

WORDS = torch.tensor([3, 2, 1])
# Two pictures of two regions, none, one.
REGIONS = torch.tensor([4, 0, 2])


def text():
    words = torch.randn(3, 3, 6, generator=torch.Generator().manual_seed(0))
    return TextStates(words, torch.arange(3)[None, :] < WORDS[:, None])


def images(*, vector=True):
    draw = torch.Generator().manual_seed(1)
    regions = torch.randn(3, 4, 4, generator=draw)
    mask = torch.arange(4)[None, :] < REGIONS[:, None]
    pooled = torch.randn(3, 4, generator=draw) * mask.any(dim=1, keepdim=True)
    return ImageStates(regions * mask[..., None], mask, pooled if vector else None)


def only(states, row):
    """One sentence as a batch of its own, without padding."""
    if isinstance(states, TextStates):
        length = int(states.mask[row].sum())
        return TextStates(states.words[row : row + 1, :length], states.mask[row : row + 1, :length])
    length = max(1, int(states.mask[row].sum()))
    vector = None if states.vector is None else states.vector[row : row + 1]
    return ImageStates(
        states.regions[row : row + 1, :length], states.mask[row : row + 1, :length], vector
    )


@every
def test_shapes_are_those_announced(make):
    fusion = make()
    fused = fusion(text(), images())
    assert fused.states.shape == (3, 3, fusion.width)
    assert {name: view.shape for name, view in fused.views.items()} == {
        name: (3, 3, width) for name, width in fusion.views.items()
    }


def test_without_fusion_the_text_goes_through_and_no_picture_is_needed():
    assert NoFusion(SIZES, dropout=0.0)(text(), None).states.equal(text().words)
    assert not NoFusion.needs_images
    assert ConcatFusion.needs_images
    assert GateFusion.needs_images


def pooled(fusion, vector):
    """Linear, GELU and layer norm of a pooled picture, from their definitions."""
    linear, _, norm = fusion.picture.project
    hidden = vector @ linear.weight.T + linear.bias
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    spread = hidden.var(dim=-1, keepdim=True, unbiased=False) + norm.eps
    return (hidden - hidden.mean(dim=-1, keepdim=True)) / spread.sqrt() * norm.weight + norm.bias


@pictured
def test_the_formula_of_the_docstring(make):
    fusion, given = make(), images()
    x = text().words
    v = pooled(fusion, given.vector) * given.present[:, None]
    both = torch.cat([x, v[:, None].expand(-1, 3, -1)], dim=-1)
    mixed = torch.nn.functional.gelu(both @ fusion.mix[0].weight.T + fusion.mix[0].bias)
    image = v[:, None].expand(-1, 3, -1)
    if isinstance(fusion, GateFusion):
        gate = 1 / (1 + (-(both @ fusion.gate.weight.T + fusion.gate.bias)).exp())
        mixed = gate * mixed * given.present[:, None, None]
        image = mixed
    fused = fusion(text(), given)
    torch.testing.assert_close(fused.states, torch.cat([x, mixed], dim=-1))
    torch.testing.assert_close(fused.views["text"], x)
    torch.testing.assert_close(fused.views["image"], image)


@pictured
def test_without_a_picture_the_picture_part_is_exactly_zero(make):
    fused = make()(text(), images())
    assert not fused.views["image"][1].any()
    assert fused.views["image"][[0, 2]].any()


def test_without_a_picture_the_gate_leaves_the_word_alone():
    states = GateFusion(SIZES, dropout=0.0)(text(), images()).states[1]
    assert states[:, :6].equal(text().words[1])
    assert not states[:, 6:].any()


@every
@pytest.mark.parametrize("vector", [True, False])
def test_a_mixed_batch_gives_what_separate_batches_give(make, vector):
    fusion, words, pictures = make(), text(), images(vector=vector)
    together = fusion(words, pictures)
    for row, length in enumerate(WORDS.tolist()):
        alone = fusion(only(words, row), only(pictures, row))
        torch.testing.assert_close(
            alone.states[0], together.states[row, :length], atol=1e-6, rtol=0
        )
        for name in fusion.views:
            torch.testing.assert_close(
                alone.views[name][0], together.views[name][row, :length], atol=1e-6, rtol=0
            )


@every
def test_padding_does_not_matter(make):
    fusion, words, pictures = make(), text(), images(vector=False)
    changed = replace(words, words=words.words.masked_fill(~words.mask[..., None], 77.0))
    wild = replace(pictures, regions=pictures.regions.masked_fill(~pictures.mask[..., None], -55.0))
    first, second = fusion(words, pictures).states, fusion(changed, wild).states
    assert first[words.mask].equal(second[words.mask])


@pictured
@pytest.mark.parametrize("vector", [True, False])
def test_every_parameter_gets_a_gradient(make, vector):
    fusion = make()
    fusion(text(), images(vector=vector)).states.square().sum().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
        assert parameter.grad.isfinite().all(), name


@pictured
def test_a_batch_without_any_picture_keeps_every_weight_in_the_graph(make):
    fusion = make()
    nothing = ImageStates(torch.zeros(3, 1, 4), torch.zeros(3, 1, dtype=torch.bool))
    fusion(text(), replace(nothing, vector=torch.zeros(3, 4))).states.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in fusion.parameters())


def test_without_a_pooled_state_the_picture_is_the_mean_of_its_real_regions():
    picture = PooledPicture(2, 3)
    regions = torch.tensor([[[1.0, 5.0], [3.0, 1.0], [99.0, 99.0]], [[7.0] * 2] * 3])
    mask = torch.tensor([[True, True, False], [False] * 3])
    found = picture(ImageStates(regions, mask))
    pooled_by_hand = torch.tensor([[2.0, 3.0], [0.0, 0.0]])
    expected = picture(ImageStates(regions, mask, pooled_by_hand))
    torch.testing.assert_close(found, expected)
    assert not found[1].any()


@pytest.mark.parametrize("fusion", [NoFusion, ConcatFusion, GateFusion])
def test_dropout_acts_in_training_only(fusion):
    made = fusion(SIZES, dropout=0.5)
    assert made(text(), images()).states.eq(0).any()
    made.eval()
    assert made(text(), images()).states.equal(made(text(), images()).states)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("none", "dropout", 1.0), ("concat", "dropout", -0.1), ("concat", "width", 0)]
    + [("gate", "dropout", 1.5)],
)
def test_senseless_options_are_a_users_error(name, option, value):
    with pytest.raises(UserError, match=f"fusion '{name}': {option} = {value}"):
        Config.from_layers(settings={"fusion.name": name, f"fusion.{option}": value})
