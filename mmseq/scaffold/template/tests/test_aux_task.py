import math

import pytest
import torch
from mmseq import Sizes, Targets
from mmseq.testing import check_aux_task

from mmseq_example.aux_task import ExampleTask


def test_it_keeps_the_contract():
    check_aux_task(ExampleTask, entity_weight=2.0)


def test_the_loss_by_hand():
    task = ExampleTask(Sizes(("O", "B-PER", "I-PER"), views={"fused": 1}), entity_weight=2.0)
    with torch.no_grad():
        task.score.weight.fill_(math.log(3))
        task.score.bias.zero_()
    views = {"fused": torch.tensor([[[1.0], [-1.0], [0.0]], [[1.0], [9.0], [9.0]]])}
    mask = torch.tensor([[True, True, True], [True, False, False]])
    tags = torch.tensor([[1, 2, 0], [0, 0, 0]])
    targets = Targets(mask, torch.zeros(2, dtype=torch.bool), tags)
    # p = 3 / (3 + 1), 1/4 and 1/2 for B-PER, I-PER and O, then 3/4 for O; entities cost double:
    # -(2 log 3/4 + 2 log 1/4 + log 1/2 + log 1/4).
    expected = -(2 * math.log(3 / 16) + math.log(1 / 8))
    output = task(views, targets, torch.zeros(2, 3, 3))
    assert output.loss.item() == pytest.approx(expected, abs=1e-5)
    assert task.count(targets) == 4


def test_an_open_word_has_no_loss():
    task = ExampleTask(Sizes(("O", "B-PER", "I-PER"), views={"fused": 1}))
    views, mask = {"fused": torch.randn(1, 2, 1)}, torch.ones(1, 2, dtype=torch.bool)
    first, both = torch.tensor([[True, False]]), torch.tensor([[1, 0]])
    alone = Targets(mask[:, :1], torch.zeros(1, dtype=torch.bool), both[:, :1])
    partly = Targets(mask, torch.zeros(1, dtype=torch.bool), both, known=first)
    expected = task({"fused": views["fused"][:, :1]}, alone, torch.zeros(1, 1, 3)).loss
    assert task(views, partly, torch.zeros(1, 2, 3)).loss.item() == pytest.approx(expected.item())
    assert task.count(partly) == 1
