import math

import pytest
import torch
from mmseq_caption.task import CaptionTask

from mmseq import Example, Sizes, Targets, UserError
from mmseq.testing import check_aux_task

SIZES = Sizes(("O", "B-PER", "I-PER"), views={"fused": 1})


def test_it_keeps_the_contract():
    check_aux_task(CaptionTask)
    check_aux_task(CaptionTask, words=3)


def examples(*captions):
    return [Example(("a",), extras={"caption": caption}) for caption in captions]


def test_the_vocabulary_is_what_most_captions_have():
    captions = examples("A cat a cat", "a dog", "The cat", "")
    assert CaptionTask.fit(captions, words=2) == ["a", "cat"]
    with pytest.raises(UserError, match="every training caption is empty"):
        CaptionTask(SIZES, fitted=CaptionTask.fit(examples("", ""), words=9))


def test_the_loss_by_hand():
    task = CaptionTask(SIZES, fitted=["cat", "dog"])
    with torch.no_grad():
        task.score.weight.copy_(torch.tensor([[math.log(3)], [0.0]]))
        task.score.bias.zero_()
    # Means 1 and -1; the third sentence has no caption.
    views = {"fused": torch.tensor([[[2.0], [0.0]], [[-1.0], [9.0]], [[5.0], [9.0]]])}
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    captions = ("A Cat sleeps", "dog", "")
    targets = Targets(mask, mask.any(dim=1), mask.long(), texts={"caption": captions})
    # p(cat) = 3/4 and 1/4, p(dog) = 1/2: cat and no dog, then a dog and no cat.
    loss = task(views, targets, torch.zeros(3, 2, 3)).loss.item()
    assert loss == pytest.approx(-2 * math.log(3 / 4) - 2 * math.log(1 / 2))
    assert task.count(targets) == 2
