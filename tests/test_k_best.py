"""The k best tag sequences against all there are."""

import random
from itertools import product

import pytest
import torch

from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Sizes
from mmseq.data.tags import orphans

LABELS = ("O", "B-X", "I-X", "B-Y", "I-Y")
BACKENDS = ("fast", "pytorch-crf")
CASES = 200


def make(kind, labels=LABELS, *, constrain=False, generator=None):
    """A decoder; with a generator, its transitions matter."""
    if kind == "softmax":
        return SoftmaxDecoder(Sizes(labels=labels), constrain=constrain)
    decoder = CrfDecoder(Sizes(labels=labels), constrain=constrain, backend=kind)
    with torch.no_grad():
        for parameter in decoder.parameters():
            drawn = torch.zeros(parameter.shape)
            parameter.copy_(drawn if generator is None else drawn.normal_(generator=generator))
    return decoder


def every_sequence(decoder, row, labels, *, constrain):
    """Those that may be given, with their log-probabilities: by the definition, in 64 bits."""
    words, count = len(row), len(labels)
    paths = torch.tensor(list(product(range(count), repeat=words)), dtype=torch.long)
    scores = row.double()[torch.arange(words), paths].sum(dim=1)
    if isinstance(decoder, CrfDecoder) and words:
        start, steps, end = (part.detach().double() for part in decoder.chain.parts())
        scores = scores + start[paths[:, 0]] + end[paths[:, -1]]
        scores = scores + steps[paths[:, :-1], paths[:, 1:]].sum(dim=1)
    if constrain:
        kept = [not orphans([labels[tag] for tag in path]) for path in paths.tolist()]
        paths, scores = paths[kept], scores[kept]
    return paths, scores - scores.logsumexp(dim=0)


def ragged(draw, generator, dtype):
    labels = LABELS[: draw.choice((1, 3, 3, 5))]
    lengths = torch.tensor([draw.randint(0, 4) for _ in range(draw.randint(1, 4))])
    words = max(1, int(lengths.max())) + draw.choice((0, 0, 2))
    mask = torch.arange(words) < lengths[:, None]
    scale = draw.choice((1.0, 3.0, 1e4))
    size = (len(lengths), words, len(labels))
    return labels, mask, scale * torch.randn(size, generator=generator, dtype=dtype)


@pytest.mark.parametrize("constrain", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
def test_they_are_the_most_probable_of_all_in_order(kind, dtype, constrain):
    draw, generator = random.Random(0), torch.Generator().manual_seed(0)
    for case in range(CASES):
        labels, mask, emissions = ragged(draw, generator, dtype)
        decoder = make(kind, labels, constrain=constrain, generator=generator).to(dtype)
        k = draw.choice((1, 2, 3, 8, 40))
        found, logs = decoder.k_best(emissions, mask, k)
        assert found.shape == (len(mask), k, mask.shape[1])
        assert (found.dtype, logs.dtype) == (torch.long, dtype)
        for row, words in enumerate(mask.sum(dim=1).tolist()):
            one = emissions[row, :words]
            paths, right = every_sequence(decoder, one, labels, constrain=constrain)
            right, order = right.sort(descending=True, stable=True)
            there = min(k, len(right))
            assert found[row, :there, :words].equal(paths[order[:there]]), case
            assert not found[row, :, words:].any()
            assert not found[row, there:].any()
            assert logs[row, there:].eq(-torch.inf).all()
            close = {"rtol": 1e-6, "atol": 1e-6} if dtype == torch.float32 else {}
            torch.testing.assert_close(logs[row, :there], right[:there].to(dtype), **close)


@pytest.mark.parametrize("constrain", [False, True])
@pytest.mark.parametrize("kind", ["fast", "softmax"])
def test_the_first_is_what_decode_gives(kind, constrain):
    draw, generator = random.Random(1), torch.Generator().manual_seed(1)
    for case in range(CASES):
        labels, mask, emissions = ragged(draw, generator, torch.float32)
        if case % 2:
            # Many are equally good.
            emissions = emissions.sign()
        drawn = generator if case % 4 else None
        decoder = make(kind, labels, constrain=constrain, generator=drawn)
        best = decoder.decode(emissions, mask)
        for k in (1, 4):
            assert decoder.k_best(emissions, mask, k)[0][:, 0].equal(best), case


@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
def test_the_probabilities_of_all_sequences_sum_to_one(kind):
    decoder = make(kind, LABELS[:3], generator=torch.Generator().manual_seed(2))
    emissions = 2 * torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(3))
    mask = torch.arange(4) < torch.tensor([[4], [2], [0]])
    _, logs = decoder.k_best(emissions, mask, 3**4)
    assert logs.isfinite().sum(dim=1).tolist() == [81, 9, 1]
    torch.testing.assert_close(logs.double().exp().sum(dim=1), torch.ones(3).double())


@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_of_equal_ones_the_lower_tag_at_the_last_difference_comes_first(kind, k):
    mask = torch.ones(1, 3, dtype=torch.bool)
    paths, logs = make(kind, ("O", "B-X")).k_best(torch.zeros(1, 3, 2), mask, k)
    ordered = sorted(product(range(2), repeat=3), key=lambda path: path[::-1])
    assert paths[0].tolist() == [list(path) for path in ordered[:k]]
    torch.testing.assert_close(logs.exp(), torch.full((1, k), 1 / 8))


@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
def test_long_sentences_lose_nothing(kind):
    """Of one tag at each word the others are far behind, and by how much is known."""
    words = 400
    emissions = torch.zeros(2, words, 3)
    emissions[..., 0] = 1e4
    # The second best, third best and so on: one word that has another tag.
    emissions[0, 7, 1], emissions[0, 300, 2], emissions[0, 399, 1] = 9999, 9998, 9997
    mask = torch.arange(words) < torch.tensor([[words], [5]])
    paths, logs = make(kind, LABELS[:3]).k_best(emissions, mask, 4)
    changed = [(path.nonzero()[:, 0].tolist(), path.sum().item()) for path in paths[0]]
    # One word less by 3, or two by 1 and 2: equal, and the lower tag is at the last word.
    assert changed == [([], 0), ([7], 1), ([300], 2), ([7, 300], 3)]
    steps = logs[0].diff()
    torch.testing.assert_close(steps, torch.tensor([-1.0, -1.0, -1.0]))
    shares = [1 + torch.tensor(-n).exp() for n in (1.0, 2.0, 3.0)]
    torch.testing.assert_close(logs[0, 0], -torch.stack(shares).log().sum())


@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
@pytest.mark.parametrize("scale", [3.0, 1e6])
def test_a_forbidden_step_is_never_taken_whatever_the_scores(kind, scale):
    generator = torch.Generator().manual_seed(4)
    decoder = make(kind, constrain=True, generator=generator)
    emissions = scale * torch.randn(100, 6, 5, generator=generator)
    # The forbidden ones are what the emissions are for.
    emissions[:50, :, 2::2] += 3 * scale
    mask = torch.ones(100, 6, dtype=torch.bool)
    decoded = decoder.decode(emissions, mask)
    assert not any(orphans([LABELS[tag] for tag in path]) for path in decoded.tolist())
    several, logs = decoder.k_best(emissions, mask, 5)
    assert logs.isfinite().all()
    assert not any(
        orphans([LABELS[tag] for tag in path]) for path in several.flatten(0, 1).tolist()
    )
    if scale < 10:
        assert several[:, 0].equal(decoded)


def test_what_no_sequence_may_hold_leaves_the_others():
    """Without B-X nothing leads to I-X."""
    decoder = make("fast", ("O", "I-X", "B-Y"), constrain=True)
    mask = torch.ones(1, 2, dtype=torch.bool)
    paths, logs = decoder.k_best(torch.tensor([[[0.0, 9, 1]] * 2]), mask, 9)
    assert paths[0, :4].tolist() == [[2, 2], [2, 0], [0, 2], [0, 0]]
    assert logs[0].isfinite().tolist() == [True] * 4 + [False] * 5


@pytest.mark.parametrize("kind", [*BACKENDS, "softmax"])
def test_what_stands_at_padding_does_not_count(kind):
    generator = torch.Generator().manual_seed(5)
    decoder = make(kind, constrain=True, generator=generator)
    emissions = torch.randn(3, 5, 5, generator=generator)
    mask = torch.arange(5) < torch.tensor([[2], [5], [0]])
    other = torch.where(mask[..., None], emissions, 1e6)
    for first, second in zip(
        decoder.k_best(emissions, mask, 6), decoder.k_best(other, mask, 6), strict=True
    ):
        assert first.equal(second)


def test_half_precision_and_transitions_far_apart():
    generator = torch.Generator().manual_seed(6)
    emissions = torch.randn(2, 3, 5, generator=generator)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    for half in (torch.float16, torch.bfloat16):
        decoder, given = make("fast", generator=generator), emissions.to(half)
        for first, second in zip(
            decoder.k_best(given, mask, 4), decoder.k_best(given.float(), mask, 4), strict=True
        ):
            assert first.equal(second)
    decoder = make("fast")
    with torch.no_grad():
        # Beyond what its recursion in probabilities stands: the library gives log Z.
        decoder.chain.crf.transitions[0, 1] = 1e3
    paths, right = every_sequence(decoder, emissions[0], LABELS, constrain=False)
    found, logs = decoder.k_best(emissions, mask, 3)
    right, order = right.sort(descending=True)
    assert found[0].equal(paths[order[:3]])
    torch.testing.assert_close(logs[0].double(), right[:3], rtol=1e-5, atol=1e-4)


def test_a_decoder_need_not_have_it():
    class Best(SoftmaxDecoder):
        k_best = Decoder.k_best

    with pytest.raises(NotImplementedError, match="^Best .*alone"):
        Best(Sizes(labels=LABELS)).k_best(torch.zeros(1, 1, 5), torch.ones(1, 1).bool(), 2)
