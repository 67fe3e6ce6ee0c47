"""What a line of results.jsonl must look like; further keys are left alone."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mmseq.runs.facts import SplitFacts, Tables
from mmseq.scoring.shapes import Scores
from mmseq.shapes import Amount, Shape, Text, Whole, fault, place_of


class _Counts(Shape):
    correct: list[Whole]
    predicted: list[Whole]
    gold: list[Whole]


class _Epoch(Shape):
    epoch: Whole
    valid_f1: Amount | None


class _Seconds(Shape):
    training: Amount
    all: Amount


class _Parameters(Shape):
    all: Whole
    trained: Whole


class ResultLine(Shape):
    """As `mmseq.bench.results.Result`."""

    key: Text
    system: Text
    preset: Text
    data: Text
    seed: Whole
    settings: dict[Text, Any]
    config: Tables
    splits: dict[Text, SplitFacts]
    versions: dict[Text, Text]
    scores: dict[Text, Scores]
    counts: dict[Text, _Counts]
    curve: list[_Epoch]
    best_epoch: Whole
    seconds: _Seconds
    parameters: _Parameters
    threads: Whole
    finished: Text
    contents: dict[Text, Text] = Field(default={})
    pictures: dict[Text, Whole] | None = None


def line_fault(record: Any) -> str:
    """What is wrong with a line, and where; empty: nothing."""
    if wrong := fault(ResultLine, record):
        return wrong
    scored = {*record["scores"], *record["counts"]}
    if unseen := sorted(scored - set(record["splits"])):
        return f"splits.{place_of(unseen[:1])} is missing"
    lacking = [split for split in record["scores"] if "sentences" not in record["splits"][split]]
    return f"splits.{place_of(lacking[:1])}.sentences is missing" if lacking else ""
