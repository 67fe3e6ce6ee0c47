import math
from itertools import product

import pytest
import torch

from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder, forbidden_steps
from mmseq.contracts.states import Sizes, Targets

LABELS = ("O", "B-X", "I-X")
LENGTHS = (4, 1, 0, 3)
MASK = torch.arange(4)[None, :] < torch.tensor(LENGTHS)[:, None]
TAGS = torch.tensor([[0, 1, 2, 2], [2, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])


def emissions(seed=0, scale=2.0):
    return torch.randn(len(LENGTHS), 4, 3, generator=torch.Generator().manual_seed(seed)) * scale


def crf(*, constrain=False, seed=0, backend="fast"):
    """A CRF whose transitions matter."""
    decoder = CrfDecoder(Sizes(labels=LABELS), constrain=constrain, backend=backend)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return decoder


def path_score(decoder, row, path):
    """The definition: start + emissions + transitions + end."""
    chain = decoder.chain.crf
    total = chain.start_transitions[path[0]] + chain.end_transitions[path[-1]]
    total = total + sum(row[word, tag] for word, tag in enumerate(path))
    return total + sum(chain.transitions[a, b] for a, b in zip(path, path[1:], strict=False))


def every_path(decoder, row, length):
    paths = list(product(range(len(LABELS)), repeat=length))
    return paths, torch.stack([path_score(decoder, row, path) for path in paths])


def allowed(path):
    """I-X (2) must follow B-X (1) or I-X (2), and never begins."""
    return all(tag != 2 or before in (1, 2) for before, tag in zip((0, *path), path, strict=False))


def test_forbidden_steps_by_hand():
    steps, starts = forbidden_steps(("O", "B-A", "I-A", "B-B-C", "I-B-C"))
    forbidden = {(i, j) for i, j in steps.nonzero().tolist()}
    assert forbidden == {(0, 2), (3, 2), (4, 2), (0, 4), (1, 4), (2, 4)}
    assert starts.tolist() == [False, False, True, False, True]


def small_crf():
    """Two tags, small whole scores; sentences of two words, of one and of none."""
    decoder = CrfDecoder(Sizes(labels=("O", "B-X"))).double()
    chain = decoder.chain.crf
    chain.start_transitions.data = torch.tensor([1.0, 0]).double()
    chain.transitions.data = torch.tensor([[0.0, 1], [-1, 3]]).double()
    chain.end_transitions.data = torch.tensor([0.0, 2]).double()
    scores = torch.tensor([[[2.0, 0], [0, 1]], [[2, 0], [9, 9]], [[9, 9], [9, 9]]]).double()
    return decoder, scores, torch.tensor([[True, True], [True, False], [False, False]])


TWO_WORDS = {(0, 0): 1 + 2 + 0 + 0 + 0, (0, 1): 1 + 2 + 1 + 1 + 2}
TWO_WORDS |= {(1, 0): 0 + 0 - 1 + 0 + 0, (1, 1): 0 + 0 + 3 + 1 + 2}
ONE_WORD = {0: 1 + 2 + 0, 1: 0 + 0 + 2}


@pytest.mark.parametrize("path", TWO_WORDS)
@pytest.mark.parametrize("tag", ONE_WORD)
def test_crf_loss_and_scores_by_hand(path, tag):
    decoder, scores, mask = small_crf()
    tags = torch.tensor([path, [tag, 0], [0, 0]])
    shares = {path: math.exp(score) for path, score in TWO_WORDS.items()}
    share = math.exp(ONE_WORD[tag]) / sum(map(math.exp, ONE_WORD.values()))
    expected = -math.log(shares[path] / sum(shares.values())) - math.log(share)
    assert decoder.loss(scores, tags, mask).item() == pytest.approx(expected)
    through = [
        sum(value for other, value in shares.items() if other[word] == path[word])
        for word in (0, 1)
    ]
    first, second = (value / sum(shares.values()) for value in through)
    expected = [[first, second], [share, 0], [0, 0]]
    found = decoder.scores(scores, tags, mask)
    torch.testing.assert_close(found, torch.tensor(expected).double())


def test_crf_decodes_the_best_path_by_hand():
    decoder, scores, mask = small_crf()
    assert decoder.decode(scores, mask).tolist() == [[0, 1], [0, 0], [0, 0]]


def test_crf_orders_all_paths_by_hand():
    decoder, scores, mask = small_crf()
    paths, logs = decoder.k_best(scores, mask, 5)
    assert paths[0].tolist() == [[0, 1], [1, 1], [0, 0], [1, 0], [0, 0]]
    assert paths[1].tolist() == [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0]]
    assert not paths[2].any()
    sums = [sum(map(math.exp, found.values())) for found in (TWO_WORDS, ONE_WORD)]
    two = [math.exp(score) / sums[0] for score in (7, 6, 3, -1)]
    one = [math.exp(score) / sums[1] for score in (3, 2)]
    expected = [[*two, 0], [*one, 0, 0, 0], [1.0, 0, 0, 0, 0]]
    torch.testing.assert_close(logs.exp(), torch.tensor(expected).double())


def test_crf_gradient_is_the_losss_slope_in_emissions_and_transitions():
    decoder, scores = crf().double(), emissions().double().requires_grad_()
    given = (scores, *decoder.parameters())
    assert torch.autograd.gradcheck(lambda *given: decoder.loss(given[0], TAGS, MASK), given)


def test_crf_loss_is_the_enumerated_likelihood_summed_over_sentences():
    decoder, scores = crf(), emissions()
    expected = 0.0
    for row, length in enumerate(LENGTHS):
        if length:
            _, every = every_path(decoder, scores[row], length)
            expected += every.logsumexp(0) - path_score(decoder, scores[row], TAGS[row, :length])
    torch.testing.assert_close(decoder.loss(scores, TAGS, MASK), expected)


def test_crf_counts_sentences_with_words_and_softmax_counts_words():
    targets = Targets(mask=MASK, has_image=torch.zeros(4, dtype=torch.bool))
    assert crf().count(targets) == 3
    assert SoftmaxDecoder(Sizes(labels=LABELS)).count(targets) == 8


def test_crf_loss_is_a_sum_and_not_a_mean():
    decoder, scores = crf(), emissions()
    once = decoder.loss(scores, TAGS, MASK)
    twice = decoder.loss(torch.cat([scores] * 2), torch.cat([TAGS] * 2), torch.cat([MASK] * 2))
    torch.testing.assert_close(twice, 2 * once)


def test_crf_ignores_what_stands_at_padding():
    decoder, scores = crf(), emissions()
    other = torch.where(MASK[..., None], scores, 1e4 * emissions(1))
    torch.testing.assert_close(decoder.loss(other, TAGS, MASK), decoder.loss(scores, TAGS, MASK))
    assert decoder.decode(other, MASK).equal(decoder.decode(scores, MASK))
    torch.testing.assert_close(
        decoder.scores(other, TAGS, MASK), decoder.scores(scores, TAGS, MASK)
    )


def test_crf_gradients_are_finite_and_zero_at_padding():
    decoder, scores = crf(), (30 * emissions()).requires_grad_()
    decoder.loss(scores, TAGS, MASK).backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[~MASK].any()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in decoder.parameters())


@pytest.mark.parametrize("context", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_crf_scores_are_the_enumerated_marginals(context):
    decoder, expected = crf(), torch.zeros(len(LENGTHS), 4)
    scores = emissions()
    for row, length in enumerate(LENGTHS):
        if not length:
            continue
        paths, every = every_path(decoder, scores[row], length)
        share = every.softmax(0)
        for word in range(length):
            through = torch.tensor([path[word] == TAGS[row, word] for path in paths])
            expected[row, word] = share[through].sum()
    with context():
        found = decoder.scores(emissions(), TAGS.clone(), MASK.clone())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert all(parameter.grad is None for parameter in decoder.parameters())


@pytest.mark.parametrize("backend", ["fast", "pytorch-crf"])
@pytest.mark.parametrize("constrain", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_crf_decodes_the_best_of_all_paths(backend, constrain, seed):
    decoder, scores = crf(constrain=constrain, seed=seed, backend=backend), emissions(seed)
    found = decoder.decode(scores, MASK)
    for row, length in enumerate(LENGTHS):
        best = ()
        if length:
            paths, every = every_path(decoder, scores[row], length)
            ranked = sorted(zip(every.tolist(), paths, strict=True), reverse=True)
            best = next(path for _, path in ranked if allowed(path) or not constrain)
        assert found[row].tolist() == [*best, *[0] * (4 - length)]


@pytest.mark.parametrize("decoder", [CrfDecoder, SoftmaxDecoder])
def test_forbidden_steps_are_excluded_unless_the_user_says_otherwise(decoder):
    # I-X is best at every word, but may not begin.
    scores, mask = torch.tensor([[[0.0, 0, 9]] * 3]), torch.ones(1, 3, dtype=torch.bool)
    assert decoder(Sizes(labels=LABELS)).decode(scores, mask).tolist() == [[1, 2, 2]]
    free = decoder(Sizes(labels=LABELS), constrain=False)
    assert free.decode(scores, mask).tolist() == [[2, 2, 2]]


def test_constrained_decoding_leaves_the_learned_parameters_and_their_graph_alone():
    decoder, scores = crf(constrain=True), emissions()
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    loss = decoder.loss(scores, TAGS, MASK)
    decoder.decode(scores, MASK)
    assert all(value.equal(before[name]) for name, value in decoder.state_dict().items())
    loss.backward()
    assert set(before) == {name for name, _ in decoder.named_parameters()}


def test_constraint_does_not_change_the_loss():
    free, bound, scores = crf(), crf(constrain=True), emissions()
    assert free.loss(scores, TAGS, MASK).equal(bound.loss(scores, TAGS, MASK))
    free, bound = (SoftmaxDecoder(Sizes(labels=LABELS), constrain=c) for c in (False, True))
    assert free.loss(scores, TAGS, MASK).equal(bound.loss(scores, TAGS, MASK))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("make", [crf, lambda: SoftmaxDecoder(Sizes(labels=LABELS))])
def test_half_precision_emissions_are_computed_in_full(make, half):
    decoder, scores = make(), emissions().to(half)
    loss = decoder.loss(scores, TAGS, MASK)
    assert loss.dtype == torch.float32
    assert loss.equal(decoder.loss(scores.float(), TAGS, MASK))
    probabilities = decoder.scores(scores, TAGS, MASK)
    assert probabilities.equal(decoder.scores(scores.float(), TAGS, MASK))
    assert decoder.decode(scores, MASK).equal(decoder.decode(scores.float(), MASK))


@pytest.mark.parametrize("make", [crf, lambda: SoftmaxDecoder(Sizes(labels=LABELS))])
def test_a_batch_without_any_word_is_worth_nothing(make):
    decoder, mask = make(), torch.zeros(2, 3, dtype=torch.bool)
    # Their sum overflows half precision.
    scores = torch.full((2, 3, 3), 6e4, dtype=torch.float16, requires_grad=True)
    tags = torch.zeros(2, 3, dtype=torch.long)
    loss = decoder.loss(scores, tags, mask)
    assert loss.item() == 0
    loss.backward()
    assert not scores.grad.any()
    assert not decoder.decode(scores, mask).any()
    assert not decoder.scores(scores, tags, mask).any()


@pytest.mark.parametrize("make", [crf, lambda: SoftmaxDecoder(Sizes(labels=LABELS))])
def test_loss_works_without_gradients(make):
    decoder, scores = make(), emissions()
    with torch.no_grad():
        quiet = decoder.loss(scores, TAGS, MASK)
    assert quiet.equal(decoder.loss(scores, TAGS, MASK).detach())


def test_softmax_by_hand():
    decoder = SoftmaxDecoder(Sizes(labels=LABELS), constrain=False)
    # Probabilities 1/4, 1/4, 1/2 and 2/5, 2/5, 1/5; the third place is padding.
    scores = torch.tensor([[[1.0, 1, 2], [2, 2, 1], [9, 0, 0]]]).log()
    scores[0, 2] = 50.0
    tags, mask = torch.tensor([[2, 0, 0]]), torch.tensor([[True, True, False]])
    loss = decoder.loss(scores, tags, mask)
    assert loss.item() == pytest.approx(-math.log(1 / 2) - math.log(2 / 5), rel=1e-6)
    torch.testing.assert_close(decoder.scores(scores, tags, mask), torch.tensor([[0.5, 0.4, 0]]))
    assert decoder.decode(scores, mask).tolist() == [[2, 0, 0]]


def test_a_softmax_learns_nothing_and_saves_nothing():
    assert SoftmaxDecoder(Sizes(labels=LABELS)).state_dict() == {}


@pytest.mark.parametrize("seed", range(8))
def test_constrained_softmax_is_the_best_allowed_path(seed):
    decoder = SoftmaxDecoder(Sizes(labels=LABELS), constrain=True)
    scores = emissions(seed)
    found = decoder.decode(scores, MASK)
    for row, length in enumerate(LENGTHS):
        paths = [path for path in product(range(3), repeat=length) if allowed(path)]
        best = max(paths, key=lambda p: sum(scores[row, w, t].item() for w, t in enumerate(p)))
        assert found[row].tolist() == [*best, *[0] * (4 - length)]
    padding = torch.where(MASK[..., None], scores, 1e6 * emissions(seed + 1))
    assert decoder.decode(padding, MASK).equal(found)


def test_an_entity_of_a_softmax_by_hand():
    # Every tag has probability 1/3. Of three words the entity takes two: its tags, and no I-X after
    # them; of two words both, after which nothing can follow.
    tags = torch.tensor([[1, 2, 0, 0], [1, 2, 0, 0]])
    mask = torch.tensor([[True, True, True, False], [True, True, False, False]])
    given = torch.zeros(2, 4, 3), tags, mask, torch.tensor([[0, 0, 2], [1, 0, 2]])
    free = SoftmaxDecoder(Sizes(labels=LABELS), constrain=False)
    assert free.span_scores(*given).tolist() == pytest.approx([1 / 9 * 2 / 3, 1 / 9])
    # BIO allows 13 sequences of three words, 2 of them with the entity, and 5 of two words.
    bound = SoftmaxDecoder(Sizes(labels=LABELS))
    assert bound.span_scores(*given).tolist() == pytest.approx([2 / 13, 1 / 5])
    assert bound.scores(*given[:3])[1].tolist() == pytest.approx([3 / 5, 1 / 5, 0, 0])
