import math

import pytest
import torch

from mmseq.builtins.weighting.uncertainty import UncertaintyWeighting
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError

SIZES = Sizes(labels=("O",), losses={"main": 1.0, "boundary": 0.5, "cluster": 0.25})
SHARED = torch.zeros(1, 1, 1)


def losses(**values):
    return {name: torch.tensor(float(v), requires_grad=True) for name, v in values.items()}


def step(weighting, optimiser, **values):
    optimiser.zero_grad()
    weighted = weighting(losses(**values), SHARED, 0.5)
    weighted.total.backward()
    optimiser.step()
    return weighted.weights


def adam(weighting, rate=0.1):
    return torch.optim.AdamW(weighting.parameters(), lr=rate, weight_decay=0.0)


def test_total_and_gradients_by_hand():
    weighting = UncertaintyWeighting(SIZES)
    given = losses(main=2, boundary=5)
    weighted = weighting(given, SHARED, 0.0)
    # s = 0 and log 2, by the configured weights.
    assert weighted.total.item() == pytest.approx(1 * 2 + 0 / 2 + 0.5 * 5 + math.log(2) / 2)
    assert weighted.weights == pytest.approx({"main": 1.0, "boundary": 0.5})
    weighted.total.backward()
    assert given["main"].grad.item() == 1.0
    assert given["boundary"].grad.item() == pytest.approx(0.5)
    # d/ds: -exp(-s) L + 1/2.
    s = weighting.log_variances
    assert s["main"].grad.item() == pytest.approx(-2 + 0.5)
    assert s["boundary"].grad.item() == pytest.approx(-0.5 * 5 + 0.5)
    assert s["cluster"].grad is None


def test_the_optimum_is_a_variance_of_twice_the_loss():
    weighting = UncertaintyWeighting(SIZES)
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(200):
        weights = step(weighting, optimiser, main=3, boundary=0.25)
    assert weights == pytest.approx({"main": 1 / 6, "boundary": 2.0})
    assert weighting.log_variances["main"].item() == pytest.approx(math.log(6))


def test_an_absent_loss_keeps_its_variance_whatever_the_momentum():
    weighting = UncertaintyWeighting(SIZES)
    optimiser = adam(weighting)
    for _ in range(3):
        step(weighting, optimiser, main=2, boundary=5)
    before = weighting.log_variances["boundary"].item()
    assert before > math.log(2)
    assert set(step(weighting, optimiser, main=2)) == {"main"}
    assert weighting.log_variances["boundary"].item() == before
    assert weighting.log_variances["cluster"].item() == pytest.approx(math.log(4))


def test_micro_batches_of_half_a_total_each_give_the_gradient_of_the_whole():
    """The trainer's division by the number of micro-batches, whose means average to the step's."""
    gradients = []
    for parts in ([4.0], [1.0, 7.0]):
        weighting = UncertaintyWeighting(SIZES)
        for main in parts:
            (weighting(losses(main=main), SHARED, 0.0).total / len(parts)).backward()
        gradients.append(weighting.log_variances["main"].grad.item())
    assert gradients == pytest.approx([-3.5, -3.5])


def test_it_goes_on_from_its_state():
    weighting, other = UncertaintyWeighting(SIZES), UncertaintyWeighting(SIZES)
    optimiser = adam(weighting)
    for _ in range(4):
        step(weighting, optimiser, main=2, cluster=7)
    other.load_state_dict(weighting.state_dict())
    totals = [w(losses(main=1, cluster=3), SHARED, 0.5).total.item() for w in (weighting, other)]
    assert totals[0] == totals[1] != pytest.approx(1 + 0.25 * 3 + math.log(4) / 2)


def test_half_precision_losses_may_join():
    given = {"main": torch.tensor(2.0), "boundary": torch.tensor(3.0, dtype=torch.bfloat16)}
    total = UncertaintyWeighting(SIZES)(given, SHARED, 0.0).total
    assert total.item() == pytest.approx(2 + 1.5 + math.log(2) / 2)


def test_a_weight_of_zero_is_a_users_error():
    with pytest.raises(UserError, match=r"'uncertainty': aux\.cluster\.weight = 0\.0"):
        UncertaintyWeighting(Sizes(labels=("O",), losses={"main": 1.0, "cluster": 0.0}))


def test_its_rate_is_its_own():
    assert UncertaintyWeighting(SIZES, learning_rate=0.5).learning_rate == 0.5
    assert UncertaintyWeighting(SIZES).learning_rate == 0.01


def test_whole_numbers_may_be_weights():
    weighting = UncertaintyWeighting(Sizes(labels=("O",), losses={"main": 1, "boundary": 2}))
    weights = weighting(losses(main=1, boundary=1), SHARED, 0.0).weights
    assert weights == pytest.approx({"main": 1.0, "boundary": 2.0})
