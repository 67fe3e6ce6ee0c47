"""A finished run folder as a line of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmseq import runs
from mmseq.bench.experiment import PLACES, Experiment
from mmseq.bench.results import Result
from mmseq.counts import sentence_counts
from mmseq.errors import UserError
from mmseq.predictions import read_predictions


def result_of(experiment: Experiment, run: Path, threads: int) -> Result:
    """What `run` came to.

    `UserError` where the run is not the experiment: it was made with other data or other versions,
    as can happen where data change while a plan is under way, or on another machine of a cluster.
    """
    metrics = runs.read_json(run / "metrics.json")
    _require_same("data", experiment.checksums, _checksums(metrics["data"], experiment))
    versions = {k: v for k, v in metrics["versions"].items() if k != "python"}
    _require_same("versions", experiment.versions, versions)
    seconds = dict(runs.read_json(run / "timing.json")["seconds"])
    seconds["all"] = sum(seconds.values())
    scores = {split: metrics[split] for split in ("valid", "test") if split in metrics}
    counts = {}
    for split in scores:
        predictions = read_predictions(run, split)
        counts[split] = sentence_counts(predictions.gold, predictions.tags).to_json()
    config = experiment.config.tables()
    config["data"] = {k: v for k, v in config["data"].items() if k not in PLACES}
    return Result(
        key=experiment.key,
        system=experiment.row,
        preset=experiment.system.preset,
        data=experiment.data.name,
        seed=experiment.seed,
        settings=experiment.settings,
        config=config,
        splits=metrics["data"],
        versions=metrics["versions"],
        scores=scores,
        counts=counts,
        curve=_curve(run / "history.jsonl"),
        best_epoch=metrics["best_epoch"],
        seconds=seconds,
        parameters=metrics["parameters"],
        threads=threads,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _checksums(facts: Mapping[str, Any], experiment: Experiment) -> dict[str, dict[str, str]]:
    """What the run saw; of a run that looked at no picture, pictures are not its business."""
    return {
        split: {
            "sha256": fact["sha256"],
            "images_sha256": fact["images_sha256"] or experiment.checksums[split]["images_sha256"],
        }
        for split, fact in facts.items()
    }


def _require_same(what: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    different = sorted(
        key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
    )
    if different:
        raise UserError(
            f"the run was made with other {what} than the plan was begun with "
            f"({', '.join(different)}); start the bench again."
        )


def _curve(history: Path) -> list[Mapping[str, Any]]:
    """Losses and validation F1 of each epoch; empty without the callback that logs them."""
    if not history.is_file():
        return []
    records = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    return [
        {
            "epoch": record["epoch"],
            "losses": record["losses"],
            "valid_f1": record["valid"]["f1"] if record["valid"] else None,
        }
        for record in records
        if record["kind"] == "epoch"
    ]
