"""Weightings whose weights are computed: fixed, ramp, dynamic-average."""

import math

import pytest
import torch

from mmseq.builtins.weighting.computed import DynamicAverageWeighting, FixedWeighting, RampWeighting
from mmseq.config.config import Config
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError

SIZES = Sizes(labels=("O",), losses={"main": 1.0, "boundary": 0.4, "cluster": 0.25})
SHARED = torch.zeros(1, 1, 1)


def losses(**values):
    return {name: torch.tensor(float(value)) for name, value in values.items()}


ALL = losses(main=2, boundary=5, cluster=8)


def weights(weighting, *names, progress=0.5):
    return weighting(losses(**dict.fromkeys(names, 1)), SHARED, progress).weights


def test_the_total_is_the_weighted_sum():
    weighted = FixedWeighting(SIZES)(ALL, SHARED, 0.5)
    assert weighted.total.item() == pytest.approx(2 + 0.4 * 5 + 0.25 * 8)
    assert weighted.total.shape == ()
    assert weighted.weights == {"main": 1.0, "boundary": 0.4, "cluster": 0.25}


def test_an_absent_loss_has_neither_share_nor_weight():
    weighted = FixedWeighting(SIZES)(losses(main=2, cluster=8), SHARED, 0.0)
    assert weighted.total.item() == pytest.approx(4.0)
    assert weighted.weights == {"main": 1.0, "cluster": 0.25}


def test_gradients_are_the_weights_and_half_precision_losses_may_join():
    main = torch.tensor(2.0, requires_grad=True)
    boundary = torch.tensor(3.0, dtype=torch.bfloat16, requires_grad=True)
    weighted = FixedWeighting(SIZES)({"main": main, "boundary": boundary}, torch.zeros(1), 1.0)
    weighted.total.backward()
    assert main.grad.item() == 1.0
    assert boundary.grad.item() == pytest.approx(0.4, abs=2e-3)


def test_the_ramp_is_a_line_from_the_first_auxiliary_loss_on():
    ramp = RampWeighting(SIZES, share=0.2)
    # The preparation phase lasts to 0.25.
    for progress in (0.0, 0.1, 0.24):
        assert weights(ramp, "main", progress=progress) == {"main": 1.0}
    for progress, factor in ((0.25, 0), (0.3, 0.25), (0.35, 0.5), (0.45, 1), (0.5, 1), (0.99, 1)):
        weighted = ramp(ALL, SHARED, progress)
        expected = {"main": 1.0, "boundary": 0.4 * factor, "cluster": 0.25 * factor}
        assert weighted.weights == pytest.approx(expected, abs=1e-6)
        assert weighted.total.item() == pytest.approx(2 + factor * (0.4 * 5 + 0.25 * 8), abs=1e-5)


def test_the_ramp_goes_on_while_a_task_is_absent_and_from_its_state():
    ramp, other = RampWeighting(SIZES, share=0.5), RampWeighting(SIZES, share=0.5)
    assert weights(ramp, "main", "boundary", progress=0.25)["boundary"] == 0.0
    assert weights(ramp, "main", progress=0.375) == {"main": 1.0}
    other.load_state_dict(ramp.state_dict())
    for weighting in (ramp, other):
        assert weights(weighting, "main", "cluster", progress=0.5)["cluster"] == 0.25 * 0.5


def softmax(*values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def test_the_dynamic_average_by_hand():
    average = DynamicAverageWeighting(SIZES)
    configured = {"main": 1.0, "boundary": 0.4, "cluster": 0.25}
    assert weights(average, *configured) == pytest.approx(configured)
    average.end_epoch({"main": 8.0, "boundary": 2.0, "cluster": 5.0})
    assert weights(average, *configured) == pytest.approx(configured)
    average.end_epoch({"main": 4.0, "boundary": 2.0, "cluster": 6.0})
    # r = 4/8, 2/2, 6/5; T = 2; K = 3.
    shares = softmax(0.5 / 2, 1.0 / 2, 1.2 / 2)
    expected = {n: c * 3 * s for (n, c), s in zip(configured.items(), shares, strict=True)}
    weighted = average(ALL, SHARED, 0.5)
    assert weighted.weights == pytest.approx(expected)
    total = 2 * expected["main"] + 5 * expected["boundary"] + 8 * expected["cluster"]
    assert weighted.total.item() == pytest.approx(total)
    average.end_epoch({"main": 3.0, "boundary": 1.0, "cluster": 6.0})
    shares = softmax(0.75 / 2, 0.5 / 2, 1.0 / 2)
    expected = {n: c * 3 * s for (n, c), s in zip(configured.items(), shares, strict=True)}
    assert weights(average, *configured) == pytest.approx(expected)


def test_the_dynamic_average_is_over_the_losses_of_a_step():
    average = DynamicAverageWeighting(SIZES, temperature=0.5)
    # The main task's means are known from the preparation phase; cluster never had an item.
    for main in (8.0, 4.0):
        average.end_epoch({"main": main})
    assert weights(average, "main") == {"main": 1.0}
    main, boundary = softmax(0.5 / 0.5, 1.0 / 0.5)
    expected = {"main": 2 * main, "boundary": 0.4 * 2 * boundary}
    assert weights(average, "main", "boundary") == pytest.approx(expected)
    # An epoch without the task in between: the latest two in which it was seen.
    for epoch in ({"main": 2.0, "boundary": 4.0}, {"main": 1.0}, {"main": 1.0, "boundary": 1.0}):
        average.end_epoch(epoch)
    main, boundary = softmax(1.0 / 0.5, 0.25 / 0.5)
    expected = {"main": 2 * main, "boundary": 0.4 * 2 * boundary}
    assert weights(average, "main", "boundary") == pytest.approx(expected)


def test_the_dynamic_average_after_a_mean_of_zero_stays_finite():
    average = DynamicAverageWeighting(SIZES)
    for boundary in (0.0, 3.0):
        average.end_epoch({"main": 1.0, "boundary": boundary})
    assert weights(average, "main", "boundary") == pytest.approx({"main": 1.0, "boundary": 0.4})
    average.end_epoch({"main": 1.0, "boundary": 3e5})
    found = weights(average, "main", "boundary")
    assert found == pytest.approx({"main": 0.0, "boundary": 0.8})


@pytest.mark.parametrize("after", [0, 1, 2])
def test_the_dynamic_average_goes_on_from_its_state(after):
    epochs = [{"main": 3.0, "cluster": 1.0}, {"main": 2.0, "cluster": 1.5}, {"main": 2.0}]
    whole, half, rest = (DynamicAverageWeighting(SIZES) for _ in range(3))
    for means in epochs:
        whole.end_epoch(means)
    for means in epochs[:after]:
        half.end_epoch(means)
    rest.load_state_dict(half.state_dict())
    for means in epochs[after:]:
        rest.end_epoch(means)
    assert weights(rest, "main", "cluster") == weights(whole, "main", "cluster")
    assert weights(rest, "main", "cluster") != {"main": 1.0, "cluster": 0.25}


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("ramp", "share", 0.0), ("ramp", "share", 1.5), ("dynamic-average", "temperature", 0.0)]
    + [("gradnorm", "alpha", -1.0), ("gradnorm", "learning_rate", 0.0)]
    + [("uncertainty", "learning_rate", 0.0)],
)
def test_senseless_options_are_a_users_error(name, option, value):
    with pytest.raises(UserError, match=f"weighting '{name}': {option} = {value}"):
        Config.from_layers(settings={"weighting.name": name, f"weighting.{option}": value})


def test_the_ramp_takes_a_fifth_of_the_training_unless_told_otherwise():
    ramp = RampWeighting(SIZES)
    assert weights(ramp, "main", "boundary", progress=0.25)["boundary"] == 0.0
    assert weights(ramp, "main", "boundary", progress=0.35)["boundary"] == pytest.approx(0.2)
    assert weights(ramp, "main", "boundary", progress=0.45)["boundary"] == pytest.approx(0.4)
