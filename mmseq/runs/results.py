"""The files that make a run a finished one: weights, timing, model card, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseq.config.config import Config
from mmseq.data.splits import Split
from mmseq.data.unknown_types import unknown_entities
from mmseq.files import write_json
from mmseq.model.model import Model
from mmseq.pictures.checksums import images_sha256
from mmseq.pictures.features import FeatureTable
from mmseq.processes import process_count
from mmseq.runs import folder as runs
from mmseq.runs.card import model_card
from mmseq.runs.splitter import splitter_text
from mmseq.runs.weights import save_weights


def write_results(
    folder: Path,
    config: Config,
    model: Model,
    found: Mapping[str, Any],
    splits: Mapping[str, Split],
    pictures: FeatureTable | None,
    contents: Mapping[str, str],
    timing: Mapping[str, Any],
) -> None:
    """Write them; a run is finished once it has its metrics, which are `found` (scores by split and
    the best epoch) and what it was made of and with. `contents`: checksums of the files that its
    settings name, as they were when it began.
    """
    metrics = {
        **found,
        "data": {name: _facts(split, pictures, model.labels) for name, split in splits.items()},
        "parameters": {
            "all": sum(p.numel() for p in model.parameters()),
            "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        },
        "versions": runs.component_versions(config),
        "contents": dict(contents),
        "processes": process_count(),
    }
    save_weights(model, folder / "model.safetensors")
    computed = {
        "pictures_new": pictures.new if pictures else 0,
        "pictures_reused": pictures.reused if pictures else 0,
    }
    write_json(folder / "timing.json", {**timing, **computed})
    card = model_card(config, metrics, model.labels, splitter_text(folder))
    (folder / "README.md").write_text(card, encoding="utf-8")
    write_json(folder / "metrics.json", metrics)


def _facts(split: Split, pictures: FeatureTable | None, labels: Sequence[str]) -> dict[str, Any]:
    paths = {p for e in split.examples for p in e.images} if split.facts.pictured else set()
    problems = pictures.problems if pictures else {}
    # As they were read when the run began: that is what it saw.
    known = pictures.contents if pictures else None
    partly = {"words": split.facts.words, "open_words": split.facts.open_words}
    unknown = unknown_entities(split, labels)
    return {
        "sha256": split.sha256,
        "sentences": split.facts.sentences,
        **(partly if split.facts.open_words else {}),
        "entities": split.facts.entities,
        "images": len(paths),
        "images_sha256": images_sha256(split.examples, known) if pictures else "",
        "images_missing": len(paths & set(problems)) if pictures else 0,
        # Entities that the run cannot find, which count as missed.
        **({"unknown": unknown} if unknown else {}),
    }
