import pytest
import torch
from mmseq import ImageStates, Sizes, TextStates
from mmseq.testing import check_fusion

from mmseq_example.fusion import ExampleFusion


def test_it_keeps_the_contract():
    check_fusion(ExampleFusion)


@pytest.fixture
def fused():
    """One word (1, 2) with a picture of two regions, and once more without a picture."""
    fusion = ExampleFusion(Sizes(("O", "B-PER", "I-PER"), text=2, image=1)).eval()
    with torch.no_grad():
        fusion.project.weight.copy_(torch.tensor([[10.0], [20.0]]))
        fusion.project.bias.copy_(torch.tensor([0.5, -0.5]))
    words = torch.tensor([[[1.0, 2.0]], [[1.0, 2.0]]])
    text = TextStates(words, torch.ones(2, 1, dtype=torch.bool))
    regions = torch.tensor([[[3.0], [5.0]], [[0.0], [0.0]]])
    images = ImageStates(regions, torch.tensor([[True, True], [False, False]]))
    return fusion(text, images).states


def test_the_picture_is_added_by_hand(fused):
    # v = (3 + 5) / 2 = 4, W v + b = (40.5, 79.5).
    assert fused[0, 0].tolist() == [41.5, 81.5]


def test_a_word_without_a_picture_stays_as_it_is(fused):
    assert fused[1, 0].tolist() == [1.0, 2.0]
