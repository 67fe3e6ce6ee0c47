"""Macro and weighted averages and mistaken types, worked out by hand."""

import pytest
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from mmseq.scoring.averages import absent_line
from mmseq.scoring.confusions import confused
from mmseq.scoring.metrics import score

GOLD = [["B-PER", "O", "B-PER", "B-LOC"], ["B-ORG", "O", "O", "O"]]
PREDICTED = [["B-PER", "O", "B-LOC", "B-LOC"], ["B-MISC", "O", "O", "O"]]


def test_averages_of_the_types():
    """PER: P 1, R 1/2, F1 2/3; LOC: P 1/2, R 1, F1 2/3; ORG and MISC 0. Support 2, 1, 1, 0."""
    found = score(GOLD, PREDICTED)
    third = pytest.approx(100 / 3)
    assert found["macro"] == {"precision": 37.5, "recall": 37.5, "f1": third}
    assert found["weighted"] == {"precision": 62.5, "recall": 50.0, "f1": pytest.approx(50.0)}
    assert found["absent"] == {"gold": ["MISC"], "predicted": ["ORG"]}
    assert absent_line(found) == (
        "In the macro average: MISC not in the gold tags (recall and F1 0); ORG not in the "
        "predictions (precision and F1 0)."
    )
    assert found["confused"] == {"ORG": {"MISC": 1}, "PER": {"LOC": 1}}
    for average in ("macro", "weighted"):
        theirs = precision_recall_fscore_support(GOLD, PREDICTED, average=average, zero_division=0)[
            :3
        ]
        assert list(found[average].values()) == pytest.approx([100 * value for value in theirs])


def test_without_any_entity_all_averages_are_zero():
    found = score([["O"]], [["O"]])
    zero = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert (found["macro"], found["weighted"]) == (zero, zero)
    assert absent_line(found) == ""


def test_types_that_are_mistaken_for_another():
    gold = ((0, 1, "PER"), (2, 3, "PER"), (3, 4, "LOC"))
    predicted = ((0, 1, "PER"), (2, 3, "LOC"), (3, 5, "ORG"))
    assert confused([(gold, predicted)] * 2) == {"PER": {"LOC": 2}}
