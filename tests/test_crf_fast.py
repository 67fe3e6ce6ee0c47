"""The fast CRF is pytorch-crf's to rounding: loss, gradients, paths, marginals."""

import random
from itertools import product

import pytest
import torch

from mmseq.builtins.decoding.crf import LinearChain
from mmseq.builtins.decoding.crf_fast import FastChain
from mmseq.builtins.decoding.span_scores import continuations

CASES = 250


def pair(labels, dtype, scale, generator):
    """Both, with the same parameters."""
    reference, fast = LinearChain(labels).to(dtype), FastChain(labels).to(dtype)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    fast.load_state_dict(reference.state_dict())
    return reference, fast


def batch(draw, dtype, generator, *, scale=3.0):
    labels, sentences = draw.randint(1, 40), draw.randint(1, 6)
    # Mostly short: the library takes its time.
    longest = draw.choice((3, 3, 3, 8, 24))
    lengths = [draw.choice((0, 1, 2, draw.randint(1, longest))) for _ in range(sentences)]
    words = max(1, max(lengths) + draw.choice((0, 0, 3)))
    mask = torch.arange(words)[None] < torch.tensor(lengths)[:, None]
    emissions = scale * torch.randn(sentences, words, labels, generator=generator, dtype=dtype)
    tags = torch.randint(0, labels, (sentences, words), generator=generator)
    return labels, emissions, tags, mask


def loss_and_gradients(chain, emissions, tags, mask):
    given = emissions.clone().requires_grad_()
    chain.zero_grad(set_to_none=True)
    loss = chain.negative_log_likelihood(given, tags, mask)
    loss.backward()
    # Of a batch without a word the library gives its parameters no gradient.
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in chain.parameters()]
    return [loss.detach(), given.grad, *parts]


def path_scores(chain, emissions, paths, mask):
    """Score of each sentence's path: log Z of nothing but it would be the same."""
    crf, found = chain.crf, []
    for row, path, real in zip(emissions, paths, mask, strict=True):
        tags = path[real].tolist()
        total = sum((row[word, tag] for word, tag in enumerate(tags)), row.new_zeros(()))
        total = total + sum((crf.transitions[a, b] for a, b in zip(tags, tags[1:], strict=False)))
        if tags:
            total = total + crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
        found.append(total)
    return torch.stack(found).detach()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
def test_random_cases_with_ragged_masks(dtype, tolerance):
    draw, generator = random.Random(0), torch.Generator().manual_seed(0)
    for case in range(CASES):
        labels, emissions, tags, mask = batch(draw, dtype, generator)
        reference, fast = pair(labels, dtype, draw.choice((0.1, 1.0, 5.0)), generator)
        # The library's own rounding in 32 bits is larger: it is asked in 64.
        exact = pair(labels, torch.float64, 0.0, generator)[0]
        exact.load_state_dict(reference.state_dict())
        expected = loss_and_gradients(exact, emissions.double(), tags, mask)
        found = loss_and_gradients(fast, emissions, tags, mask)
        for right, value in zip(expected, found, strict=True):
            close = torch.allclose(value.double(), right, rtol=tolerance, atol=tolerance)
            assert close, (case, (value - right).abs().max())
        marginals = exact.marginals(emissions.double(), mask)
        assert torch.allclose(fast.marginals(emissions, mask).double(), marginals, atol=tolerance)
        ours, theirs = fast.best_paths(emissions, mask), exact.best_paths(emissions.double(), mask)
        if not ours.equal(theirs):
            # Two best paths, to rounding.
            scores = [path_scores(exact, emissions.double(), p, mask) for p in (ours, theirs)]
            torch.testing.assert_close(*scores, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("words", [127, 512])
def test_long_sentences(words):
    generator = torch.Generator().manual_seed(1)
    reference, fast = pair(9, torch.float64, 2.0, generator)
    emissions = 4 * torch.randn(3, words, 9, generator=generator, dtype=torch.float64)
    mask = torch.arange(words)[None] < torch.tensor([words, words // 2, 1])[:, None]
    tags = torch.randint(0, 9, (3, words), generator=generator)
    expected = loss_and_gradients(reference, emissions, tags, mask)
    for right, value in zip(expected, loss_and_gradients(fast, emissions, tags, mask), strict=True):
        torch.testing.assert_close(value, right, rtol=1e-10, atol=1e-10)
    assert fast.best_paths(emissions, mask).equal(reference.best_paths(emissions, mask))


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_large_scores_neither_overflow_nor_lose_anything(scale):
    generator = torch.Generator().manual_seed(2)
    reference, fast = pair(5, torch.float64, 2.0, generator)
    emissions = scale * torch.sign(torch.randn(4, 12, 5, generator=generator, dtype=torch.float64))
    mask = torch.arange(12)[None] < torch.tensor([12, 7, 1, 0])[:, None]
    tags = torch.randint(0, 5, (4, 12), generator=generator)
    found = loss_and_gradients(fast, emissions, tags, mask)
    for right, value in zip(
        loss_and_gradients(reference, emissions, tags, mask), found, strict=True
    ):
        assert value.isfinite().all()
        torch.testing.assert_close(value, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spread", [200.0, 290.0, 1e4])
def test_transitions_far_apart(spread):
    """Below the limit in probabilities, above it as the library does."""
    generator = torch.Generator().manual_seed(3)
    reference, fast = pair(3, torch.float64, 1.0, generator)
    for chain in (reference, fast):
        with torch.no_grad():
            chain.crf.transitions[0, 1] = -spread
            chain.crf.start_transitions[2] = -spread
    emissions = spread * torch.randn(5, 9, 3, generator=generator, dtype=torch.float64)
    mask = torch.arange(9)[None] < torch.tensor([9, 8, 5, 2, 1])[:, None]
    tags = torch.randint(0, 3, (5, 9), generator=generator)
    expected = loss_and_gradients(reference, emissions, tags, mask)
    for right, value in zip(expected, loss_and_gradients(fast, emissions, tags, mask), strict=True):
        torch.testing.assert_close(value, right, rtol=1e-9, atol=1e-9)


def test_the_gradient_is_the_slope():
    generator = torch.Generator().manual_seed(4)
    _, fast = pair(4, torch.float64, 1.0, generator)
    emissions = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    mask = torch.arange(5)[None] < torch.tensor([5, 2, 1])[:, None]
    tags = torch.randint(0, 4, (3, 5), generator=generator)
    given = (emissions, *fast.parameters())
    assert torch.autograd.gradcheck(
        lambda *given: 3 * fast.negative_log_likelihood(given[0], tags, mask), given
    )


LABELS = ("O", "B-X", "I-X", "B-Y", "I-Y")


@pytest.mark.parametrize("chain", [LinearChain, FastChain])
def test_probability_of_an_entity_is_the_sum_over_all_paths_that_hold_it(chain):
    generator = torch.Generator().manual_seed(5)
    model = chain(5).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    emissions = 2 * torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True] * 4, [True, True, True, False]])
    tags = torch.tensor([[1, 2, 2, 3], [0, 3, 4, 0]])
    # Sentence, first word, word behind the last, the tag that would go on with it.
    entities = [(0, 0, 3, 2), (0, 3, 4, 4), (1, 1, 3, 4)]
    expected = []
    for row, start, end, onward in entities:
        words = int(mask[row].sum())
        paths = torch.tensor(list(product(range(5), repeat=words)))
        scores = path_scores(
            model,
            emissions[row, :words].expand(len(paths), -1, -1),
            paths,
            torch.ones(len(paths), words, dtype=torch.bool),
        )
        held = (paths[:, start:end] == tags[row, start:end]).all(dim=1)
        if end < words:
            held &= paths[:, end] != onward
        expected.append(scores.softmax(dim=0)[held].sum())
    spans = torch.tensor([entity[:3] for entity in entities])
    found = model.span_probabilities(emissions, tags, mask, spans, continuations(LABELS))
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-10, atol=1e-12)
    nothing = torch.zeros(0, 3, dtype=torch.long)
    assert model.span_probabilities(
        emissions, tags, mask, nothing, continuations(LABELS)
    ).shape == (0,)


def test_both_backends_agree_on_entities_of_ragged_sentences():
    draw, generator = random.Random(6), torch.Generator().manual_seed(6)
    goes_on = continuations(LABELS)
    for _ in range(50):
        reference, fast = pair(5, torch.float64, 2.0, generator)
        lengths = torch.tensor([draw.randint(0, 30) for _ in range(4)])
        mask = torch.arange(30) < lengths[:, None]
        emissions = 5 * torch.randn(4, 30, 5, generator=generator, dtype=torch.float64)
        tags = torch.randint(0, 5, (4, 30), generator=generator)
        spans = [
            (row, begin, draw.randint(begin + 1, length))
            for row, length in enumerate(lengths.tolist())
            for begin in range(0, length, 3)
        ]
        given = (emissions, tags, mask, torch.tensor(spans, dtype=torch.long).reshape(-1, 3))
        found = fast.span_probabilities(*given, goes_on)
        expected = reference.span_probabilities(*given, goes_on)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


def test_of_equal_paths_both_take_the_lower_tags():
    reference, fast = pair(4, torch.float32, 0.0, torch.Generator())
    mask = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    for chain in (reference, fast):
        assert chain.best_paths(torch.zeros(3, 3, 4), mask).eq(0).all()
        # Tags 1 and 3 are equally good.
        scores = torch.tensor([0.0, 2.0, 1.0, 2.0]).expand(3, 3, 4)
        assert chain.best_paths(scores, mask).equal(mask.long())


def test_best_paths_by_hand():
    """Two tags, three words; staying costs 2, so that the best single tags are not the best path.

    Emissions favour 0, 0, 0 by 1 each; the path 0 1 0 scores 1 + 0 + 1 = 2, the path 0 0 0 scores
    3 - 4 = -1. An end that dislikes 0 by 5 makes it 1 0 1, with 0 + 1 + 0.
    """
    fast = FastChain(2)
    with torch.no_grad():
        fast.crf.transitions.copy_(torch.tensor([[-2.0, 0.0], [0.0, -2.0]]))
        fast.crf.start_transitions.zero_()
        fast.crf.end_transitions.zero_()
    emissions, mask = torch.tensor([[[1.0, 0.0]] * 3]), torch.ones(1, 3, dtype=torch.bool)
    assert fast.best_paths(emissions, mask).tolist() == [[0, 1, 0]]
    with torch.no_grad():
        fast.crf.end_transitions[0] = -5.0
    assert fast.best_paths(emissions, mask).tolist() == [[1, 0, 1]]
