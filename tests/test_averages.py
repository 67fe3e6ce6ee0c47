"""Macro and weighted averages and mistaken types, worked out by hand."""

import pytest
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from mmseq.scoring.averages import absent_line
from mmseq.scoring.confusions import confused
from mmseq.scoring.metrics import score
from mmseq.scoring.score_table import score_table

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


def rows(scores):
    """Of `score_table`, without the column of the split."""
    columns = score_table(scores, "t").columns[1:]
    return list(zip(*(column.cells for column in columns), strict=True))


def test_readings_that_agree_are_one_row():
    """One of two predictions is right, of three gold entities: P 50, R 33.33, F1 40."""
    figures = ("50.00", "33.33", "40.00", "3")
    gold, predicted = [["B-PER", "B-PER", "B-PER"]], [["B-PER", "O", "B-LOC"]]
    found = rows({"test": score(gold, predicted)})
    assert [row for row in found if row[0].startswith("all")] == [
        ("all, default = strict = repaired", *figures)
    ]


def test_readings_that_differ_are_named_apart():
    """The orphan I-PER is an entity by default and once it is B-PER, and none in strict IOB2: P, R
    and F1 100 with one of one, and 0 with none of one."""
    found = rows({"test": score([["B-PER"]], [["I-PER"]])})
    assert [row for row in found if row[0].startswith("all")] == [
        ("all, default = repaired", "100.00", "100.00", "100.00", "1"),
        ("all, strict (strict IOB2)", "0.00", "0.00", "0.00", "1"),
    ]
