import pytest
import torch
from torch import nn

from mmseq.config.config import Config
from mmseq.layers.dropout import Dropout, quicken
from mmseq.model.assembly import build_model

COUNT = 1_000_000


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_numbers_is_0_and_the_others_keep_the_mean(p):
    rounded = round(p * 65536) / 65536
    found = Dropout(p)(torch.full((COUNT,), 3.0))
    dropped = (found == 0).double().mean().item()
    # Five standard deviations.
    assert dropped == pytest.approx(rounded, abs=5 * (p * (1 - p) / COUNT) ** 0.5)
    torch.testing.assert_close(found[found != 0].unique(), torch.tensor([3 / (1 - rounded)]))


def test_numbers_are_dropped_independently_of_their_neighbours():
    """Four of them come from one draw."""
    dropped = (Dropout(0.3)(torch.ones(COUNT)) == 0).double() - 0.3
    for distance in range(1, 9):
        covariance = (dropped[:-distance] * dropped[distance:]).mean().item()
        assert abs(covariance) < 5 * 0.21 / COUNT**0.5


def test_the_gradient_goes_where_the_numbers_stay():
    values = torch.randn(7, 5, 3, requires_grad=True)
    found = Dropout(0.5)(values)
    found.sum().backward()
    torch.testing.assert_close(values.grad, torch.where(found == 0, 0.0, 2.0))


def test_what_is_drawn_is_the_generators():
    values = torch.randn(10, 3)
    state = torch.get_rng_state()
    first, second = Dropout(0.5)(values), Dropout(0.5)(values)
    torch.set_rng_state(state)
    assert Dropout(0.5)(values).equal(first)
    assert not first.equal(second)


@pytest.mark.parametrize("dropout", [Dropout(0.5).eval(), Dropout(0.0)])
def test_nothing_is_dropped(dropout):
    values = torch.randn(10)
    assert dropout(values).equal(values)


def test_everything_is_dropped():
    assert Dropout(1.0)(torch.ones(9)).equal(torch.zeros(9))


def test_the_type_is_kept():
    assert Dropout(0.5)(torch.ones(9, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert Dropout(0.5)(torch.ones(0, 3)).shape == (0, 3)


class Own(nn.Dropout):
    """A plugin's own kind."""


def test_a_models_dropouts_become_quick_ones():
    config = Config.from_layers(flags={"fusion": {"name": "concat", "dropout": 0.25}}, aux=[])
    model, _ = build_model(config, ["O", "B-X", "I-X"])
    kinds = [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert len(kinds) > 10
    assert {type(m) for m in kinds} == {Dropout}
    assert model.fusion.dropout.p == 0.25


def test_only_torchs_own_are_changed():
    module = nn.Sequential(nn.Dropout(0.25), Own(0.5)).eval()
    quicken(module)
    assert type(module[0]) is Dropout
    assert (module[0].p, module[0].training) == (0.25, False)
    assert type(module[1]) is Own
