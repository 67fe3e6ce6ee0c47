import pytest
import torch

from mmseq.builtins.weighting import FixedWeighting
from mmseq.components import Sizes

SIZES = Sizes(labels=("O",), losses={"main": 1.0, "boundary": 0.4, "cluster": 0.25})


def test_the_total_is_the_weighted_sum():
    losses = {name: torch.tensor(v) for name, v in (("main", 2.0), ("boundary", 5.0))}
    losses["cluster"] = torch.tensor(8.0)
    weighted = FixedWeighting(SIZES)(losses, torch.zeros(1, 1, 1), 0.5)
    assert weighted.total.item() == pytest.approx(2 + 0.4 * 5 + 0.25 * 8)
    assert weighted.total.shape == ()
    assert weighted.weights == {"main": 1.0, "boundary": 0.4, "cluster": 0.25}


def test_an_absent_loss_has_neither_share_nor_weight():
    losses = {"main": torch.tensor(2.0), "cluster": torch.tensor(8.0)}
    weighted = FixedWeighting(SIZES)(losses, torch.zeros(1, 1, 1), 0.0)
    assert weighted.total.item() == pytest.approx(4.0)
    assert weighted.weights == {"main": 1.0, "cluster": 0.25}


def test_gradients_are_the_weights_and_half_precision_losses_may_join():
    main = torch.tensor(2.0, requires_grad=True)
    boundary = torch.tensor(3.0, dtype=torch.bfloat16, requires_grad=True)
    weighted = FixedWeighting(SIZES)({"main": main, "boundary": boundary}, torch.zeros(1), 1.0)
    weighted.total.backward()
    assert main.grad.item() == 1.0
    assert boundary.grad.item() == pytest.approx(0.4, abs=2e-3)
