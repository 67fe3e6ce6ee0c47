"""Scores of predicted entities, as a file of predictions has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmseq.contracts.example import Example
from mmseq.data.numbers import is_number
from mmseq.data.tags import spans
from mmseq.scoring.calibration import Calibration, calibration
from mmseq.scoring.pairs import Pair


def pair_calibration(pair: Pair) -> Calibration | None:
    """Of the predicted entities of a pair of files; None where the predictions have no scores."""
    predicted = pair.predicted.examples
    if not any(map(_has_scores, predicted)):
        return None
    scores = [score for example in predicted for score in entity_scores(example)]
    return calibration(scores, exact_matches(*pair.tags))


def exact_matches(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> list[bool]:
    """Of each predicted entity of all sentences, in order: whether gold has it."""
    found = []
    for wanted, given in zip(gold, predicted, strict=True):
        right = set(spans(wanted))
        found += [entity in right for entity in spans(given)]
    return found


def entity_scores(example: Example) -> list[float | None]:
    """Of each entity in the sentence's tags, in order: the ``score`` that an object of its field
    ``entities`` with that ``start`` and ``end`` has, else the least of its words' ``scores``, which
    it cannot exceed. None for what is not a number from 0 to 1.
    """
    objects, words = (_list(example, name) for name in ("entities", "scores"))
    # By place alone: types may have been renamed since.
    own = {
        (entity["start"], entity["end"]): _probability(entity["score"])
        for entity in objects
        if _has_score(entity) and all(isinstance(entity.get(key), int) for key in ("start", "end"))
    }
    given = [_probability(word) for word in words]
    if len(given) != len(example.tokens):
        given = [None] * len(example.tokens)
    found = []
    for start, end, _ in spans(example.tags or ()):
        inside = [score for score in given[start:end] if score is not None]
        least = min(inside) if len(inside) == end - start else None
        found.append(own.get((start, end), least))
    return found


def _has_scores(example: Example) -> bool:
    return bool(_list(example, "scores")) or any(map(_has_score, _list(example, "entities")))


def _has_score(entity: object) -> bool:
    return isinstance(entity, dict) and "score" in entity


def _list(example: Example, name: str) -> list[Any]:
    value = example.extras.get(name)
    return value if isinstance(value, list) else []


def _probability(value: object) -> float | None:
    return float(value) if is_number(value) and 0 <= value <= 1 else None
