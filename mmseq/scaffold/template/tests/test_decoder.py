import math

import pytest
import torch
from mmseq import Sizes
from mmseq.testing import check_decoder

from mmseq_example.decoder import ExampleDecoder

SIZES = Sizes(("O", "B-PER", "I-PER"))
EMISSIONS = torch.tensor([[[math.log(2), 0.0, 0.0], [7.0, 7.0, 7.0]]])
MASK = torch.tensor([[True, False]])


def test_it_keeps_the_contract():
    check_decoder(ExampleDecoder, noise=0.3)


def test_the_loss_by_hand():
    decoder = ExampleDecoder(SIZES, noise=0.6)
    # softmax = 1/2, 1/4, 1/4; p = 0.4 softmax + 0.6 / 3: 0.4 for O, 0.3 for the others.
    for tag, p in ((0, 0.4), (1, 0.3)):
        tags = torch.tensor([[tag, 0]])
        assert decoder.loss(EMISSIONS, tags, MASK).item() == pytest.approx(-math.log(p))
        assert decoder.scores(EMISSIONS, tags, MASK)[0].tolist() == pytest.approx([p, 0.0])


def test_an_open_word_costs_nothing():
    decoder, mask = ExampleDecoder(SIZES, noise=0.6), torch.ones(1, 2, dtype=torch.bool)
    allowed = torch.tensor([[[True, False, False], [True, True, True]]])
    # 0.4 for O, as above, and 1 for any tag.
    loss = decoder.partial_loss(EMISSIONS, allowed, mask)
    assert loss.item() == pytest.approx(-math.log(0.4), abs=1e-6)


def test_a_wrong_tag_costs_no_more_than_the_noise_allows():
    decoder = ExampleDecoder(SIZES, noise=0.05)
    sure = torch.tensor([[[1000.0, 0.0, 0.0]]])
    loss = decoder.loss(sure, torch.tensor([[1]]), torch.tensor([[True]]))
    assert loss.item() == pytest.approx(math.log(3 / 0.05))


def test_the_highest_emission_is_decoded():
    assert ExampleDecoder(SIZES).decode(EMISSIONS.flip(2), MASK).tolist() == [[2, 0]]
