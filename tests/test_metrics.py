import random
from itertools import product

import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities

from mmseq.data.tags import label_names, repair, spans
from mmseq.scoring.counts import sentence_counts
from mmseq.scoring.metrics import FIGURES, score, variants


def test_scores_counted_by_hand():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "O", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-PER", "I-PER", "O"]]
    # Gold: PER 0-1, LOC 3; PER 1. Predicted: PER 0-1, ORG 3; PER 1-2. One of 3 is right.
    scores = score(gold, predicted)
    third = pytest.approx(100 / 3)
    assert (scores["precision"], scores["recall"], scores["f1"]) == (third, third, third)
    assert (scores["gold"], scores["predicted"], scores["sentences"]) == (3, 3, 2)
    half = {"precision": 50.0, "recall": 50.0, "f1": 50.0, "support": 2}
    none = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    expected = {"LOC": none | {"support": 1}, "ORG": none | {"support": 0}, "PER": half}
    assert scores["per_type"] == expected
    assert (scores["variant"], scores["correct"]) == ("default", 1)
    figures = dict.fromkeys(("precision", "recall", "f1"), third)
    figures |= {"gold": 3, "predicted": 3, "correct": 1}
    assert scores["strict"] == {"variant": "strict", **figures}
    assert scores["repaired"] == {"variant": "repaired", **figures}
    assert variants(scores) == dict.fromkeys(("default", "strict", "repaired"), figures)


def test_an_orphan_counts_by_default_and_not_when_strict():
    gold = [["I-LOC", "I-LOC", "O", "B-LOC"]]
    predicted = [["B-LOC", "I-LOC", "O", "O"]]
    # Default: gold 0-1 and 3, predicted 0-1: P 1/1, R 1/2, F 2/3. Strict: gold 3 alone, P R F 0.
    scores = score(gold, predicted)
    assert (scores["precision"], scores["recall"]) == (100.0, 50.0)
    assert scores["f1"] == pytest.approx(200 / 3)
    assert (scores["gold"], scores["predicted"]) == (2, 1)
    assert scores["strict"] == {
        "variant": "strict",
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "gold": 1,
        "predicted": 1,
        "correct": 0,
    }
    assert variants(scores)["repaired"] == {
        "precision": 100.0,
        "recall": 50.0,
        "f1": pytest.approx(200 / 3),
        "gold": 2,
        "predicted": 1,
        "correct": 1,
    }


def test_strict_scores_keep_what_begins_with_b():
    gold = [["B-A", "O", "B-B", "I-B"]]
    predicted = [["B-A", "O", "I-B", "I-B"]]
    scores = score(gold, predicted)
    assert scores["f1"] == 100.0
    # Strict: predicted A alone, gold A and B: P 1/1, R 1/2.
    assert scores["strict"]["precision"] == 100.0
    assert scores["strict"]["recall"] == 50.0
    assert scores["strict"]["f1"] == pytest.approx(200 / 3)


def test_a_type_with_hyphens_is_one_type():
    scores = score([["B-work-of-art", "I-work-of-art"]], [["B-work-of-art", "I-work-of-art"]])
    assert list(scores["per_type"]) == ["work-of-art"]
    assert scores["strict"]["f1"] == 100.0


@pytest.mark.parametrize(
    ("gold", "predicted", "counts"),
    [
        ([], [], (0, 0, 0)),
        ([[]], [[]], (0, 0, 1)),
        ([["O", "O"]], [["O", "O"]], (0, 0, 1)),
        ([["O", "O"]], [["B-X", "O"]], (0, 1, 1)),
        ([["B-X", "O"]], [["O", "O"]], (1, 0, 1)),
    ],
)
def test_nothing_to_find_or_nothing_found_is_zero_without_a_warning(gold, predicted, counts):
    scores = score(gold, predicted)
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.0, 0.0, 0.0)
    assert (scores["gold"], scores["predicted"], scores["sentences"]) == counts
    strict = scores["strict"]
    assert (strict["f1"], strict["gold"], strict["predicted"]) == (0.0, *counts[:2])


def test_entities_do_not_run_over_the_end_of_a_sentence():
    assert score([["B-X"], ["I-X"]], [["B-X"], ["I-X"]])["gold"] == 2


def test_tuples_are_taken_and_the_counts_are_those_of_spans():
    draw = random.Random(2)
    names = label_names(["X", "Y"])
    gold = [tuple(draw.choices(names, k=6)) for _ in range(50)]
    predicted = [tuple(draw.choices(names, k=6)) for _ in range(50)]
    scores = score(gold, predicted)
    assert scores["gold"] == sum(len(spans(tags)) for tags in gold)
    assert scores["predicted"] == sum(len(spans(tags)) for tags in predicted)
    right = sum(len(set(spans(g)) & set(spans(p))) for g, p in zip(gold, predicted, strict=True))
    assert scores["precision"] == pytest.approx(100 * right / scores["predicted"])
    assert scores["recall"] == pytest.approx(100 * right / scores["gold"])


def test_500_random_pairs_agree_with_seqeval_in_both_modes():
    draw = random.Random(15)
    names = label_names(["X", "Y"])
    by_default = {"zero_division": 0}
    strictly = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    differ = 0
    for _ in range(500):
        lengths = draw.choices(range(1, 9), k=draw.randint(1, 4))
        gold, predicted = ([draw.choices(names, k=n) for n in lengths] for _ in range(2))
        # Half of the words are tagged as in the gold file, so that something is right.
        for wanted, found in zip(gold, predicted, strict=True):
            kept = [draw.random() < 0.5 for _ in wanted]
            found[:] = [w if k else f for w, f, k in zip(wanted, found, kept, strict=True)]
        scores = score(gold, predicted)
        mended = [[list(repair(tags)) for tags in side] for side in (gold, predicted)]
        for name, pair, mode in (
            ("default", (gold, predicted), by_default),
            ("strict", (gold, predicted), strictly),
            ("repaired", mended, strictly),
        ):
            row = variants(scores)[name]
            assert row["precision"] == pytest.approx(100 * precision_score(*pair, **mode))
            assert row["recall"] == pytest.approx(100 * recall_score(*pair, **mode))
            assert row["f1"] == pytest.approx(100 * f1_score(*pair, **mode))
            assert row["correct"] == pytest.approx(row["precision"] * row["predicted"] / 100)
            assert row["correct"] == pytest.approx(row["recall"] * row["gold"] / 100)
        # The engine's own reading, which breakdowns and tests of significance use.
        counts = sentence_counts(gold, predicted)
        own = [int(array.sum()) for array in (counts.gold, counts.predicted, counts.correct)]
        assert [scores[key] for key in FIGURES[3:]] == own
        assert counts.f1 == pytest.approx(scores["f1"])
        for side in (gold, predicted):
            begun = [
                (i, kind, start, end)
                for i, tags in enumerate(side)
                for start, end, kind in spans(tags)
                if tags[start][0] == "B"
            ]
            read = [e.to_tuple() for row in Entities(side, IOB2).entities for e in row]
            assert read == begun
        assert variants(scores)["repaired"] == pytest.approx(variants(scores)["default"])
        differ += scores["strict"]["gold"] != scores["gold"]
    assert differ > 400


def test_repaired_is_the_default_reading_of_every_sequence_of_up_to_five_tags():
    sequences = [
        list(tags)
        for length in range(1, 6)
        for tags in product(label_names(["X", "Y"]), repeat=length)
    ]
    assert len(sequences) == 5 + 5**2 + 5**3 + 5**4 + 5**5
    strictly = Entities([list(repair(tags)) for tags in sequences], IOB2).entities
    for tags, entities in zip(sequences, strictly, strict=True):
        repaired = [(e.tag, e.start, e.end - 1) for e in entities]
        assert repaired == get_entities(tags)


def test_uneven_input_and_other_schemes_are_refused():
    with pytest.raises(ValueError, match="1 gold .*0 predicted"):
        score([["O"]], [])
    with pytest.raises(ValueError, match="sentence 1: 2 gold .*1 predicted"):
        score([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match="'S-X' .*BIO"):
        score([["S-X"]], [["O"]])
