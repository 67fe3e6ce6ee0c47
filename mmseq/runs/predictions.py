"""The tags that a run gave its own test and validation sentences, kept beside the gold ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.errors import UserError
from mmseq.files import replacing

FOLDER = "predictions"


@dataclass(frozen=True)
class Predictions:
    """S sentences, in the order of the data."""

    tokens: list[tuple[str, ...]]
    gold: list[tuple[str, ...]]
    """BIO tags of the data"""
    tags: list[tuple[str, ...]]
    """BIO tags of the run"""


def write_predictions(
    run: Path, split: str, examples: Sequence[Example], tags: Sequence[Sequence[str]]
) -> None:
    """``RUN/predictions/SPLIT.jsonl``: id, words, predicted ``tags`` and ``gold``, a sentence a
    line, so that the file can be scored, compared and read without the data.
    """
    path = run / FOLDER / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for example, predicted in zip(examples, tags, strict=True):
            record = {
                "id": example.id,
                "tokens": list(example.tokens),
                "tags": list(predicted),
                "gold": list(example.tags or ()),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_predictions(run: Path, split: str) -> Predictions:
    """What a run predicted for its own `split`; `UserError` where that is missing or damaged."""
    path = run / FOLDER / f"{split}.jsonl"
    found = Predictions([], [], [])
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                words, gold, tags = (tuple(record[key]) for key in ("tokens", "gold", "tags"))
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
    except (OSError, ValueError, KeyError, TypeError) as error:
        number = len(found.tokens) + 1
        raise UserError(f"{path}:{number}: damaged ({error}); train the run again.") from error
    return found
