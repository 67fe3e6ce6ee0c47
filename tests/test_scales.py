"""Shares of 1 where a component reads a longer scale."""

from pathlib import Path

import pytest

from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Text
from mmseq.model.fields import ExtraField
from mmseq.training.scales import share_lines


def example(value):
    return Example(("a", "b"), ("O", "O"), (), "1", {"place": value}, Path("t.jsonl"), 1)


def lines(entries, *values):
    return share_lines([ExtraField("place", entries, "fusion 'page'")], map(example, values))


PAGE = PerWord(size=2, low=0, high=1000)


def test_shares_are_told_with_the_scale_that_is_read():
    assert lines(PAGE, [[0, 0.5], [0.25, 1]], [[0, 0], [0.1, 0.9]]) == [
        "train: all numbers of field 'place' lie between 0 and 1, and fusion 'page' reads 0 to "
        "1000: if they are shares, multiply them by 1000."
    ]


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        # One number of the scale is enough.
        (PAGE, [[0, 0.5], [2, 1]]),
        # Zeros alone say nothing of any place.
        (PAGE, [[0, 0], [0, 0]]),
        # A scale that ends at 1, or nowhere.
        (PerWord(size=1, low=0, high=1), [0.5, 1]),
        (PerWord(size=1), [0.5, 1]),
        (Text(), "0.5"),
    ],
)
def test_nothing_is_told_of(entries, value):
    assert lines(entries, value) == []


def test_numbers_of_sentences_too():
    assert len(lines(PerSentence(size=2, low=0, high=10), [0.5, 1.0])) == 1
