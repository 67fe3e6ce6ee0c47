"""Probabilities of tags, entities and sequences among all sequences that decoding may give."""

from itertools import product

import pytest
import torch

from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder
from mmseq.builtins.decoding.paths import allowed_paths, paths_in_logarithms
from mmseq.contracts.states import Sizes
from mmseq.data.tags import orphans, spans

KINDS = ("fast", "pytorch-crf", "softmax")
LABELS = {
    "one type": ("O", "B-X", "I-X"),
    "two types": ("O", "B-X", "I-X", "B-Y", "I-Y"),
    "no O": ("B-X", "I-X", "B-Y"),
    "nothing leads to it": ("O", "I-X", "B-Y"),
    "two alone": ("O", "B-X"),
}
LENGTHS = (6, 1, 0, 4, 2)
MASK = torch.arange(6) < torch.tensor(LENGTHS)[:, None]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_set = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
either_way = pytest.mark.parametrize("constrain", [True, False])


def made(kind, labels, *, constrain=True, seed=0):
    """A decoder whose transitions matter."""
    if kind == "softmax":
        return SoftmaxDecoder(Sizes(labels=labels), constrain=constrain)
    decoder = CrfDecoder(Sizes(labels=labels), constrain=constrain, backend=kind)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return decoder


def drawn(labels, seed=0, scale=2.0):
    draw = torch.Generator().manual_seed(seed)
    return scale * torch.randn(len(LENGTHS), 6, len(labels), generator=draw)


def every_path(decoder, row, labels, constrain):
    """All paths that count, (P, W), and their probabilities: by the definition, in 64 bits."""
    words = len(row)
    paths = torch.tensor(list(product(range(len(labels)), repeat=words)), dtype=torch.long)
    scores = row.double()[torch.arange(words), paths].sum(dim=1)
    if isinstance(decoder, CrfDecoder):
        start, steps, end = (part.detach().double() for part in decoder.chain.parts())
        scores = scores + start[paths[:, 0]] + end[paths[:, -1]]
        scores = scores + steps[paths[:, :-1], paths[:, 1:]].sum(dim=1)
    if constrain:
        kept = [not orphans([labels[tag] for tag in path]) for path in paths.tolist()]
        paths, scores = paths[kept], scores[kept]
    return paths, scores.softmax(dim=0)


def every_entity(labels, words):
    """All entities that BIO can write: first word, word behind the last, tags."""
    for start, end in product(range(words), range(words + 1)):
        for label in labels:
            inside = f"I-{label[2:]}"
            whole = [label, *[inside] * (end - start - 1)]
            if label[0] == "B" and end > start and (end == start + 1 or inside in labels):
                yield start, end, whole


def entity_scores(decoder, row, labels, found):
    """What the decoder says of each, the others' words having the first tag."""
    words = len(row)
    tags = torch.zeros(len(found), words, dtype=torch.long)
    for number, (start, end, whole) in enumerate(found):
        tags[number, start:end] = torch.tensor([labels.index(tag) for tag in whole])
    places = torch.tensor([[n, start, end] for n, (start, end, _) in enumerate(found)])
    mask = torch.ones(len(found), words, dtype=torch.bool)
    return decoder.span_scores(row.expand(len(found), -1, -1), tags, mask, places).double()


def close(found, right):
    torch.testing.assert_close(found, right, atol=2e-6, rtol=0)


@each_kind
@each_set
@either_way
def test_a_words_scores_are_those_of_all_sequences_through_it_and_sum_to_one(
    kind, labels, constrain
):
    decoder, emissions = made(kind, labels, constrain=constrain), drawn(labels)
    every = [decoder.scores(emissions, MASK * tag, MASK) for tag in range(len(labels))]
    found = torch.stack(every, dim=2).double()
    close(found.sum(dim=2), MASK.double())
    for row, words in enumerate(LENGTHS):
        if words:
            paths, chances = every_path(decoder, emissions[row, :words], labels, constrain)
            for word, tag in product(range(words), range(len(labels))):
                close(found[row, word, tag], chances[paths[:, word] == tag].sum())


@each_kind
@each_set
@either_way
def test_the_probabilities_of_all_sequences_sum_to_one(kind, labels, constrain):
    emissions, mask = (
        drawn(labels)[:, :4],
        torch.arange(4) < torch.tensor([[4], [1], [0], [3], [2]]),
    )
    decoder = made(kind, labels, constrain=constrain)
    paths, logs = decoder.k_best(emissions, mask, len(labels) ** 4)
    close(logs.double().exp().sum(dim=1), torch.ones(5).double())
    for row, words in enumerate(mask.sum(dim=1).tolist()):
        if words:
            right = every_path(decoder, emissions[row, :words], labels, constrain)
            right = dict(zip(map(tuple, right[0].tolist()), right[1].tolist(), strict=True))
            there = logs[row].isfinite()
            found = paths[row, there, :words].tolist()
            assert set(map(tuple, found)) == set(right)
            expected = torch.tensor([right[tuple(path)] for path in found]).double()
            close(logs[row, there].double().exp(), expected)


@each_kind
def test_six_words_have_all_their_sequences(kind):
    labels = LABELS["one type"]
    decoder, emissions = made(kind, labels), drawn(labels, seed=1)
    _, logs = decoder.k_best(emissions, MASK, 3**6)
    # Without the steps to I-X from O and from the beginning: of n words F(2n + 1), Fibonacci's.
    assert logs.isfinite().sum(dim=1).tolist() == [233, 2, 1, 34, 5]
    close(logs.double().exp().sum(dim=1), torch.ones(5).double())


@each_kind
@each_set
@either_way
def test_an_entity_has_the_probability_of_all_sequences_that_hold_it(kind, labels, constrain):
    decoder, emissions = made(kind, labels, constrain=constrain), drawn(labels)
    for row, words in enumerate(LENGTHS):
        if not words:
            continue
        one, entities = emissions[row, :words], list(every_entity(labels, words))
        found = entity_scores(decoder, one, labels, entities)
        paths, chances = every_path(decoder, one, labels, constrain)
        named = [[labels[tag] for tag in path] for path in paths.tolist()]
        held = [{(s, e, path[s]) for s, e, _ in spans(path)} for path in named]
        right = [
            sum(p for p, inside in zip(chances, held, strict=True) if (s, e, whole[0]) in inside)
            for s, e, whole in entities
        ]
        close(found, torch.stack([torch.as_tensor(p).double() for p in right]))


@each_kind
@pytest.mark.parametrize("labels", [LABELS["one type"], LABELS["two types"], LABELS["no O"]])
def test_a_word_is_outside_or_in_one_entity(kind, labels):
    decoder, emissions = made(kind, labels), drawn(labels, seed=2)
    outside = torch.zeros(MASK.shape)
    if "O" in labels:
        outside = decoder.scores(emissions, MASK * labels.index("O"), MASK)
    for row, words in enumerate(LENGTHS):
        if words:
            entities = list(every_entity(labels, words))
            found = entity_scores(decoder, emissions[row, :words], labels, entities)
            whole = outside[row, :words].double()
            for (start, end, _), score in zip(entities, found, strict=True):
                whole[start:end] += score
            close(whole, torch.ones(words).double())


@each_kind
def test_emissions_ten_thousand_apart(kind):
    """At each word all that can be vanishes beside what cannot; what is left is what counts."""
    labels = LABELS["one type"]
    decoder = made(kind, labels)
    emissions = torch.tensor([0.0, -1.0, 1e4]).repeat(2, 5, 1)
    # Only after a B-X, which is as unlikely as the I-X is likely, may the I-X stand.
    emissions[0, :4] = torch.tensor([[0, -1e4, 1e4], [0, 1, 1e4], [0, -2e4, 0], [1e4, 0, 1e4]])
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    every = [decoder.scores(emissions, mask * tag, mask) for tag in range(3)]
    found = torch.stack(every, dim=2).double()
    for row, words in enumerate((5, 3)):
        one = emissions[row, :words]
        paths, chances = every_path(decoder, one, labels, True)
        for word, tag in product(range(words), range(3)):
            close(found[row, word, tag], chances[paths[:, word] == tag].sum())
        logs = decoder.k_best(one[None], torch.ones(1, words, dtype=torch.bool), 4)[1]
        close(logs[0].double().exp(), chances.sort(descending=True).values[:4])
        entities = list(every_entity(labels, words))
        given = entity_scores(decoder, one, labels, entities)
        whole = found[row, :words, 0].clone()
        for (start, end, _), score in zip(entities, given, strict=True):
            whole[start:end] += score
        close(whole, torch.ones(words).double())


@each_kind
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_without_gradients_and_in_half_precision_they_are_the_same(kind, context):
    decoder, given = made(kind, LABELS["two types"]), drawn(LABELS["two types"]).bfloat16()
    spans_of, tags = torch.tensor([[0, 1, 3], [3, 0, 1]]), MASK * 1
    right = decoder.scores(given.float(), tags, MASK), decoder.k_best(given.float(), MASK, 3)[1]
    entities = decoder.span_scores(given.float(), tags, MASK, spans_of)
    with context():
        copy = given.clone()
        found = decoder.scores(copy, tags, MASK), decoder.k_best(copy, MASK, 3)[1]
        assert decoder.span_scores(copy, tags, MASK, spans_of).equal(entities)
    for one, other in zip(found, right, strict=True):
        assert one.dtype == torch.float32
        assert one.equal(other)
    assert all(parameter.grad is None for parameter in decoder.parameters())


def chain(labels, draw):
    """Starts, steps and ends of a chain that some of it cannot be, -inf."""
    decoder = made("fast", labels, seed=draw)
    within = decoder.chain.within(decoder.starts, decoder.steps)
    return [part.detach().double() for part in within.parts()]


@each_set
@pytest.mark.parametrize("scale", [3.0, 1e2, 1e3, 1e5])
def test_in_probabilities_and_in_logarithms_alike(labels, scale):
    draw = torch.Generator().manual_seed(3)
    for case in range(20):
        start, steps, end = chain(labels, case)
        scores = scale * torch.randn(40, 4, len(labels), generator=draw, dtype=torch.float64)
        mask = torch.arange(40) < torch.tensor([[40], [0], [17], [1]])
        tags = torch.randint(0, len(labels), (4, 40), generator=draw)
        found = allowed_paths(scores, start, steps, end, mask, 6.0, tags)
        right = paths_in_logarithms(scores, start, steps, end, mask, tags)
        real = mask.T[..., None]
        torch.testing.assert_close(found.log_partition, right.log_partition, rtol=1e-12, atol=1e-9)
        for one, other, places in (
            (found.tags, right.tags, real),
            (found.onward, right.onward, real[1:]),
        ):
            one, other = one.where(places, 0.0), other.where(places, 0.0)
            torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


@each_kind
def test_an_entity_that_begins_with_an_inside_tag_is_part_of_a_longer_one(kind):
    labels = LABELS["two types"]
    emissions, mask = drawn(labels)[:1, :3], torch.ones(1, 3, dtype=torch.bool)
    # I-X at the second word; B-Y I-X there, which no sequence holds.
    tags, places = torch.tensor([[0, 2, 0]]), torch.tensor([[0, 1, 2], [0, 0, 2]])
    assert made(kind, labels).span_scores(emissions, tags, mask, places)[0] == 0
    tags[0, 0] = 3
    assert made(kind, labels).span_scores(emissions, tags, mask, places)[1] == 0
    assert made(kind, labels, constrain=False).span_scores(emissions, tags, mask, places)[0] > 0


@each_kind
def test_labels_of_which_none_may_begin_are_not_bound(kind):
    labels = ("I-X", "I-Y")
    given = drawn(labels), torch.zeros(MASK.shape, dtype=torch.long), MASK
    free, bound = (made(kind, labels, constrain=constrain) for constrain in (False, True))
    assert free.scores(*given).equal(bound.scores(*given))
    assert free.decode(given[0], MASK).equal(bound.decode(given[0], MASK))


def test_a_loss_made_of_softmax_scores_learns_as_before():
    labels = LABELS["one type"]
    emissions, tags = drawn(labels).requires_grad_(), MASK * 2
    found = made("softmax", labels).scores(emissions, tags, MASK)
    assert found.equal(made("softmax", labels, constrain=False).scores(emissions, tags, MASK))
    found.log().where(MASK, 0.0).sum().backward()
    assert (emissions.grad[MASK] != 0).all()
