"""What scores must look like where they are read from a file."""

from __future__ import annotations

from pydantic import Field

from mmseq.shapes import LATER, Amount, Shape, Text, Whole


class Figures(Shape):
    """Of anything."""

    precision: Amount
    recall: Amount
    f1: Amount


class TypeFigures(Figures):
    """Of an entity type."""

    support: Whole


class Counted(Figures):
    """Of a variant."""

    gold: Whole
    predicted: Whole
    correct: Whole = Field(default=0)


class Absent(Shape):
    """Types that one side lacks."""

    gold: list[Text] = Field(default=[])
    predicted: list[Text] = Field(default=[])


class Scores(Counted):
    """Of a split, as `mmseq.scoring.metrics.score` gives them; what came later may be missing."""

    sentences: Whole = Field(default=0)
    strict: Counted = LATER
    repaired: Counted = LATER
    per_type: dict[Text, TypeFigures] = Field(default={})
    confused: dict[Text, dict[Text, Whole]] = Field(default={})
    macro: Figures = LATER
    weighted: Figures = LATER
    absent: Absent = LATER


class WholeScores(Scores):
    """The same of scores that are to be shown in every variant."""

    strict: Counted
    repaired: Counted
    per_type: dict[Text, TypeFigures]
