"""The tags that a run gave its own test and validation sentences, kept beside the gold ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseq.contracts.example import Example
from mmseq.data.picture_names import in_folder
from mmseq.data.tags import is_tag, spans
from mmseq.errors import UserError
from mmseq.escaping import json_line
from mmseq.files import replacing
from mmseq.runs.inside import require_inside
from mmseq.shapes import Shape, Text, fault, shown

if TYPE_CHECKING:
    from mmseq.model.prediction import Prediction

FOLDER = "predictions"


class _Line(Shape):
    """What is read of a line; the rest is for people."""

    tokens: list[Text]
    gold: list[Text]
    tags: list[Text]


@dataclass(frozen=True)
class Predictions:
    """S sentences, in the order of the data."""

    tokens: list[tuple[str, ...]]
    gold: list[tuple[str, ...]]
    """BIO tags of the data"""
    tags: list[tuple[str, ...]]
    """BIO tags of the run"""


def write_predictions(
    run: Path,
    split: str,
    examples: Sequence[Example],
    found: Sequence[Prediction],
    image_folder: Path,
) -> None:
    """``RUN/predictions/SPLIT.jsonl``: id, words, predicted ``tags`` and ``gold``, ``images`` in
    terms of their folder, and the predicted ``entities``, a sentence a line, so that the file can
    be scored, compared and read without the data.
    """
    path = run / FOLDER / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for example, predicted in zip(examples, found, strict=True):
            record = {
                "id": example.id,
                "tokens": list(example.tokens),
                "tags": list(predicted.tags),
                "gold": list(example.tags or ()),
                "images": [in_folder(path, image_folder) for path in example.images],
                "entities": entities(example.tokens, predicted),
            }
            file.write(json_line(record) + "\n")


def entities(tokens: Sequence[str], predicted: Prediction) -> list[dict[str, Any]]:
    """Each predicted entity: its ``type``, its ``text``, its words from ``start`` to before
    ``end``, and its ``score``, None where the decoder gives none.
    """
    found = spans(predicted.tags)
    scores = predicted.span_scores or (math.nan,) * len(found)
    return [
        {
            "type": kind,
            "text": " ".join(tokens[start:end]),
            "start": start,
            "end": end,
            "score": round(score, 4) if math.isfinite(score) else None,
        }
        for (start, end, kind), score in zip(found, scores, strict=True)
    ]


def read_predictions(run: Path, split: str) -> Predictions:
    """What a run predicted for its own `split`; `UserError` where that is missing or damaged."""
    path = run / FOLDER / f"{split}.jsonl"
    require_inside(run, [FOLDER])
    found = Predictions([], [], [])
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if wrong := fault(_Line, record):
                    raise ValueError(wrong)
                words, gold, tags = (tuple(record[key]) for key in ("tokens", "gold", "tags"))
                if strange := next((t for t in (*gold, *tags) if not is_tag(t)), None):
                    raise ValueError(f"{shown(strange)} is not a tag")
                if not len(words) == len(gold) == len(tags):
                    raise ValueError(f"{len(words)} words, {len(gold)} and {len(tags)} tags")
                found.tokens.append(words)
                found.gold.append(gold)
                found.tags.append(tags)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: missing: the run is unfinished, has no split '{split}', or was made by an "
            "older version; train it again."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        number = len(found.tokens) + 1
        raise UserError(f"{path}:{number}: damaged ({error}); train the run again.") from error
    return found
