"""One-to-one pairings against every pairing there is, and what is counted from them."""

import random
from itertools import combinations

import pytest

from mmseq.data.tags import label_names, spans
from mmseq.scoring.matching import best_matching, overlaps
from mmseq.scoring.metrics import score
from mmseq.scoring.mistakes import MATCHED, error_counts
from mmseq.scoring.pairs import Compared
from mmseq.scoring.relaxed import relaxed_scores


def compared(gold, predicted):
    words = tuple(f"w{i}" for i in range(len(gold)))
    return Compared(words, spans(gold), spans(predicted), 0)


def of(gold, predicted):
    return compared(gold.split(), predicted.split())


def random_sentences(number, seed):
    draw = random.Random(seed)
    names = label_names(["X", "Y"])
    for _ in range(number):
        length = draw.randint(1, 9)
        gold, predicted = (draw.choices(names, [1, 1, 3, 1, 3], k=length) for _ in range(2))
        yield gold, predicted


def every_pairing(sentence):
    """All sets of pairs that share a word and use no entity twice."""
    edges = [
        (g, p)
        for g, (start, end, _) in enumerate(sentence.gold)
        for p, (first, last, _) in enumerate(sentence.predicted)
        if set(range(start, end)) & set(range(first, last))
    ]
    for size in range(len(edges) + 1):
        for chosen in combinations(edges, size):
            if len({g for g, _ in chosen}) == len({p for _, p in chosen}) == size:
                yield chosen


def test_overlaps_are_all_pairs_that_share_a_word():
    sentence = of("B-X I-X O B-X B-X I-X", "O B-X I-X I-X I-X O")
    assert sentence.gold == [(0, 2, "X"), (3, 4, "X"), (4, 6, "X")]
    assert sentence.predicted == [(1, 5, "X")]
    assert overlaps(sentence.gold, sentence.predicted) == [(0, 0), (1, 0), (2, 0)]
    assert overlaps(sentence.predicted, sentence.gold) == [(0, 0), (0, 1), (0, 2)]
    assert overlaps([], sentence.gold) == []


def test_the_heaviest_pairing_need_not_be_the_largest():
    # A path of three pairs: its ends together, or the middle alone.
    path = [(0, 0), (1, 0), (1, 1)]
    assert best_matching(path, [1, 1, 1]) == [(0, 0), (1, 1)]
    assert best_matching(path, [1, 3, 1]) == [(1, 0)]
    assert best_matching([], []) == []


def test_counts_are_the_best_of_every_pairing():
    for gold, predicted in random_sentences(400, seed=4):
        sentence = compared(gold, predicted)

        def alike(pairs, sentence=sentence):
            return sum(sentence.gold[g][2] == sentence.predicted[p][2] for g, p in pairs)

        def exact(pairs, sentence=sentence):
            return sum(sentence.gold[g][:2] == sentence.predicted[p][:2] for g, p in pairs)

        pairings = list(every_pairing(sentence))
        relaxed = {name: row["correct"] for name, row in relaxed_scores([sentence]).items()}
        assert relaxed == {
            "boundaries": max(map(exact, pairings)),
            "type": max(map(alike, pairings)),
            "overlap": max(map(len, pairings)),
        }
        errors = error_counts([sentence])
        of_a_type, pairs = max((alike(found), len(found)) for found in pairings)
        assert errors["correct"] + errors["boundaries"] == of_a_type
        assert sum(errors[kind] for kind in MATCHED) == pairs


def test_errors_add_up_and_are_mirrored_with_the_files():
    pairs = list(random_sentences(300, seed=8))
    sentences = [compared(*pair) for pair in pairs]
    errors = error_counts(sentences)
    scores = score(*zip(*pairs, strict=True))
    matched = sum(errors[kind] for kind in MATCHED)
    assert errors["correct"] == scores["correct"]
    assert matched + errors["missed"] == scores["gold"]
    assert matched + errors["spurious"] == scores["predicted"]
    relaxed = relaxed_scores(sentences)
    assert relaxed["boundaries"]["correct"] == errors["correct"] + errors["type"]
    assert relaxed["type"]["correct"] == errors["correct"] + errors["boundaries"]
    assert min(errors.values()) > 10
    mirrored = error_counts(Compared(s.tokens, s.predicted, s.gold, 0) for s in sentences)
    names = {"missed": "spurious", "spurious": "missed"}
    assert mirrored == {names.get(kind, kind): number for kind, number in errors.items()}


@pytest.mark.parametrize(
    ("gold", "predicted", "found"),
    [
        ("B-X I-X", "B-X I-X", {"correct": 1}),
        ("B-X I-X", "B-X O", {"boundaries": 1}),
        ("B-X I-X", "B-Y I-Y", {"type": 1}),
        ("B-X I-X", "O B-Y", {"both": 1}),
        ("B-X O", "O O", {"missed": 1}),
        ("O O", "O B-X", {"spurious": 1}),
        # A prediction over two gold entities belongs to the one of its type.
        ("B-Y B-X", "B-X I-X", {"boundaries": 1, "missed": 1}),
        # The pair of a type comes first, though without it there would be two pairs.
        ("B-X B-Y I-Y", "B-Y I-Y B-X", {"boundaries": 1, "missed": 1, "spurious": 1}),
    ],
)
def test_kinds_of_errors_by_hand(gold, predicted, found):
    expected = dict.fromkeys((*MATCHED, "missed", "spurious"), 0) | found
    assert error_counts([of(gold, predicted)]) == expected


def test_undefined_figures_of_relaxed_scores_are_none():
    row = relaxed_scores([of("B-X O", "O O")])["overlap"]
    assert (row["precision"], row["recall"], row["f1"]) == (None, 0.0, 0.0)
    row = relaxed_scores([of("O O", "O O")])["overlap"]
    assert (row["precision"], row["recall"], row["f1"]) == (None, None, None)


def test_a_chain_of_a_hundred_thousand_words_is_paired():
    # Gold entities of two words, predicted ones a word later: each shares a word with two.
    length = 100_000
    gold = ["B-X", "I-X"] * (length // 2)
    predicted = ["O", *(["B-X", "I-X"] * (length // 2))][:length]
    row = relaxed_scores([compared(gold, predicted)])["overlap"]
    assert (row["gold"], row["predicted"], row["correct"]) == (50_000, 50_000, 50_000)
