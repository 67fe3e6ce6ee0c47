"""Sentences before and after they are tagged: entities, and other ways to tag them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmseq.contracts.example import Example
from mmseq.data.tags import spans
from mmseq.errors import UserError
from mmseq.model.prediction import Prediction


@dataclass(frozen=True)
class Span:
    """One entity."""

    type: str
    text: str
    start: int
    """First word"""
    end: int
    """After the last word"""
    start_char: int
    """First character in the sentence's text"""
    end_char: int
    """After the last character"""
    score: float
    """Probability that this entity is there, with these borders and this type"""


@dataclass(frozen=True)
class Alternative:
    """One way to tag a sentence."""

    tags: tuple[str, ...]
    spans: tuple[Span, ...]
    """Its entities; their scores are as a sentence's, whatever else the sentence holds"""
    probability: float
    """Of all its tags together"""


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence with its entities."""

    text: str
    """As given; of a list of words: the words joined by spaces"""
    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    """Probability of each word's tag"""
    spans: tuple[Span, ...]
    id: str = ""
    alternatives: tuple[Alternative, ...] = ()
    """The best ways to tag it, the most probable first; empty where they were not asked for"""
    images: tuple[Path, ...] = ()
    """Its pictures, as they were given or found"""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``id``, ``text``, ``tokens``, ``tags``, ``scores``, ``entities``, ``images``;
        and, where they were asked for, ``alternatives``, a list of objects with ``tags``,
        ``entities`` and ``probability``, the most probable first.
        """
        whole = {
            "id": self.id,
            "text": self.text,
            "tokens": list(self.words),
            "tags": list(self.tags),
            "scores": [round(value, 4) for value in self.scores],
            "entities": _entities(self.spans),
            "images": [str(path) for path in self.images],
        }
        if self.alternatives:
            whole["alternatives"] = [
                {
                    "tags": list(other.tags),
                    "entities": _entities(other.spans),
                    # Of a long sentence's tags it may be small.
                    "probability": float(f"{other.probability:.4g}"),
                }
                for other in self.alternatives
            ]
        return whole


@dataclass(frozen=True)
class Sentence:
    """What is to be tagged: words with their places in a text, pictures, extras."""

    example: Example
    text: str
    places: tuple[tuple[int, int], ...]
    raw: bool = False
    """Whether it was given as a string and cut into words here"""
    last_line: int = 0
    """Of the input, that it takes; 0: not known"""


def wordless(best: int | None) -> Prediction:
    """Of a sentence without words: there is one way to tag it."""
    return Prediction((), alternatives=(Prediction((), probability=1.0),) if best else ())


def require_numbers(folder: Path, prediction: Prediction) -> None:
    """`UserError` for scores that are no numbers, which JSON has no word for."""
    ways = (prediction, *prediction.alternatives)
    found = [(*way.scores, *way.span_scores, way.probability or 0.0) for way in ways]
    if not all(math.isfinite(score) for scores in found for score in scores):
        raise UserError(
            f"{folder}: gives scores that are no numbers: its weights are damaged, or too large; "
            "restore the folder from where the run was made, or train it again."
        )


def _entities(found: Sequence[Span]) -> list[dict[str, Any]]:
    return [asdict(span) | {"score": round(span.score, 4)} for span in found]


def tagged(sentence: Sentence, prediction: Prediction) -> TaggedSentence:
    """The sentence with what was predicted for it."""
    return TaggedSentence(
        sentence.text,
        sentence.example.tokens,
        prediction.tags,
        prediction.scores,
        _spans(sentence, prediction),
        sentence.example.id,
        tuple(
            Alternative(other.tags, _spans(sentence, other), other.probability or 0.0)
            for other in prediction.alternatives
        ),
        sentence.example.images,
    )


def _spans(sentence: Sentence, prediction: Prediction) -> tuple[Span, ...]:
    found = []
    entities = spans(prediction.tags)
    for (start, end, kind), probability in zip(entities, prediction.span_scores, strict=True):
        begin, finish = sentence.places[start][0], sentence.places[end - 1][1]
        text = sentence.text[begin:finish]
        found.append(Span(kind, text, start, end, begin, finish, probability))
    return tuple(found)
