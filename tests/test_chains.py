"""Both chains of the CRF where arithmetic is hard: rounding, far scores, padding, graphs."""

import math

import pytest
import torch

from mmseq.builtins.decoding.crf import LinearChain, by_word, full_precision
from mmseq.builtins.decoding.crf_fast import FastChain
from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder
from mmseq.builtins.decoding.posterior import LARGEST
from mmseq.contracts.states import Sizes

BOTH = pytest.mark.parametrize("chain", [LinearChain, FastChain])


def built(chain, start, transitions, end):
    made = chain(len(start)).double()
    with torch.no_grad():
        for parameter, values in zip(made.parts(), (start, transitions, end), strict=True):
            parameter.copy_(torch.tensor(values, dtype=torch.float64))
    return made


def drawn(chain, labels, generator, *, scale=1.0):
    made = chain(labels)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return made


def test_words_come_first_in_64_bits_with_zeros_at_padding():
    emissions = torch.tensor([[[1.0, 2], [3, 4]], [[5, 6], [math.nan, math.inf]]]).half()
    found = by_word(emissions, torch.tensor([[True, True], [True, False]]))
    assert found.dtype == torch.float64
    assert found.tolist() == [[[1, 2], [5, 6]], [[3, 4], [0, 0]]]


def test_half_precision_is_widened_and_nothing_else():
    for given, right in (
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ):
        assert full_precision(torch.zeros(1, dtype=given)).dtype == right


@BOTH
def test_log_partition_by_hand(chain):
    made = built(chain, [1.0, 0], [[0.0, 1], [-1, 3]], [0.0, 2])
    emissions = torch.tensor([[[2.0, 0], [0, 1]], [[2, 0], [9, 9]], [[9, 9], [9, 9]]]).double()
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    # Paths of two words score 7, 6, 3 and -1, of one 3 and 2; without words there is one, of 0.
    right = [[7.0, 6, 3, -1], [3.0, 2], [0.0]]
    expected = torch.tensor([math.log(sum(map(math.exp, scores))) for scores in right])
    found = made.log_partition(emissions, mask)
    torch.testing.assert_close(found, expected.double(), rtol=1e-6, atol=1e-6)


@BOTH
def test_transitions_too_far_apart_for_a_recursion_in_probabilities(chain):
    made = built(chain, [0.0, -1000], [[-1000.0, -1000], [-1000, 0]], [0.0, 0])
    emissions, mask = torch.zeros(1, 2, 2).double(), torch.ones(1, 2, dtype=torch.bool)
    # 0 0, 0 1 and 1 1 score -1000 each, and 1 0 -2000: three paths of a third each.
    log_partition = made.log_partition(emissions, mask)
    assert log_partition.tolist() == pytest.approx([math.log(3) - 1000], abs=1e-9)
    for path in ([0, 0], [0, 1], [1, 1]):
        loss = made.negative_log_likelihood(emissions, torch.tensor([path]), mask)
        assert loss.item() == pytest.approx(math.log(3), abs=1e-9)
    marginals = torch.tensor([[[2.0, 1], [1, 2]]]).double() / 3
    torch.testing.assert_close(made.marginals(emissions, mask), marginals)
    # Tag 1 at the second word; 1 1; and 0 at the first that does not go on with 1.
    tags, spans = torch.tensor([[1, 1]]), torch.tensor([[0, 1, 2], [0, 0, 2]])
    found = made.span_probabilities(emissions, tags, mask, spans, torch.tensor([1, -1]))
    torch.testing.assert_close(found, torch.tensor([2.0, 1]).double() / 3)
    first = torch.tensor([[0, 0, 1]])
    found = made.span_probabilities(emissions, 1 - tags, mask, first, torch.tensor([1, -1]))
    torch.testing.assert_close(found, torch.tensor([1.0]).double() / 3)


@pytest.mark.parametrize("spread", [1.0, 50.0, 200.0, LARGEST - 0.05, LARGEST])
def test_messages_that_shrink_at_every_step_are_kept_in_range(spread):
    """Tag 2 alone steps to itself for nothing, and no word can have it.

    The others take every step for -spread: 2^20 paths of -19 spread each.
    """
    steps = [[-spread] * 3, [-spread] * 3, [-spread, -spread, 0.0]]
    made = built(FastChain, [0.0] * 3, steps, [0.0] * 3)
    emissions = torch.tensor([0.0, 0.0, -1e4]).double().repeat(1, 20, 1).requires_grad_()
    tags, mask = torch.zeros(1, 20, dtype=torch.long), torch.ones(1, 20, dtype=torch.bool)
    found = made.log_partition(emissions, mask).item()
    assert found == pytest.approx(20 * math.log(2) - 19 * spread, rel=1e-12)
    loss = made.negative_log_likelihood(emissions, tags, mask)
    assert loss.item() == pytest.approx(20 * math.log(2), rel=1e-9)
    loss.backward()
    half = torch.tensor([-0.5, 0.5, 0.0]).double().repeat(1, 20, 1)
    torch.testing.assert_close(emissions.grad, half)


@BOTH
def test_the_same_added_to_every_step_changes_no_probability(chain):
    generator = torch.Generator().manual_seed(0)
    made = drawn(chain, 3, generator).double()
    emissions = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    tags = torch.randint(0, 3, (2, 5), generator=generator)
    spans, goes_on = torch.tensor([[0, 1, 3], [1, 0, 1], [1, 2, 3]]), torch.tensor([-1, 2, 2])

    def all_of_them():
        return (
            made.negative_log_likelihood(emissions, tags, mask),
            made.marginals(emissions, mask),
            made.span_probabilities(emissions, tags, mask, spans, goes_on),
        )

    before = all_of_them()
    with torch.no_grad():
        made.crf.transitions.add_(500.0)
    for right, found in zip(before, all_of_them(), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-8, atol=1e-10)


@BOTH
def test_an_entity_of_the_first_of_two_tags_that_the_second_goes_on_with(chain):
    made = built(chain, [0.0, 0], [[0.0, 0], [0, 0]], [0.0, 0])
    emissions, mask = torch.zeros(1, 2, 2).double(), torch.ones(1, 2, dtype=torch.bool)
    tags, spans = torch.zeros(1, 2, dtype=torch.long), torch.tensor([[0, 0, 1], [0, 0, 2]])
    # Of four equal paths one is 0 and then not 1, and one is 0 0.
    found = made.span_probabilities(emissions, tags, mask, spans, torch.tensor([1, -1]))
    torch.testing.assert_close(found, torch.tensor([0.25, 0.25]).double())


def test_the_fast_chain_works_in_64_bits_on_emissions_of_32():
    """Of a path as good as certain the loss is a small difference of large numbers."""
    generator = torch.Generator().manual_seed(1)
    fast = drawn(FastChain, 5, generator)
    exact = LinearChain(5)
    exact.load_state_dict(fast.state_dict())
    exact.double()
    emissions = 10 * torch.randn(1, 400, 5, generator=generator)
    mask = torch.ones(1, 400, dtype=torch.bool)
    tags = exact.best_paths(emissions.double(), mask)
    given = [emissions.clone().requires_grad_(), emissions.double().requires_grad_()]
    losses = [
        m.negative_log_likelihood(g, tags, mask) for m, g in zip((fast, exact), given, strict=True)
    ]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[0].double(), losses[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(given[0].grad.double(), given[1].grad, rtol=1e-6, atol=1e-9)
    right = exact.marginals(emissions.double(), mask)
    torch.testing.assert_close(
        fast.marginals(emissions, mask).double(), right, rtol=1e-6, atol=1e-9
    )
    spans = torch.tensor([[0, place, place + 1] for place in range(400)])
    found = fast.span_probabilities(emissions, tags, mask, spans, torch.full((5,), -1))
    right = right.gather(2, tags[..., None])[0, :, 0]
    torch.testing.assert_close(found.double(), right, rtol=1e-6, atol=1e-9)


@BOTH
def test_no_probability_is_above_one_or_below_zero(chain):
    generator = torch.Generator().manual_seed(2)
    mask = torch.ones(8, 30, dtype=torch.bool)
    spans = torch.tensor([[row, 0, 30] for row in range(8)])
    for _ in range(6):
        made = drawn(chain, 3, generator)
        emissions = 20 * torch.randn(8, 30, 3, generator=generator)
        found = made.marginals(emissions, mask)
        tags = made.best_paths(emissions, mask)
        whole = made.span_probabilities(emissions, tags, mask, spans, torch.full((3,), -1))
        for share in (found, whole):
            assert share.min() >= 0.0
            assert share.max() <= 1.0


@pytest.mark.parametrize("kind", ["fast", "pytorch-crf", "softmax"])
def test_the_only_path_there_is_has_probability_one_and_not_more(kind):
    sizes = Sizes(labels=("O",))
    decoder = SoftmaxDecoder(sizes) if kind == "softmax" else CrfDecoder(sizes, backend=kind)
    generator = torch.Generator().manual_seed(3)
    emissions = torch.randn(100, 30, 1, generator=generator, dtype=torch.float64)
    _, logs = decoder.double().k_best(emissions, torch.ones(100, 30, dtype=torch.bool), 1)
    assert logs.max() <= 0.0
    assert logs.min() > -1e-9


@pytest.mark.parametrize("kind", ["fast", "pytorch-crf", "softmax"])
def test_what_has_a_graph_can_be_decoded(kind):
    sizes = Sizes(labels=("O", "B-X", "I-X"))
    decoder = SoftmaxDecoder(sizes) if kind == "softmax" else CrfDecoder(sizes, backend=kind)
    emissions = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(4))
    mask = torch.tensor([[True, True, True], [True, False, False]])
    with_graph = emissions.clone().requires_grad_()
    assert decoder.decode(with_graph, mask).equal(decoder.decode(emissions, mask))
    for found, right in zip(
        decoder.k_best(with_graph, mask, 2), decoder.k_best(emissions, mask, 2), strict=True
    ):
        assert found.equal(right)
        assert not found.requires_grad
