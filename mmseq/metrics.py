"""Scores of predicted tags: the one file that calls seqeval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseq.labels import is_tag

Scores = dict[str, Any]
"""As in ``metrics.json``: see `score`."""


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Scores:
    """Compare predicted BIO tags with gold ones, sentence by sentence.

    ``precision``, ``recall``, ``f1`` (0 to 100, micro averages), ``gold`` and ``predicted`` count
    entities as seqeval does by default, where an orphan ``I-`` opens one; so does ``per_type``,
    whose ``support`` is the gold count. ``strict`` has the same five by seqeval's strict IOB2,
    where it is none. Precision without a prediction and recall without gold are 0. `ValueError`
    where the two differ in length or a tag is not BIO.
    """
    from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

    _check(gold, predicted)
    # To seqeval no sentence at all is an error, and a sentence must be a list.
    gold_tags = [list(tags) for tags in gold] or [[]]
    predicted_tags = [list(tags) for tags in predicted] or [[]]

    def support(average: str | None) -> Any:
        return precision_recall_fscore_support(
            gold_tags, predicted_tags, average=average, zero_division=0
        )

    gold_entities, predicted_entities = get_entities(gold_tags), get_entities(predicted_tags)
    types = sorted({entity[0] for entity in (*gold_entities, *predicted_entities)})
    precision, recall, f1, _ = support("micro")
    return {
        "precision": 100 * float(precision),
        "recall": 100 * float(recall),
        "f1": 100 * float(f1),
        "strict": _strict(gold_tags, predicted_tags),
        "per_type": {
            kind: {
                "precision": 100 * float(p),
                "recall": 100 * float(r),
                "f1": 100 * float(f),
                "support": int(count),
            }
            for kind, p, r, f, count in zip(types, *support(None), strict=True)
        },
        "gold": len(gold_entities),
        "predicted": len(predicted_entities),
        "sentences": len(gold),
    }


def _strict(gold: list[list[str]], predicted: list[list[str]]) -> Scores:
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2, Entities

    gold_entities, predicted_entities = Entities(gold, IOB2), Entities(predicted, IOB2)
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold,
        predicted,
        average="micro",
        zero_division=0,
        scheme=IOB2,
        entities_true=gold_entities,
        entities_pred=predicted_entities,
    )
    return {
        "precision": 100 * float(precision),
        "recall": 100 * float(recall),
        "f1": 100 * float(f1),
        "gold": sum(map(len, gold_entities.entities)),
        "predicted": sum(map(len, predicted_entities.entities)),
    }


def _check(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences but {len(predicted)} predicted ones")
    for index, (expected, given) in enumerate(zip(gold, predicted, strict=True)):
        if len(expected) != len(given):
            raise ValueError(
                f"sentence {index}: {len(expected)} gold tags but {len(given)} predicted"
            )
    for tag in {tag for tags in (*gold, *predicted) for tag in tags}:
        if not is_tag(tag) or tag[0] not in "OBI":
            raise ValueError(f"'{tag}' is not a BIO tag")
