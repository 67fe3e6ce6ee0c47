import math
from itertools import product

import pytest
import torch
from mmseq_spans.decoder import FORBIDDEN, SpanDecoder
from mmseq_spans.entities import Tagging

from mmseq import Sizes
from mmseq.testing import check_decoder

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SIZES = Sizes(LABELS, views={"fused": 3})


def test_it_keeps_the_contract():
    check_decoder(SpanDecoder)
    check_decoder(SpanDecoder, width=1)


def test_tags_and_entities():
    tagging = Tagging(LABELS)
    tags = [3, 4, 1, 1, 2, 0, 3]
    found = [(0, 1, 1), (2, 2, 0), (3, 4, 0), (6, 6, 1)]
    assert tagging.entities(tags) == (found, 0)
    assert tagging.tags(found, 7) == tags
    # I-PER at the start, and I-LOC after it.
    assert tagging.entities([4, 2, 2]) == ([(0, 0, 1), (1, 2, 0)], 2)


def test_one_word_by_hand():
    decoder = SpanDecoder(SIZES, width=4)
    with torch.no_grad():
        for layer in (decoder.first, decoder.last):
            layer.weight.fill_(0.5)
        decoder.begins.weight.zero_()
        decoder.begins.bias.copy_(torch.tensor([0.0, math.log(2)]))
        decoder.ends.weight.zero_()
    # P h = Q h = (1, 1, 1, 1) of h = (1, 1, 0): s = 4 / 2 of LOC, and log 2 more of PER.
    states, mask = torch.tensor([[[1.0, 1.0, 0.0]]]), torch.ones(1, 1, dtype=torch.bool)
    z = 1 + math.exp(2) + 2 * math.exp(2)
    expected = [1 / z, math.exp(2) / z, 0.0, 2 * math.exp(2) / z, 0.0]
    found = [decoder.scores(states, torch.tensor([[tag]]), mask).item() for tag in range(5)]
    assert found == pytest.approx(expected, abs=1e-6)
    losses = [decoder.loss(states, torch.tensor([[tag]]), mask).item() for tag in range(5)]
    assert losses[:2] == pytest.approx([math.log(z), math.log(z) - 2])
    assert losses[2] == pytest.approx(losses[1] + FORBIDDEN)
    assert decoder.decode(states, mask).tolist() == [[3]]


@pytest.mark.parametrize("words", [1, 2, 5])
def test_all_is_as_by_enumeration(words):
    torch.manual_seed(words)
    decoder = SpanDecoder(SIZES, width=2)
    states, mask = 2 * torch.randn(1, words, 3), torch.ones(1, words, dtype=torch.bool)
    paths = torch.tensor(list(product(range(5), repeat=words)))
    many, real = states.expand(len(paths), -1, -1), mask.expand(len(paths), -1)
    with torch.no_grad():
        one_by_one = [decoder.loss(states, path[None], mask) for path in paths]
    likelihood = (-torch.stack(one_by_one).double()).exp()
    assert likelihood.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert decoder.decode(states, mask)[0].equal(paths[likelihood.argmax()])
    scores = decoder.scores(many, paths, real).double()
    for word in range(words):
        for tag in range(5):
            own = paths[:, word] == tag
            given = scores[own.nonzero()[0, 0], word].item()
            assert given == pytest.approx(likelihood[own].sum().item(), abs=1e-5)
    tagging = decoder.tagging
    whole = torch.tensor([[0, 0, words]])
    held = [(0, words - 1, 1) in tagging.entities(path)[0] for path in paths.tolist()]
    tags = torch.tensor([tagging.tags([(0, words - 1, 1)], words)])
    found = decoder.span_scores(states, tags, mask, whole).item()
    assert found == pytest.approx(likelihood[torch.tensor(held)].sum().item(), abs=1e-5)
