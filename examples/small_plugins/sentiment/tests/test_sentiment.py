import math

import pytest
import torch
from mmseq_sentiment.task import SentimentTask

from mmseq import Sizes, Targets
from mmseq.testing import check_aux_task


def test_it_keeps_the_contract():
    check_aux_task(SentimentTask)


def test_the_loss_by_hand():
    task = SentimentTask(Sizes(("O", "B-PER", "I-PER"), views={"fused": 1}))
    with torch.no_grad():
        task.score.weight.copy_(torch.tensor([[0.0], [0.0], [math.log(2)]]))
        task.score.bias.zero_()
    # Means 1 and 0; the third sentence has no sentiment.
    views = {"fused": torch.tensor([[[2.0], [0.0]], [[0.0], [9.0]], [[5.0], [9.0]]])}
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    labels = torch.tensor([[2.0], [0.0], [-1.0]])
    targets = Targets(mask, mask.any(dim=1), mask.long(), extras={"sentiment": labels})
    # Scores 0, 0, log 2 and thrice 0: p = 2/4 and 1/3.
    loss = task(views, targets, torch.zeros(3, 2, 3)).loss.item()
    assert loss == pytest.approx(math.log(2) + math.log(3))
    assert task.count(targets) == 2
