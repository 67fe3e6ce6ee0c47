import pytest
import torch
from torch import nn

from mmseq.config.config import TrainConfig
from mmseq.training.optimiser import build_optimiser, rates_of, schedule


class Part(nn.Module):
    """A matrix, a bias, and a norm's two vectors."""

    def __init__(self, rate=None):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.LayerNorm(2)
        if rate:
            self.learning_rate = rate
        self.factors = {}

    def rate_factors(self):
        return self.factors


class Balance(nn.Module):
    """A weighting's parameters: one of each number of dimensions."""

    def __init__(self, rate):
        super().__init__()
        self.learning_rate = rate
        self.scalar = nn.Parameter(torch.ones(()))
        self.matrix = nn.Parameter(torch.ones(2, 2))


class TinyModel(nn.Module):
    def __init__(self, *, image=True, weighting_rate=None):
        super().__init__()
        self.text_encoder = Part(2e-4)
        self.image_encoder = Part(1e-4) if image else None
        self.head = Part()
        self.weighting = Balance(weighting_rate)


def groups(model, **settings):
    optimiser = build_optimiser(model, TrainConfig(**settings))
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: (group["lr"], group["weight_decay"], group["name"])
        for group in optimiser.param_groups
        for p in group["params"]
    }


def test_every_part_has_its_rate_and_vectors_are_not_decayed():
    found = groups(TinyModel(), learning_rate=3e-3, weight_decay=0.05)
    rates = {"text_encoder": 2e-4, "image_encoder": 1e-4, "head": 3e-3}
    expected = {}
    for part, rate in rates.items():
        expected[f"{part}.linear.weight"] = (rate, 0.05, part)
        for vector in ("linear.bias", "norm.weight", "norm.bias"):
            expected[f"{part}.{vector}"] = (rate, 0.0, part)
    for name in ("scalar", "matrix"):
        expected[f"weighting.{name}"] = (3e-3, 0.0, "weighting")
    assert found == expected


def test_the_weighting_has_a_rate_of_its_own_where_it_names_one():
    for rate in (0.025, 0.0):
        found = groups(TinyModel(weighting_rate=rate), learning_rate=3e-3, weight_decay=0.05)
        assert found["weighting.scalar"] == (rate, 0.0, "weighting")
        assert found["weighting.matrix"] == (rate, 0.0, "weighting")
        assert found["head.linear.weight"] == (3e-3, 0.05, "head")


def test_frozen_weights_are_left_out_and_shared_ones_taken_once():
    model = TinyModel(image=False)
    model.text_encoder.requires_grad_(False)
    model.text_encoder.linear.bias.requires_grad_(True)
    model.head.linear.weight = model.text_encoder.linear.weight
    found = groups(model)
    assert set(found) == {
        "text_encoder.linear.bias",
        "head.linear.bias",
        "head.norm.weight",
        "head.norm.bias",
        "weighting.scalar",
        "weighting.matrix",
    }
    shared = TinyModel()
    shared.head.linear = shared.text_encoder.linear
    optimiser = build_optimiser(shared, TrainConfig())
    every = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert len(every) == len(set(every)) == len(list(shared.parameters()))


def test_a_step_moves_every_weight_by_its_rate():
    model = TinyModel()
    optimiser = build_optimiser(model, TrainConfig(weight_decay=0.0, learning_rate=1e-2))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    sum(p.sum() for p in model.parameters()).backward()
    optimiser.step()
    # Adam's first step is the rate, in the gradient's sign.
    for name, parameter in model.named_parameters():
        rate = {"text": 2e-4, "imag": 1e-4, "head": 1e-2, "weig": 1e-2}[name[:4]]
        torch.testing.assert_close(
            before[name] - parameter, torch.full_like(parameter, rate), atol=1e-6, rtol=1e-3
        )


def test_schedule_with_ten_of_a_hundred_steps_of_warmup():
    factors = [schedule(step, 100, 0.1) for step in range(101)]
    assert factors[:10] == pytest.approx([s / 10 for s in range(1, 11)])
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(1 / 90)
    assert factors[100] == 0.0


def test_schedule_without_warmup():
    assert [schedule(s, 4, 0.0) for s in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


@pytest.mark.parametrize("total", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.5, 0.99])
def test_schedule_rises_then_falls_and_no_step_is_wasted(total, warmup):
    factors = [schedule(step, total, warmup) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1.0
    top = factors.index(1.0)
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)
    assert schedule(total, total, warmup) == 0.0


def test_the_warmup_loses_no_step_to_binary_numbers():
    """0.29 * 100 is a little less than 29 in binary."""
    factors = [schedule(step, 100, 0.29) for step in range(100)]
    assert factors.index(1.0) == 28
    assert factors[0] == pytest.approx(1 / 29)


def test_parameters_of_an_encoder_may_have_rates_of_their_own():
    model = TinyModel()
    model.image_encoder.factors = {"linear.weight": 0.1}
    model.text_encoder.factors = {"linear.weight": 0.5, "norm.bias": 10.0}
    found = groups(model, weight_decay=0.05)
    assert found["text_encoder.linear.weight"] == (1e-4, 0.05, "text_encoder")
    assert found["text_encoder.norm.bias"] == (2e-3, 0.0, "text_encoder")
    assert found["text_encoder.linear.bias"] == (2e-4, 0.0, "text_encoder")
    assert found["image_encoder.linear.weight"] == (pytest.approx(1e-5), 0.05, "image_encoder")
    assert found["image_encoder.norm.bias"] == (1e-4, 0.0, "image_encoder")


def test_of_each_part_the_rate_is_told_that_its_factors_multiply():
    model = TinyModel()
    model.text_encoder.factors = {"linear.weight": 0.5, "linear.bias": 10.0}
    rates = rates_of(build_optimiser(model, TrainConfig(learning_rate=3e-3)))
    expected = {"text_encoder": 2e-4, "image_encoder": 1e-4, "weighting": 3e-3, "head": 3e-3}
    assert rates == expected
