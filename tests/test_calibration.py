"""Calibration by hand: bins of equal number, expected error, Brier; in `mmseq score` too."""

import json

import pytest

from mmseq.contracts.example import Example
from mmseq.scoring.calibration import Bin, calibration
from mmseq.scoring.entity_scores import entity_scores, exact_matches


def test_twenty_entities_in_ten_bins_of_two():
    scores = [n / 20 for n in range(20)]
    # Right are the upper ten and the least of all.
    found = calibration(scores, [n >= 10 or n == 0 for n in range(20)])
    assert [part.entities for part in found.bins] == [2] * 10
    assert found.bins[0] == Bin(0.0, 0.05, 2, 0.025, 0.5)
    assert found.bins[9] == Bin(0.9, 0.95, 2, pytest.approx(0.925), 1.0)
    means = [0.025 + 0.1 * n for n in range(10)]
    shares = [0.5, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    gaps = [abs(mean - share) for mean, share in zip(means, shares, strict=True)]
    assert found.expected_error == pytest.approx(sum(gaps) / 10)
    right = [1, *[0] * 9, *[1] * 10]
    squares = [(s - r) ** 2 for s, r in zip(scores, right, strict=True)]
    assert found.brier == pytest.approx(sum(squares) / 20)


@pytest.mark.parametrize("entities", [10, 11, 19, 25, 101, 1356])
def test_bins_are_alike_in_number(entities):
    found = calibration([n / entities for n in range(entities)], [True] * entities)
    sizes = [part.entities for part in found.bins]
    assert (len(sizes), sum(sizes)) == (10, entities)
    assert max(sizes) - min(sizes) <= 1


def test_fewer_than_ten_have_a_bin_each():
    found = calibration([0.9, 0.2, 0.6], [True, False, False])
    assert [(part.entities, part.score, part.right) for part in found.bins] == [
        (1, 0.2, 0.0),
        (1, 0.6, 0.0),
        (1, 0.9, 1.0),
    ]
    assert found.expected_error == pytest.approx((0.2 + 0.6 + 0.1) / 3)
    assert found.brier == pytest.approx((0.04 + 0.36 + 0.01) / 3)


def test_equal_scores_stay_together_in_whatever_order_they_come():
    scores, right = [0.5, *[1.0] * 30, 0.25], [False, *[True] * 20, *[False] * 10, True]
    found = calibration(scores, right)
    assert [(part.low, part.high, part.entities) for part in found.bins] == [
        (0.25, 0.5, 2),
        (1.0, 1.0, 30),
    ]
    assert found.bins[1].right == pytest.approx(2 / 3)
    assert calibration(scores[::-1], right[::-1]) == found
    same = calibration([0.75] * 4, [True, True, True, False])
    assert (len(same.bins), same.expected_error) == (1, 0.0)
    assert same.brier == pytest.approx((3 * 0.0625 + 0.5625) / 4)


def test_none_at_all_and_those_without_a_score():
    empty = calibration([], [])
    assert (empty.entities, empty.expected_error, empty.brier, empty.bins) == (0, None, None, ())
    assert empty.to_json()["bins"] == []
    found = calibration([None, 0.5, None], [True, True, False])
    assert (found.entities, found.unscored, found.brier) == (1, 2, 0.25)
    with pytest.raises(ValueError, match="shorter"):
        calibration([0.5], [])


def test_right_is_what_gold_has_with_borders_and_type():
    gold = [("B-PER", "I-PER", "O"), ("B-LOC", "O", "I-PER")]
    predicted = [("B-PER", "O", "B-LOC"), ("B-LOC", "O", "B-PER")]
    # The orphan opens an entity, as in seqeval's default.
    assert exact_matches(gold, predicted) == [False, False, True, True]


def sentence(**extras):
    return Example(("a", "b", "c"), ("B-PER", "I-PER", "B-LOC"), extras=extras)


ENTITY = {"type": "PER", "start": 0, "end": 2, "score": 0.7}


@pytest.mark.parametrize(
    ("extras", "scores"),
    [
        ({}, [None, None]),
        ({"scores": [0.9, 0.8, 0.5]}, [0.8, 0.5]),
        ({"entities": [ENTITY]}, [0.7, None]),
        ({"entities": [ENTITY], "scores": [0.9, 0.8, 0.5]}, [0.7, 0.5]),
        # A type renamed since is the same entity.
        ({"entities": [ENTITY | {"type": "PERSON"}]}, [0.7, None]),
        ({"entities": [ENTITY | {"score": 70.0}], "scores": [0.9, 0.8, 0.5]}, [None, 0.5]),
        ({"scores": [0.9, 0.8]}, [None, None]),
        ({"scores": [0.9, float("nan"), 1]}, [None, 1.0]),
        ({"scores": ["high", True, None]}, [None, None]),
        ({"scores": 0.5, "entities": {"PER": 1}}, [None, None]),
        ({"entities": ["Anna", {"start": 0, "end": 2}]}, [None, None]),
        ({"entities": [ENTITY | {"start": [0]}, {"score": 0.5}]}, [None, None]),
    ],
)
def test_a_score_is_the_entitys_else_the_least_of_its_words(extras, scores):
    assert entity_scores(sentence(**extras)) == scores


def written(path, *records):
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def test_score_prints_it_where_the_predictions_have_scores(run_cli, tmp_path):
    words = {"tokens": ["Anna", "in", "Oslo"]}
    gold = written(tmp_path / "gold.jsonl", words | {"tags": ["B-PER", "O", "B-LOC"]})
    tagged = words | {"tags": ["B-PER", "O", "B-ORG"]}
    scored = tagged | {"scores": [0.9, 1.0, 0.4]}
    plain, own = written(tmp_path / "a.jsonl", tagged), written(tmp_path / "b.jsonl", scored)

    def found(path):
        result = run_cli("score", gold, path, "--json")
        assert (result.code, result.err) == (0, "")
        return json.loads(result.out)["calibration"]

    assert found(plain) is None
    assert found(own) == {
        "entities": 2,
        "unscored": 0,
        "expected_error": pytest.approx(0.25),
        "brier": pytest.approx((0.01 + 0.16) / 2),
        "bins": [
            {"low": 0.4, "high": 0.4, "entities": 1, "score": 0.4, "right": 0.0},
            {"low": 0.9, "high": 0.9, "entities": 1, "score": 0.9, "right": 1.0},
        ],
    }
    assert "Scores of predicted entities" not in run_cli("score", gold, plain).out
    table = run_cli("score", gold, own).out
    assert "Scores of predicted entities" in table
    assert "expected error 0.2500, Brier 0.0850" in table
    part = table[table.index("Scores of predicted") :]
    assert max(map(len, part.splitlines())) <= 80

    nothing = written(tmp_path / "c.jsonl", words | {"tags": ["O"] * 3, "scores": [1.0] * 3})
    assert found(nothing)["entities"] == 0
    assert "no predicted entity has a score" in run_cli("score", gold, nothing).out
    percent = written(tmp_path / "d.jsonl", tagged | {"scores": [90.0, 99.0, 0.4]})
    assert found(percent)["unscored"] == 1
    assert "1 without a score from 0 to 1 left out" in run_cli("score", gold, percent).out
