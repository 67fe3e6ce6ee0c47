"""The loss where tags are open, against the sum over all sequences that complete them."""

import math
from itertools import product

import pytest
import torch

from mmseq import Sizes, Targets
from mmseq.builtins.decoding import crf_partial
from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder

LABELS = ("O", "B-X", "I-X", "B-Y", "I-Y")
OUT, BX, IX, BY, IY = range(5)
ANY = tuple(range(5))


def crf(backend="fast", *, scale=1.0, labels=LABELS):
    decoder = CrfDecoder(Sizes(labels=labels), backend=backend)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=draw))
    return decoder.double()


def allowing(*words, width=None):
    """(1, W, L) of each word's tags."""
    allowed = torch.zeros(1, width or len(words), len(LABELS), dtype=torch.bool)
    for word, tags in enumerate(words):
        allowed[0, word, list(tags)] = True
    return allowed


def in_bio(path):
    before = (OUT, *path)
    return all(
        tag not in (IX, IY) or earlier in (tag, tag - 1)
        for earlier, tag in zip(before, path, strict=False)
    )


def emissions(words, *, scale=2.0, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return scale * torch.randn(1, words, len(LABELS), generator=draw, dtype=torch.float64)


def by_enumeration(decoder, given, allowed):
    """-log of the sum of exp(-loss) over the sequences let through, in BIO where there are any."""
    words = given.shape[1]
    mask = torch.ones(1, words, dtype=torch.bool)
    ways = list(product(*(allowed[0, word].nonzero()[:, 0].tolist() for word in range(words))))
    paths = [path for path in ways if in_bio(path)] or ways
    losses = [decoder.loss(given, torch.tensor([path]), mask) for path in paths]
    return -torch.stack([-loss for loss in losses]).logsumexp(dim=0)


PATTERNS = {
    "all open": [ANY, ANY, ANY, ANY],
    "an entity's end is open": [(OUT,), (BX,), ANY, (OUT,)],
    "an entity's beginning is open": [ANY, (IX,), (OUT,), ANY],
    "only an inside is known": [ANY, ANY, (IY,), ANY],
    "one word": [ANY],
    "one known word": [(BY,)],
    "an orphan is known": [(OUT,), (IX,), ANY],
    "an orphan begins": [(IX,), ANY, ANY],
    "two types meet in an open word": [(BX,), ANY, (IY,), ANY],
    "nothing is open": [(BX,), (IX,), (OUT,), (BY,)],
    "some tags of a word": [(OUT, BX), (IX, IY, BY), ANY],
}


@pytest.mark.parametrize("backend", ["fast", "pytorch-crf"])
@pytest.mark.parametrize("words", PATTERNS.values(), ids=PATTERNS)
def test_crf_is_the_sum_over_the_completions(words, backend):
    decoder, allowed = crf(backend), allowing(*words)
    mask = torch.ones(allowed.shape[:2], dtype=torch.bool)
    for seed in range(3):
        given = emissions(len(words), seed=seed)
        found = decoder.partial_loss(given, allowed, mask)
        torch.testing.assert_close(found, by_enumeration(decoder, given, allowed))


@pytest.mark.parametrize("words", range(1, 6))
def test_crf_with_drawn_open_words(words):
    """Every set of known words, over tags that BIO allows or not."""
    decoder = crf()
    draw = torch.Generator().manual_seed(words)
    mask = torch.ones(1, words, dtype=torch.bool)
    for known in product((False, True), repeat=words):
        tags = torch.randint(len(LABELS), (words,), generator=draw).tolist()
        allowed = allowing(*((tag,) if k else ANY for tag, k in zip(tags, known, strict=True)))
        given = emissions(words, seed=sum(known))
        found = decoder.partial_loss(given, allowed, mask)
        torch.testing.assert_close(found, by_enumeration(decoder, given, allowed))


def ragged():
    """Sentences of 4, 1, 0 and 3 words; one with an orphan; anything at padding."""
    allowed = torch.cat(
        [
            allowing(ANY, (IX,), ANY, (OUT,)),
            allowing((BX,), width=4),
            allowing(width=4),
            allowing((OUT,), (IY,), ANY, width=4),
        ]
    )
    mask = torch.arange(4)[None] < torch.tensor([4, 1, 0, 3])[:, None]
    draw = torch.Generator().manual_seed(0)
    given = torch.randn(4, 4, len(LABELS), generator=draw, dtype=torch.float64)
    return given, allowed, mask


@pytest.mark.parametrize("make", [crf, lambda: crf("pytorch-crf"), lambda: softmax()])
def test_a_batch_is_the_sum_of_its_sentences_whatever_stands_at_padding(make):
    decoder = make()
    given, allowed, mask = ragged()
    alone = [
        decoder.partial_loss(given[[i], :n], allowed[[i], :n], mask[[i], :n])
        for i, n in ((0, 4), (1, 1), (3, 3))
    ]
    given[~mask], allowed[~mask] = 1e6, False
    torch.testing.assert_close(decoder.partial_loss(given, allowed, mask), sum(alone))
    allowed[~mask] = True
    torch.testing.assert_close(decoder.partial_loss(given, allowed, mask), sum(alone))


@pytest.mark.parametrize("make", [crf, lambda: crf("pytorch-crf"), lambda: softmax()])
def test_with_every_tag_known_it_is_the_loss_and_so_is_its_gradient(make):
    decoder = make()
    tags = torch.tensor([[BX, IX, IX, OUT], [OUT, IY, BY, IX]])
    mask = torch.tensor([[True] * 4, [True, True, True, False]])
    allowed = torch.nn.functional.one_hot(tags, len(LABELS)).bool()
    given = torch.cat([emissions(4), emissions(4, seed=1)]).requires_grad_()
    inputs = [given, *decoder.parameters()]
    right, found = decoder.loss(given, tags, mask), decoder.partial_loss(given, allowed, mask)
    torch.testing.assert_close(found, right)
    for one, other in zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(right, inputs), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("backend", ["fast", "pytorch-crf"])
def test_crf_gradient_is_the_slope_in_emissions_and_transitions(backend):
    decoder = crf(backend)
    given, allowed, mask = ragged()
    parameters = list(decoder.parameters())
    assert torch.autograd.gradcheck(
        lambda *inputs: decoder.partial_loss(inputs[0], allowed, mask),
        (given.requires_grad_(), *parameters),
    )


def test_the_closed_form_is_the_recursion_in_logarithms():
    fast, slow = crf(), crf("pytorch-crf")
    given, allowed, mask = ragged()
    results = []
    for decoder in (fast, slow):
        held = given.clone().requires_grad_()
        loss = decoder.partial_loss(held, allowed, mask)
        results.append([loss, *torch.autograd.grad(loss, [held, *decoder.parameters()])])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_emissions_far_apart_are_no_reason_to_be_infinite():
    """An entity must be there, and the emissions are 1e4 against it; the better of two is taken."""
    decoder = crf()
    given = torch.zeros(1, 3, len(LABELS), dtype=torch.float64)
    given[0, 0, OUT], given[0, 0, BX], given[0, 1, BY] = 1e4, -1e4, -2e4
    given.requires_grad_()
    allowed, mask = allowing(ANY, ANY, (IX,)), torch.ones(1, 3, dtype=torch.bool)
    found = decoder.partial_loss(given, allowed, mask)
    torch.testing.assert_close(found, by_enumeration(decoder, given, allowed))
    found.backward()
    assert given.grad.isfinite().all()


def test_half_precision_is_computed_in_full():
    decoder = crf().float()
    given, allowed, mask = ragged()
    half = given.bfloat16()
    right = decoder.double().partial_loss(half.double(), allowed, mask).float()
    torch.testing.assert_close(decoder.float().partial_loss(half, allowed, mask), right)


def softmax(labels=LABELS):
    return SoftmaxDecoder(Sizes(labels=labels))


def test_softmax_takes_known_words_alone_by_hand():
    """Softmax of log 2, 0, 0, 0, 0: 2/6 and 1/6."""
    given = torch.tensor([[[math.log(2), 0, 0, 0, 0]] * 3])
    mask = torch.ones(1, 3, dtype=torch.bool)
    found = softmax().partial_loss(given, allowing((OUT,), ANY, (BX,)), mask)
    assert found.item() == pytest.approx(math.log(3) + math.log(6))
    some = softmax().partial_loss(given, allowing((OUT, BX), ANY, ANY), mask)
    assert some.item() == pytest.approx(math.log(2))
    assert softmax().partial_loss(given, allowing(ANY, ANY, ANY), mask).item() == 0


def test_softmax_counts_known_words_and_crf_sentences():
    mask = torch.tensor([[True, True, True], [True, False, False]])
    known = torch.tensor([[True, False, True], [True, False, False]])
    targets = Targets(mask, torch.zeros(2, dtype=torch.bool), torch.zeros(2, 3).long(), known=known)
    assert (softmax().count(targets), crf().count(targets)) == (3, 2)


def test_what_each_word_may_be_by_hand():
    """B-X ? I-Y ?: nothing stands between; ? I-X: B-X or I-X; O ?: no I-."""
    decoder = crf()
    allowed = torch.cat(
        [allowing((BX,), ANY, (IY,)), allowing(ANY, ANY, (IX,)), allowing((OUT,), ANY, ANY)]
    )
    mask = torch.ones(3, 3, dtype=torch.bool)
    ways, left = crf_partial.completions(allowed, mask, decoder.steps, decoder.starts)
    assert left.tolist() == [True, True, True]
    named = [[[i for i in ANY if word[i]] for word in row] for row in ways]
    assert named[0] == [[BX], [BY], [IY]]
    assert named[1] == [[OUT, BX, BY], [BX, IX], [IX]]
    assert named[2] == [[OUT], [OUT, BX, BY], list(ANY)]
    orphan = allowing((OUT,), (IX,), ANY)
    ways, left = crf_partial.completions(orphan, mask[:1], decoder.steps, decoder.starts)
    assert not left.any()
    assert not ways.any()
