import pytest
import torch
from mmseq import Sizes
from mmseq.testing import check_weighting

from mmseq_example.weighting import ExampleWeighting


def test_it_keeps_the_contract():
    check_weighting(ExampleWeighting)


def test_weights_by_hand():
    weighting = ExampleWeighting(Sizes(("O",), losses={"main": 1.0, "task": 0.5}))
    losses = {"main": torch.tensor(2.0), "task": torch.tensor(8.0)}
    before = weighting(losses, torch.zeros(1, 1, 1), 0.0)
    assert before.weights == {"main": 1.0, "task": 0.5}
    assert before.total.item() == 6.0
    weighting.end_epoch({"main": 3.0, "task": 12.0})
    # 0.5 * 3 / 12 = 0.125: the task's 8 counts as 1, half of the main task's 2.
    after = weighting(losses, torch.zeros(1, 1, 1), 0.5)
    assert after.weights == pytest.approx({"main": 1.0, "task": 0.125})
    assert after.total.item() == pytest.approx(3.0)
