from dataclasses import replace

import pytest
import torch
from mmseq_layout.fusion import LayoutFusion, LayoutRegionsFusion

from mmseq import Config, ImageStates, Sizes, TextStates, UserError

D, E, CELLS = 10, 3, 4
SIZES = Sizes(labels=("O", "B-X", "I-X"), text=D, image=E, whole_page=True)
GRID = [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
WORDS, PICTURES = (4, 2, 3), (1, 0, 2)
BOTH = pytest.mark.parametrize("kind", [LayoutFusion, LayoutRegionsFusion])


def fusion(kind, seed=0, **options):
    """With large random weights, so that a wrong path shows."""
    torch.manual_seed(seed)
    built = kind(SIZES, **{"heads": 5, "bins": 20, **options}).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built


def batch(words=WORDS, pictures=PICTURES, seed=1):
    """Sentences with so many words and pictures, random values in the padding."""
    torch.manual_seed(seed)
    mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    corners = torch.randint(0, 1001, (*mask.shape, 2, 2)).sort(dim=2).values
    boxes = corners.flatten(2).float()
    text = TextStates(torch.randn(*mask.shape, D).double(), mask, extras={"boxes": boxes})
    most = max(*pictures, 1)
    number = torch.tensor(pictures)[:, None] * CELLS
    images = ImageStates(
        torch.randn(len(words), most * CELLS, E).double(),
        torch.arange(most * CELLS) < number,
        grid=torch.tensor(GRID).repeat(most, 1).expand(len(words), -1, -1),
        image_index=torch.arange(most).repeat_interleave(CELLS).expand(len(words), -1),
    )
    return text, images


def of(text, images, i, words, pictures):
    """Sentence i alone, without padding."""
    regions = max(pictures, 1) * CELLS
    boxes = text.extras["boxes"][i : i + 1, :words]
    return (
        TextStates(
            text.words[i : i + 1, :words], text.mask[i : i + 1, :words], extras={"boxes": boxes}
        ),
        ImageStates(
            images.regions[i : i + 1, :regions],
            images.mask[i : i + 1, :regions],
            grid=images.grid[i : i + 1, :regions],
            image_index=images.image_index[i : i + 1, :regions],
        ),
    )


def with_boxes(text, boxes):
    return replace(text, extras={"boxes": boxes})


@BOTH
def test_a_sentence_gives_the_same_whatever_is_in_its_batch(kind):
    built = fusion(kind)
    text, images = batch()
    mixed = built(text, images).states
    for i, (words, pictures) in enumerate(zip(WORDS, PICTURES, strict=True)):
        alone = built(*of(text, images, i, words, pictures)).states[0]
        torch.testing.assert_close(mixed[i, :words], alone, atol=1e-6, rtol=0)


@BOTH
def test_what_the_padding_holds_changes_nothing(kind):
    built = fusion(kind)
    text, images = batch()
    before = built(text, images).states[text.mask]
    padding = ~text.mask[..., None]
    text = replace(
        text,
        words=text.words.masked_fill(padding, 50.0),
        extras={"boxes": text.extras["boxes"].masked_fill(padding, 0.0)},
    )
    images = replace(images, regions=images.regions.masked_fill(~images.mask[..., None], 50.0))
    torch.testing.assert_close(built(text, images).states[text.mask], before, atol=1e-9, rtol=0)


@BOTH
def test_the_order_of_a_batch_does_not_matter(kind):
    built, order = fusion(kind), [2, 0, 1]
    text, images = batch()
    turned = (
        TextStates(
            text.words[order], text.mask[order], extras={"boxes": text.extras["boxes"][order]}
        ),
        ImageStates(images.regions[order], images.mask[order], grid=images.grid[order]),
    )
    torch.testing.assert_close(built(*turned).states, built(text, images).states[order])


@BOTH
def test_corners_may_come_in_any_order(kind):
    built = fusion(kind)
    text, images = batch()
    before = built(text, images).states[text.mask]
    turned = text.extras["boxes"][..., [2, 1, 0, 3]]
    torch.testing.assert_close(built(with_boxes(text, turned), images).states[text.mask], before)
    turned = text.extras["boxes"][..., [2, 3, 0, 1]]
    torch.testing.assert_close(built(with_boxes(text, turned), images).states[text.mask], before)


@pytest.mark.parametrize("bins", [0, 20])
def test_a_word_elsewhere_on_the_page_changes_the_others(bins):
    built = fusion(LayoutFusion, bins=bins)
    text, images = batch()
    boxes = text.extras["boxes"].clone()
    boxes[0, 1] = torch.tensor([900.0, 900.0, 950.0, 920.0])
    change = (built(text, None).states - built(with_boxes(text, boxes), None).states).abs()
    changed = change.amax(dim=-1) > 1e-6
    assert changed[0].tolist() == [True] * 4
    assert not changed[1:].any()


def test_without_positions_the_whole_page_may_be_shifted():
    built = fusion(LayoutFusion, bins=0)
    text, _ = batch()
    boxes = text.extras["boxes"] // 2
    shifted = boxes + torch.tensor([300.0, 100.0, 300.0, 100.0])
    here, there = (built(with_boxes(text, b), None).states[text.mask] for b in (boxes, shifted))
    torch.testing.assert_close(here, there)


def test_the_first_half_is_the_word_and_the_second_a_view():
    built = fusion(LayoutFusion)
    text, _ = batch()
    got = built(text, None)
    assert built.width == got.states.shape[-1] == 2 * D
    assert built.views == {"layout": D}
    torch.testing.assert_close(got.states, torch.cat([text.words, got.views["layout"]], dim=-1))


def test_the_picture_counts_where_there_is_one():
    built = fusion(LayoutRegionsFusion)
    text, images = batch()
    other = replace(images, regions=images.regions + 1)
    change = (built(text, images).states - built(text, other).states).abs().amax(dim=-1)
    words = zip(change, text.mask, strict=True)
    assert [(row[mask] > 1e-6).all().item() for row, mask in words] == [True, False, True]
    assert (change[1] == 0).all()


def test_without_a_picture_regions_are_plain_layout():
    built = fusion(LayoutRegionsFusion)
    plain = fusion(LayoutFusion)
    plain.load_state_dict(
        {n: t for n, t in built.state_dict().items() if not n.startswith("regions.")}
    )
    text, images = batch(pictures=(0, 0, 0))
    torch.testing.assert_close(built(text, images).states, plain(text, None).states)


def test_it_begins_as_plain_layout():
    torch.manual_seed(0)
    built = LayoutRegionsFusion(SIZES, heads=5).double().eval()
    text, images = batch()
    blind = replace(images, mask=torch.zeros_like(images.mask))
    torch.testing.assert_close(built(text, images).states, built(text, blind).states)


@BOTH
@pytest.mark.parametrize(
    ("words", "pictures"), [((3, 2), (0, 0)), ((1,), (0,)), ((1,), (2,)), ((2, 0), (1, 0))]
)
def test_gradients_are_finite(kind, words, pictures):
    built = fusion(kind).train()
    text, images = batch(words, pictures)
    text = replace(text, words=text.words.requires_grad_())
    images = replace(images, regions=images.regions.requires_grad_())
    got = built(text, images).states
    assert got.isfinite().all()
    got[text.mask].square().sum().backward()
    assert text.words.grad.isfinite().all()
    # The bias tables of distances that do not occur, say, have no share: 0, but never missing.
    assert all(p.grad is not None and p.grad.isfinite().all() for p in built.parameters())
    if kind is LayoutRegionsFusion:
        assert images.regions.grad.isfinite().all()
        assert (images.regions.grad[~images.mask] == 0).all()


def test_gradient_is_the_fusions_slope():
    built = fusion(LayoutRegionsFusion, layers=1, expansion=1)
    text, images = batch(words=(2, 1), pictures=(1, 0))
    regions = images.regions.requires_grad_()

    def states(words, regions):
        return built(replace(text, words=words), replace(images, regions=regions)).states[text.mask]

    assert torch.autograd.gradcheck(states, (text.words.requires_grad_(), regions))


def test_dropout_acts_in_training_only():
    built = fusion(LayoutFusion, dropout=0.5)
    text, _ = batch()
    assert torch.equal(built(text, None).states, built(text, None).states)
    built.train()
    assert not torch.equal(built(text, None).states, built(text, None).states)


def test_an_image_encoder_that_crops_is_refused_with_the_remedy():
    with pytest.raises(UserError, match=r"--set image_encoder\.fit=page"):
        LayoutRegionsFusion(replace(SIZES, whole_page=False), heads=5)


@BOTH
@pytest.mark.parametrize(
    ("option", "value"),
    [("heads", 0), ("layers", 0), ("bins", -1), ("expansion", 0), ("dropout", 1.0)],
)
def test_options_that_cannot_be_are_told(kind, option, value):
    with pytest.raises(UserError, match=f"fusion '{kind.name}': {option} = {value}"):
        Config.from_layers(settings={"fusion.name": kind.name, f"fusion.{option}": value})


@BOTH
def test_heads_that_do_not_divide_the_width_are_told(kind):
    with pytest.raises(UserError, match=f"fusion '{kind.name}': heads = 3"):
        fusion(kind, heads=3)
