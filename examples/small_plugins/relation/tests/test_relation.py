import math

import pytest
import torch
from mmseq_relation.fusion import RelationFusion
from mmseq_relation.task import RelationTask

from mmseq import ImageStates, Sizes, Targets, TextStates
from mmseq.testing import check_aux_task, check_fusion

LABELS = ("O", "B-PER", "I-PER")


def test_both_keep_their_contracts():
    check_fusion(RelationFusion, width=8)
    # Beside the fusion of this plugin, which must be installed.
    check_aux_task(RelationTask)


@pytest.fixture
def fused():
    """Two sentences of the word 1, and the words 1 and 3; the second has no picture."""
    fusion = RelationFusion(Sizes(LABELS, text=1, image=1), width=1).eval()
    with torch.no_grad():
        for layer in (fusion.project, fusion.pair[0], fusion.share):
            layer.weight.fill_(1.0)
            layer.bias.fill_(10.0)
        fusion.share.weight.fill_(-1.0)
    words = torch.tensor([[[1.0], [7.0]], [[1.0], [3.0]]])
    mask = torch.tensor([[True, False], [True, True]])
    regions = torch.tensor([[[2.0]], [[0.0]]])
    images = ImageStates(regions, torch.tensor([[True], [False]]))
    return fusion(TextStates(words, mask), images)


def test_the_pair_and_its_share_by_hand(fused):
    # v = 2 + 10, m = 1: z = GELU(1 + 12 + 10) = 23, r = sigmoid(10 - 23).
    share = 1 / (1 + math.exp(13))
    assert fused.states[0, 0].tolist() == pytest.approx([1.0, 12 * share])
    # v = 0 without a picture, m = 2: z = GELU(2 + 0 + 10).
    assert fused.sentence_views["pair"].flatten().tolist() == pytest.approx([23.0, 12.0])
    assert fused.states[1].tolist() == [[1.0, 0.0], [3.0, 0.0]]


def test_the_loss_by_hand():
    task = RelationTask(Sizes(LABELS, sentence_views={"pair": 1}))
    with torch.no_grad():
        task.score.weight.fill_(math.log(3))
        task.score.bias.zero_()
    views = {"pair": torch.tensor([[1.0], [-1.0], [5.0], [5.0]])}
    has_image = torch.tensor([True, True, False, True])
    mask = torch.ones(4, 1, dtype=torch.bool)
    relation = torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
    targets = Targets(mask, has_image, mask.long(), extras={"relation": relation})
    # p = 3/4 and 1/4; the third has no picture, the fourth is not annotated.
    loss = task(views, targets, torch.zeros(4, 1, 3)).loss.item()
    assert loss == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    assert task.count(targets) == 2
