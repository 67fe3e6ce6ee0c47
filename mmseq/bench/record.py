"""A finished run folder as a line of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseq.bench.result_line import line_fault
from mmseq.bench.results import Result
from mmseq.errors import UserError
from mmseq.runs.facts import read_epochs, read_metrics, read_seconds
from mmseq.runs.identity import without_places
from mmseq.runs.predictions import read_predictions
from mmseq.runs.provenance import require_made_with
from mmseq.scoring.counts import sentence_counts

if TYPE_CHECKING:
    from mmseq.bench.experiment import Experiment


def result_of(experiment: Experiment, run: Path, threads: int) -> Result:
    """The result of `run`.

    `UserError` where the run is not the experiment: it was made with other data or other versions,
    as can happen where data change while a plan is under way, or on another machine of a cluster.
    """
    metrics = read_metrics(run)
    require_made_with(
        metrics, experiment.checksums, experiment.versions, "plan", "start the bench again"
    )
    scores = scores_of(metrics)
    result = Result(
        key=experiment.key,
        system=experiment.row,
        preset=experiment.system.preset,
        data=experiment.data.name,
        seed=experiment.seed,
        settings=experiment.settings,
        config=without_places(experiment.config.tables()),
        splits=metrics["data"],
        versions=metrics["versions"],
        scores=scores,
        counts={split: counts_of(run, split) for split in scores},
        curve=curve_of(run),
        best_epoch=metrics.get("best_epoch", 0),
        seconds=seconds_of(run),
        parameters=metrics.get("parameters", {}),
        threads=threads,
        contents=experiment.contents,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        pictures=metrics.get("pictures"),
    )
    # As every reader of the line will: the run may come from another machine.
    if wrong := line_fault(asdict(result)):
        raise UserError(f"{run}: damaged: {wrong}; start the bench again.")
    return result


def scores_of(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Split -> scores, of those that a run was scored on."""
    return {split: metrics[split] for split in ("valid", "test") if split in metrics}


def counts_of(run: Path, split: str) -> dict[str, list[int]]:
    """Correct, predicted and gold entities of each sentence; `UserError` without predictions."""
    predictions = read_predictions(run, split)
    return sentence_counts(predictions.gold, predictions.tags).to_json()


def seconds_of(run: Path) -> dict[str, float]:
    """Of each part of the run, and of ``all``."""
    seconds = read_seconds(run)
    return {**seconds, "all": sum(seconds.values())}


def curve_of(run: Path) -> list[Mapping[str, Any]]:
    """Losses and validation F1 of each epoch; empty without the callback that logs them."""
    return [
        {
            "epoch": record["epoch"],
            "losses": record["losses"],
            "valid_f1": record["valid"]["f1"] if record["valid"] else None,
        }
        for record in read_epochs(run)
    ]
