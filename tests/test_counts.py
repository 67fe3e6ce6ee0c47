import numpy as np
import pytest

from mmseq.scoring.counts import Counts, sentence_counts
from mmseq.scoring.metrics import score


def test_counts_by_hand():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "O", "O"], ["O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-PER", "I-PER", "O"], ["B-LOC"]]
    counts = sentence_counts(gold, predicted)
    assert counts.gold.tolist() == [2, 1, 0]
    assert counts.predicted.tolist() == [2, 1, 1]
    assert counts.correct.tolist() == [1, 0, 0]
    # P 1/4, R 1/3, F 2 * 1 / (4 + 3).
    assert counts.f1 == pytest.approx(100 * 2 / 7)
    assert len(counts) == 3


def test_f1_is_the_scores_f1_on_random_tags():
    draw = np.random.default_rng(5)
    tags = ["O", "O", "B-A", "I-A", "B-B", "I-B"]
    gold = [[tags[i] for i in draw.integers(6, size=7)] for _ in range(60)]
    predicted = [[tags[i] for i in draw.integers(6, size=7)] for _ in range(60)]
    assert sentence_counts(gold, predicted).f1 == pytest.approx(score(gold, predicted)["f1"])


def test_nothing_gold_and_nothing_predicted_is_zero():
    assert sentence_counts([["O"]], [["O"]]).f1 == 0.0
    assert len(sentence_counts([], [])) == 0


def test_json_and_back():
    counts = sentence_counts([["B-A"], ["O"]], [["B-A"], ["B-A"]])
    again = Counts.from_json(counts.to_json())
    assert again.to_json() == {"correct": [1, 0], "predicted": [1, 1], "gold": [1, 0]}
    with pytest.raises(ValueError, match="different numbers"):
        Counts.from_json({"correct": [1], "predicted": [1, 2], "gold": [1]})
    with pytest.raises(KeyError):
        Counts.from_json({"correct": [1]})
