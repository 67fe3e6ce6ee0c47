import math

import pytest
import torch

from mmseq.builtins.weighting.gradnorm import GradNormWeighting
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError

SIZES = Sizes(labels=("O",), losses={"main": 1.0, "boundary": 0.5, "cluster": 0.25})


def states(main, boundary):
    """One word whose two numbers are the two losses' own."""
    return torch.tensor([[[float(main), float(boundary)]]], requires_grad=True)


def linear(shared):
    """Losses 3x and 4y: gradient norms 3 and 4 wherever the states are."""
    return {"main": 3 * shared[0, 0, 0], "boundary": 4 * shared[0, 0, 1]}


def call(weighting, x=2.0, y=1.0, names=("main", "boundary")):
    shared = states(x, y)
    losses = {name: loss for name, loss in linear(shared).items() if name in names}
    return weighting(losses, shared, 0.5)


def step(weighting, optimiser, **values):
    optimiser.zero_grad()
    call(weighting, **values).total.backward()
    optimiser.step()


def gradients(weighting):
    found = {name: p.grad for name, p in weighting.weights.items()}
    return {name: None if g is None else g.item() for name, g in found.items()}


def values(weighting):
    return {name: p.item() for name, p in weighting.weights.items()}


def test_the_first_step_by_hand():
    weighting = GradNormWeighting(SIZES)
    shared = states(2, 1)
    weighted = weighting(linear(shared), shared, 0.0)
    assert weighted.weights == {"main": 1.0, "boundary": 0.5}
    # G = 1 * 3 and 0.5 * 4, every ratio 1: both are to be 2.5, each is 0.5 away.
    assert weighted.total.item() == pytest.approx(1 * 6 + 0.5 * 4 + 1.0)
    weighted.total.backward()
    assert gradients(weighting) == {"main": 3.0, "boundary": -4.0, "cluster": None}
    # The model's gradient is the weighted sum's alone.
    assert shared.grad.flatten().tolist() == [3.0, 2.0]


def test_a_loss_of_infinite_slope_has_no_say():
    weighting = GradNormWeighting(SIZES)
    shared = states(0, 1)
    # Gradients: of the root at 0 infinite, of 4y: 4. One loss alone has nothing to be like.
    losses = {"main": shared[0, 0, 0].sqrt() + 6, "boundary": 4 * shared[0, 0, 1]}
    weighted = weighting(losses, shared, 0.0)
    assert weighted.total.item() == pytest.approx(1 * 6 + 0.5 * 4)
    weighted.total.backward()
    assert gradients(weighting) == {"main": None, "boundary": None, "cluster": None}


def test_the_second_step_asks_more_of_the_task_that_lags_behind():
    weighting = GradNormWeighting(SIZES, alpha=1.0)
    call(weighting, x=2, y=1)
    weighted = call(weighting, x=1, y=1)
    # Main fell to a half, boundary not at all; their mean is 3/4: r = 2/3 and 4/3. The targets
    # are 5/3 and 10/3, where G is 3 and 2.
    assert weighted.total.item() == pytest.approx(3 + 0.5 * 4 + 4 / 3 + 4 / 3)
    weighted = call(GradNormWeighting(SIZES, alpha=0.0), x=1, y=1)
    assert weighted.total.item() == pytest.approx(3 + 0.5 * 4 + 1.0)


def test_alpha_is_the_ratios_power():
    weighting = GradNormWeighting(SIZES, alpha=1.5)
    call(weighting, x=2, y=1)
    targets = [2.5 * (2 / 3) ** 1.5, 2.5 * (4 / 3) ** 1.5]
    away = abs(3 - targets[0]) + abs(2 - targets[1])
    assert call(weighting, x=1, y=1).total.item() == pytest.approx(3 + 0.5 * 4 + away)


def test_weights_keep_their_sum_and_an_absent_one_its_value():
    weighting = GradNormWeighting(SIZES)
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.1)
    step(weighting, optimiser)
    assert values(weighting) == pytest.approx({"main": 0.7, "boundary": 0.9, "cluster": 0.25})
    # 1.6 is to be 1.5 again.
    expected = {"main": 0.7 * 15 / 16, "boundary": 0.9 * 15 / 16}
    assert call(weighting).weights == pytest.approx(expected)
    # Micro-batches of one step scale once.
    assert call(weighting).weights == pytest.approx(expected)
    assert weighting.weights["cluster"].item() == 0.25


def test_an_absent_task_keeps_its_weight_whatever_the_momentum():
    weighting = GradNormWeighting(SIZES)
    optimiser = torch.optim.AdamW(weighting.parameters(), lr=0.05, weight_decay=0.0)
    for _ in range(3):
        step(weighting, optimiser)
    # The weights of the step before are scaled once more, then only main is there.
    step(weighting, optimiser, names=("main",))
    before = values(weighting)
    assert sum(before.values()) == pytest.approx(1.75)
    for _ in range(3):
        step(weighting, optimiser, names=("main",))
    assert values(weighting) == pytest.approx(before)
    assert before["boundary"] > 0.5


def test_weights_stay_positive():
    weighting = GradNormWeighting(SIZES)
    call(weighting)
    with torch.no_grad():
        weighting.weights["boundary"].fill_(-0.3)
    # A hundredth of the configured 0.5, then both scaled to 1.5.
    factor = 1.5 / 1.005
    expected = {"main": factor, "boundary": 0.005 * factor}
    assert call(weighting).weights == pytest.approx(expected)


def test_losses_of_zero_or_elsewhere_have_no_say():
    weighting = GradNormWeighting(SIZES)
    shared = states(2, 1)
    losses = {"main": 3 * shared[0, 0, 0], "boundary": 0 * shared[0, 0, 1]}
    losses["cluster"] = torch.tensor(8.0, requires_grad=True) * 1
    weighted = weighting(losses, shared, 0.0)
    weighted.total.backward()
    assert weighted.total.item() == 6 + 0.25 * 8
    assert gradients(weighting) == dict.fromkeys(SIZES.losses)
    # What boundary was at first is known when it has items.
    assert [math.isnan(v) for v in weighting.first.tolist()] == [False, True, False]
    call(weighting, x=2, y=1)
    assert weighting.first.tolist() == [6.0, 4.0, 8.0]


def settled(alpha, later, steps):
    """Weights after many steps on the losses x^2 / 2 and 2 y^2 of the states (1, 1), then
    `later`.
    """
    sizes = Sizes(labels=("O",), losses={"main": 1.0, "boundary": 1.0})
    weighting = GradNormWeighting(sizes, alpha=alpha)
    optimiser = torch.optim.AdamW(
        weighting.parameters(), lr=weighting.learning_rate, weight_decay=0.0
    )
    for place in [(1, 1), *[later] * steps]:
        optimiser.zero_grad()
        shared = states(*place)
        losses = {"main": shared[0, 0, 0] ** 2 / 2, "boundary": 2 * shared[0, 0, 1] ** 2}
        weighted = weighting(losses, shared, 0.5)
        weighted.total.backward()
        optimiser.step()
    assert sum(weighted.weights.values()) == pytest.approx(2.0)
    return weighted.weights


def test_tasks_of_different_scale_come_to_equal_gradient_norms():
    # Norms 1 and 4, no loss falls: w1 * 1 = w2 * 4 with w1 + w2 = 2.
    expected = {"main": 1.6, "boundary": 0.4}
    assert settled(1.5, (1, 1), steps=40) == pytest.approx(expected, abs=0.05)


def test_gradient_norms_come_to_the_ratio_of_the_losses_own_pace():
    # y halves: boundary's loss is at 1/4, r = 8/5 and 2/5, so G1 = 4 G2; norms are 1 and 2:
    # w1 = 8 w2 with w1 + w2 = 2.
    expected = {"main": 16 / 9, "boundary": 2 / 9}
    assert settled(1.0, (1, 0.5), steps=60) == pytest.approx(expected, abs=0.05)


def test_it_goes_on_from_its_state():
    whole, half, rest = (GradNormWeighting(SIZES) for _ in range(3))
    for weighting, moves in ((whole, 6), (half, 3)):
        optimiser = torch.optim.SGD(weighting.parameters(), lr=0.01)
        for move in range(moves):
            step(weighting, optimiser, x=2 - 0.1 * move)
    rest.load_state_dict(half.state_dict())
    optimiser = torch.optim.SGD(rest.parameters(), lr=0.01)
    for move in range(3, 6):
        step(rest, optimiser, x=2 - 0.1 * move)
    assert values(rest) == values(whole)
    assert values(rest)["boundary"] > 0.5


def test_a_frozen_encoder_is_a_users_error():
    shared = torch.ones(1, 1, 2)
    losses = {"main": torch.ones((), requires_grad=True) * 2}
    with pytest.raises(UserError, match="weighting 'gradnorm' .*text encoder"):
        GradNormWeighting(SIZES)(losses, shared, 0.0)


def test_a_weight_of_zero_is_a_users_error():
    with pytest.raises(UserError, match=r"weighting 'gradnorm': aux.x.weight = 0.0"):
        GradNormWeighting(Sizes(("O",), losses={"main": 1.0, "x": 0.0}))


def test_alpha_and_the_rate_unless_told_otherwise():
    weighting = GradNormWeighting(SIZES)
    assert weighting.alpha == 1.5
    assert weighting.learning_rate == 0.025


def test_whole_numbers_may_be_weights():
    weighting = GradNormWeighting(Sizes(labels=("O",), losses={"main": 1, "boundary": 2}))
    assert call(weighting).weights == {"main": 1.0, "boundary": 2.0}
