import math

import pytest
import torch
from mmseq_mlmner.distances import cosine_loss, margin_loss


def line(position):
    """A word of type 0 on a line with centres 0 (its own) and 1."""
    vector = torch.tensor([[position]], dtype=torch.double, requires_grad=True)
    return vector, torch.tensor([0]), torch.tensor([[0.0], [1.0]]).double(), torch.ones(2).bool()


@pytest.mark.parametrize(
    ("position", "expected"), [(0.5, 1.5), (-0.5, -0.5), (-0.01, -0.99), (0.0, 0.0)]
)
def test_cosine_loss_in_one_dimension(position, expected):
    arguments = line(position)
    got = cosine_loss(*arguments)
    got.backward()
    assert got.item() == pytest.approx(expected)
    assert arguments[0].grad.isfinite().all()


def test_a_word_on_another_types_centre_is_finite():
    arguments = line(1.0)
    got = cosine_loss(*arguments)
    got.backward()
    assert got.item() == pytest.approx(1.0)  # the distance; the cosine with nothing is 0
    assert arguments[0].grad.isfinite().all()


@pytest.mark.parametrize(
    ("position", "expected"), [(0.5, 0.5 + 0.5), (-0.5, 0.5), (0.9, 0.9 + 0.9), (0.0, 0.0)]
)
def test_margin_loss_in_one_dimension(position, expected):
    arguments = line(position)
    got = margin_loss(*arguments, margin=1.0)
    got.backward()
    assert got.item() == pytest.approx(expected)
    assert arguments[0].grad.isfinite().all()


def random(valid):
    torch.manual_seed(0)
    vectors = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    centers = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    return vectors, torch.tensor([0, 1, 0, 1, 3]), centers, torch.tensor(valid)


def slow(vectors, types, centers, valid, term):
    """Word by word, centre by centre; `term(own difference, other difference)` is averaged."""
    total = 0.0
    existing = [k for k, there in enumerate(valid.tolist()) if there]
    for vector, own in zip(vectors.tolist(), types.tolist(), strict=True):
        apart = [
            [x - c for x, c in zip(vector, centre, strict=True)] for centre in centers.tolist()
        ]
        others = [k for k in existing if k != own]
        separation = sum(term(apart[own], apart[k]) for k in others) / len(others)
        total += math.hypot(*apart[own]) + separation
    return total


def minus_cosine(a, b):
    inner = sum(x * y for x, y in zip(a, b, strict=True))
    return -inner / (math.hypot(*a) * math.hypot(*b))


@pytest.mark.parametrize("valid", [(True,) * 4, (True, True, False, True)])
def test_losses_are_sums_over_words_of_means_over_centres(valid):
    arguments = random(valid)
    got = cosine_loss(*arguments).item()
    assert got == pytest.approx(slow(*arguments, minus_cosine))
    got = margin_loss(*arguments, margin=2.0).item()
    assert got == pytest.approx(slow(*arguments, lambda _, b: max(0.0, 2.0 - math.hypot(*b))))


def test_a_centre_that_does_not_exist_changes_nothing():
    vectors, types, centers, valid = random((True, True, False, True))
    before = cosine_loss(vectors, types, centers, valid)
    moved = centers.detach().clone()
    moved[2] = 100.0
    torch.testing.assert_close(cosine_loss(vectors, types, moved, valid), before)


@pytest.mark.parametrize("loss", [cosine_loss, lambda *given: margin_loss(*given, margin=2.0)])
def test_with_one_type_the_distance_remains(loss):
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    got = loss(vectors, torch.tensor([0, 0]), torch.zeros(1, 2), torch.tensor([True]))
    got.backward()
    assert got.item() == pytest.approx(5.0)
    torch.testing.assert_close(vectors.grad, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize("number", [0, 3])
def test_no_word_costs_nothing(number):
    vectors = torch.zeros(0, 2, requires_grad=True)
    centers, valid = torch.zeros(number, 2), torch.ones(number).bool()
    types = torch.zeros(0, dtype=torch.long)
    for got in (
        cosine_loss(vectors, types, centers, valid),
        margin_loss(vectors, types, centers, valid, margin=1.0),
    ):
        got.backward()
        assert got.item() == 0


def test_gradient_is_the_losss_slope():
    vectors, types, centers, valid = random((True, True, False, True))
    for loss in (cosine_loss, lambda *given: margin_loss(*given, margin=2.0)):
        assert torch.autograd.gradcheck(
            lambda v, c, loss=loss: loss(v, types, c, valid), (vectors, centers)
        )


def test_a_word_on_every_centre_is_finite():
    vectors = torch.ones(2, 3, requires_grad=True)
    got = cosine_loss(vectors, torch.tensor([0, 1]), torch.ones(2, 3), torch.ones(2).bool())
    got.backward()
    assert got.item() == 0
    assert (vectors.grad == 0).all()
