"""All that can be said of predicted tags against gold ones, as one object fit for JSON."""

from __future__ import annotations

from typing import Any

from mmseq.data.splits import Split
from mmseq.data.tags import orphans
from mmseq.scoring.averages import AVERAGES
from mmseq.scoring.entity_scores import pair_calibration
from mmseq.scoring.groups import (
    by_entity_length,
    by_name,
    by_pictures,
    by_sentence_length,
    by_type,
    known_names,
)
from mmseq.scoring.metrics import score, variants
from mmseq.scoring.mistakes import error_counts
from mmseq.scoring.pairs import Pair
from mmseq.scoring.relaxed import relaxed_scores


def report(pair: Pair) -> dict[str, Any]:
    """Scores are 0 to 100; a pair of files with the same words, as `read_pair` makes it.

    ``variants``: name -> figures by seqeval, see `mmseq.scoring.metrics.score`; all else is of the
    default variant. ``orphans``: how many ``I-`` tags make the variants differ, in each file.
    ``averages``: ``macro``, ``weighted`` and ``absent`` of `mmseq.scoring.averages`. ``confused``:
    `mmseq.scoring.confusions.confused`. ``relaxed``: `relaxed_scores`. ``errors``: `error_counts`.
    ``groups``: ``type``,
    ``entity_length``, ``sentence_length``, ``pictures``, and with training data ``name``, each
    group -> figures (None where undefined). ``calibration``: that of
    `mmseq.scoring.calibration`, None where the predictions have no scores. ``data``: file ->
    ``path``, ``sha256``, ``scheme``, ``sentences``.
    """
    gold, predicted = pair.tags
    scores = score(gold, predicted)
    sentences = pair.sentences()
    calibrated = pair_calibration(pair)
    groups = {
        "type": by_type(sentences),
        "entity_length": by_entity_length(sentences),
        "sentence_length": by_sentence_length(sentences),
        "pictures": by_pictures(sentences),
    }
    files = {"gold": pair.gold, "predicted": pair.predicted}
    if pair.train is not None:
        groups["name"] = by_name(sentences, known_names(pair.train.examples))
        files["train"] = pair.train
    return {
        "variants": variants(scores),
        "averages": {name: scores[name] for name in (*AVERAGES, "absent")},
        "confused": scores["confused"],
        "orphans": {"gold": _orphans(gold), "predicted": _orphans(predicted)},
        "relaxed": relaxed_scores(sentences),
        "errors": error_counts(sentences),
        "groups": groups,
        "calibration": calibrated.to_json() if calibrated else None,
        "sentences": len(sentences),
        "data": {name: _facts(split) for name, split in files.items()},
    }


def _orphans(sentences: list[tuple[str, ...]]) -> int:
    return sum(len(orphans(tags)) for tags in sentences)


def _facts(split: Split) -> dict[str, Any]:
    return {
        "path": str(split.path),
        "sha256": split.sha256,
        "scheme": split.scheme,
        "sentences": len(split.examples),
    }
