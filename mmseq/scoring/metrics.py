"""Scores of predicted tags: the one file that calls seqeval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmseq.data.tags import is_tag, orphans, repair, spans
from mmseq.scoring.averages import averages
from mmseq.scoring.confusions import confused

Scores = dict[str, Any]
"""As in ``metrics.json``: see `score`."""

FIGURES = ("precision", "recall", "f1", "gold", "predicted", "correct")
"""What each variant gives"""

VARIANTS = {
    "default": "seqeval default",
    "strict": "strict IOB2",
    "repaired": "orphan I- made B-",
}
"""Readings of the tags that a score may be of, and what people are told of each"""


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Scores:
    """Compare predicted BIO tags with gold ones, sentence by sentence.

    ``precision``, ``recall``, ``f1`` (0 to 100, micro averages), ``gold``, ``predicted`` and
    ``correct`` count entities as seqeval does by default (``variant`` says so), where an orphan
    ``I-`` opens one; so does ``per_type``, whose ``support`` is the gold count, and so do
    ``macro``, ``weighted`` and ``absent`` of `mmseq.scoring.averages` and ``confused`` of
    `mmseq.scoring.confusions`. ``strict`` has the same by seqeval's strict IOB2, where an orphan
    ``I-`` opens no entity and closes the one before.
    ``repaired`` has them by strict IOB2 after `mmseq.data.tags.repair` of both.

    Of BIO tags ``repaired`` always equals the default: by default an entity opens at each ``B-``
    and each orphan ``I-``, and takes in the ``I-`` of its type; the repair makes each orphan a
    ``B-`` and changes nothing of what may continue it. ``strict`` entities are those of the
    default that begin with ``B-``.

    Precision without a prediction and recall without gold are 0. `ValueError` where the two differ
    in length or a tag is not BIO.
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

    # Their places are in the text of all sentences: two sentences share none.
    gold_entities = set(get_entities(gold_tags))
    predicted_entities = set(get_entities(predicted_tags))
    types = sorted({kind for kind, _, _ in gold_entities | predicted_entities})
    precision, recall, f1, _ = support("micro")
    strict = _strict(gold_tags, predicted_tags)
    per_type = {
        kind: {
            "precision": 100 * float(p),
            "recall": 100 * float(r),
            "f1": 100 * float(f),
            "support": int(count),
        }
        for kind, p, r, f, count in zip(types, *support(None), strict=True)
    }
    return {
        "variant": "default",
        "precision": 100 * float(precision),
        "recall": 100 * float(recall),
        "f1": 100 * float(f1),
        "strict": {"variant": "strict", **strict},
        "repaired": {"variant": "repaired", **_repaired(gold_tags, predicted_tags, strict)},
        "per_type": per_type,
        "confused": confused(
            (spans(wanted), spans(found)) for wanted, found in zip(gold, predicted, strict=True)
        ),
        **averages(per_type, {kind for kind, _, _ in predicted_entities}),
        "gold": len(gold_entities),
        "predicted": len(predicted_entities),
        "correct": len(gold_entities & predicted_entities),
        "sentences": len(gold),
    }


def variants(scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of every variant, side by side: variant -> `FIGURES`."""
    sources = {name: scores if name == "default" else scores[name] for name in VARIANTS}
    return {name: {key: found[key] for key in FIGURES} for name, found in sources.items()}


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
    pairs = zip(gold_entities.entities, predicted_entities.entities, strict=True)
    return {
        "precision": 100 * float(precision),
        "recall": 100 * float(recall),
        "f1": 100 * float(f1),
        "gold": sum(map(len, gold_entities.entities)),
        "predicted": sum(map(len, predicted_entities.entities)),
        "correct": sum(len(set(wanted) & set(found)) for wanted, found in pairs),
    }


def _repaired(gold: list[list[str]], predicted: list[list[str]], strict: Scores) -> Scores:
    # Where nothing is to repair, the strict reading is the answer already.
    if not any(map(orphans, (*gold, *predicted))):
        return strict
    return _strict([list(repair(tags)) for tags in gold], [list(repair(t)) for t in predicted])


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
