import math

import pytest
import torch
from mmseq_mlmner.contrastive import ContrastiveTask

from mmseq import Config, Sizes, Targets, UserError

SIZES = Sizes(labels=("O", "B-PER"), text=4, image=3, views={"text": 4, "image": 4})


def batch(words=(3, 1, 2), pictures=(True, True, True), seed=0):
    torch.manual_seed(seed)
    mask = torch.arange(max(words)) < torch.tensor(words)[:, None]
    views = {
        name: torch.randn(*mask.shape, 4, dtype=torch.double, requires_grad=True)
        for name in ("text", "image")
    }
    tags = torch.zeros(mask.shape, dtype=torch.long)
    return views, Targets(mask, torch.tensor(pictures), tags)


def loss(views, targets, **options):
    task = ContrastiveTask(SIZES, **options)
    return task(views, targets, torch.zeros(*targets.mask.shape, 2)).loss


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def slow_loss(views, targets, temperature, mix):
    """Eq. 3-5 with a plus sign, written out, over the sentences that have a picture."""
    paired = [i for i, present in enumerate(targets.has_image.tolist()) if present]
    words = targets.mask.sum(1).tolist()
    text = [mean(views["text"][i, : words[i]].tolist()) for i in paired]
    image = [mean(views["image"][i, : words[i]].tolist()) for i in paired]

    def one(i, own, others):
        scores = [math.exp(cosine(own[i], other) / temperature) for other in others]
        return -math.log(scores[i] / sum(scores))

    return sum(
        mix * one(i, image, text) + (1 - mix) * one(i, text, image) for i in range(len(paired))
    )


@pytest.mark.parametrize("pictures", [(True, True, True), (True, False, True)])
@pytest.mark.parametrize("options", [{}, {"temperature": 0.7, "mix": 0.2}])
def test_loss_follows_the_equations(pictures, options):
    views, targets = batch(pictures=pictures)
    expected = slow_loss(views, targets, **{"temperature": 0.1, "mix": 0.75, **options})
    assert loss(views, targets, **options).item() == pytest.approx(expected)


def test_two_pairs_by_hand():
    # cos: own 1, other 0. Each direction: -log(e^2 / (e^2 + 1)) = log(1 + e^-2).
    vectors = torch.tensor([[[1.0, 0, 0, 0]], [[0, 3.0, 0, 0]]])
    targets = Targets(torch.ones(2, 1, dtype=torch.bool), torch.ones(2).bool(), torch.zeros(2, 1))
    got = loss({"text": vectors, "image": 5 * vectors}, targets, temperature=0.5, mix=0.3)
    assert got.item() == pytest.approx(2 * math.log(1 + math.exp(-2)))


def test_the_equations_by_hand():
    # Means over the real words: T = (1, 0) and (3, 4), M = (2, 0) and (0, 1).
    text = torch.tensor([[[3.0, 4], [-1, -4]], [[3, 4], [9, 9]]])
    image = torch.tensor([[[1.0, 0], [3, 0]], [[0, 1], [9, 9]]])
    mask = torch.tensor([[True, True], [True, False]])
    targets = Targets(mask, torch.ones(2).bool(), torch.zeros(2, 2))
    # cos(M_1, T_1) = 1, cos(M_1, T_2) = 3/5, cos(M_2, T_1) = 0, cos(M_2, T_2) = 4/5; t = 1/5.
    e0, e3, e4, e5 = (math.exp(n) for n in (0, 3, 4, 5))
    to_text = -math.log(e5 / (e5 + e3)) - math.log(e4 / (e4 + e0))
    to_image = -math.log(e5 / (e5 + e0)) - math.log(e4 / (e4 + e3))
    got = loss({"text": text, "image": image}, targets, temperature=0.2, mix=0.75)
    assert got.item() == pytest.approx(0.75 * to_text + 0.25 * to_image)


def test_mix_is_the_share_of_finding_the_text_for_the_image():
    # Both images point at the first text: the text is found for one image of two.
    text = torch.tensor([[[1.0, 0, 0, 0]], [[0, 1.0, 0, 0]]])
    image = torch.tensor([[[1.0, 0, 0, 0]], [[1.0, 0, 0, 0]]])
    targets = Targets(torch.ones(2, 1, dtype=torch.bool), torch.ones(2).bool(), torch.zeros(2, 1))
    views = {"text": text, "image": image}
    to_text = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))
    to_image = 2 * math.log(2)
    assert loss(views, targets, temperature=1.0, mix=1.0).item() == pytest.approx(to_text)
    assert loss(views, targets, temperature=1.0, mix=0.0).item() == pytest.approx(to_image)


def test_minimising_draws_pairs_together():
    views, targets = batch(words=(1, 1), pictures=(True, True))
    loss(views, targets, temperature=1.0).backward()
    text, image = views["text"].detach(), views["image"].detach()
    stepped = text - 0.01 * views["text"].grad

    def gap(text):
        similar = torch.cosine_similarity(text[:, None, 0], image[None, :, 0], dim=-1)
        return (similar.trace() - similar.flip(0).trace()).item()

    assert gap(stepped) > gap(text)


def test_count_is_the_number_of_sentences_with_a_picture():
    _, targets = batch(pictures=(True, False, True))
    assert ContrastiveTask(SIZES).count(targets) == 2


def test_a_sentence_without_picture_is_in_neither_sum():
    views, targets = batch(pictures=(True, False, True))
    before = loss(views, targets)
    before.backward()
    changed = {name: view.detach().clone() for name, view in views.items()}
    changed["text"][1] = 9.0
    torch.testing.assert_close(loss(changed, targets), before)
    assert (views["text"].grad[1] == 0).all()


def test_padding_does_not_matter():
    views, targets = batch()
    changed = {n: v.detach().masked_fill(~targets.mask[..., None], 9.0) for n, v in views.items()}
    torch.testing.assert_close(loss(changed, targets), loss(views, targets))


@pytest.mark.parametrize(
    ("words", "pictures"),
    [((2, 3), (False, False)), ((2, 3), (False, True)), ((1,), (True,)), ((1, 0), (True, False))],
)
def test_no_pair_and_one_pair_cost_nothing(words, pictures):
    views, targets = batch(words, pictures)
    got = loss(views, targets)
    got.backward()
    assert got.item() == pytest.approx(0, abs=1e-12)
    assert all(view.grad.abs().max() < 1e-12 for view in views.values())


def test_the_length_of_vectors_does_not_matter():
    views, targets = batch()
    before = loss(views, targets)
    short = {name: view / 1000 for name, view in views.items()}
    torch.testing.assert_close(loss(short, targets), before)


def test_a_zero_vector_has_finite_gradients():
    views, targets = batch()
    views["image"].data[0] = 0.0
    loss(views, targets).backward()
    assert all(view.grad.isfinite().all() for view in views.values())


def test_gradient_is_the_losss_slope():
    views, targets = batch(pictures=(True, False, True))
    assert torch.autograd.gradcheck(
        lambda text, image: loss({"text": text, "image": image}, targets), tuple(views.values())
    )


def test_half_precision_views_are_compared_in_full():
    views, targets = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = loss({name: view.bfloat16() for name, view in views.items()}, targets)
    rounded = {name: view.bfloat16().double() for name, view in views.items()}
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(loss(rounded, targets).item(), rel=1e-5)


def test_without_tags_the_loss_is_0():
    views, targets = batch()
    assert loss(views, Targets(targets.mask, targets.has_image)).item() == 0


def test_there_is_nothing_to_save():
    assert ContrastiveTask(SIZES).state_dict() == {}


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"temperature": -1.0}, {"mix": 1.1}, {"mix": -0.1}]
)
def test_impossible_options_are_errors(options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"aux task 'contrastive': {name} = {value}"):
        Config.from_layers(aux=["contrastive"], settings={f"aux.contrastive.{name}": value})


def test_views_of_different_widths_are_refused():
    sizes = Sizes(labels=("O",), views={"text": 4, "image": 6})
    with pytest.raises(UserError, match="4 and 6 wide"):
        ContrastiveTask(sizes)


def test_its_weight_is_the_papers_and_its_parts_do_not_add_up():
    assert ContrastiveTask.weight == 0.5
    # Each batch's pairs are told from each other: two halves are not the whole.
    assert not ContrastiveTask.additive
