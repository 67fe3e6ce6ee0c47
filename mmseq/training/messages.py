"""What a training tells its user."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.console import Reporter, duration, loss_text
from mmseq.contracts.callback import EpochEvent
from mmseq.errors import UserError
from mmseq.processes import process_count
from mmseq.runs import folder as runs
from mmseq.scoring.score_table import score_table
from mmseq.training.interruption import Interrupted
from mmseq.training.rounds import Rounds


def epoch_line(event: EpochEvent, rounds: Rounds) -> str:
    """An epoch that is over: its losses and its score."""
    name = rounds.name(event.epoch, preparing=event.preparing)
    valid = "" if event.valid is None else f"  valid F1 (default) {event.valid['f1']:.2f}"
    mark = " (best)" if event.best_epoch == event.epoch and event.valid else ""
    return f"{name}  {loss_text(event.losses)}{valid}{mark}"


def show_results(
    reporter: Reporter, metrics: Mapping[str, Any], folder: Path, seconds: float
) -> None:
    """The scores of a finished run, how long it took, what to do with it, and where it lies."""
    scores: dict[str, Any] = {n: metrics[n] for n in ("valid", "test") if n in metrics}
    if scores:
        reporter.table(score_table(scores, f"Best epoch {metrics['best_epoch']}"))
    place = shlex.quote(str(folder))
    reporter.line(f"It took {duration(seconds)}.")
    reporter.line(f"Next: mmseq predict {place} --input FILE; mmseq evaluate {place} DATA")
    reporter.line(f"The run is in {folder}")


def not_finite(step: int, losses: Mapping[str, float]) -> UserError:
    """The error for losses that are not numbers after that step."""
    return UserError(
        f"The losses are not finite at step {step} ({loss_text(losses)}); "
        "lower the learning rates (train.learning_rate, text_encoder.learning_rate)."
    )


def interrupted(after: str, folder: Path) -> Interrupted:
    """The end of a run that Ctrl-C has stopped `after` something, and how to resume it."""
    return Interrupted(
        f"Stopped after {after}; everything is kept. "
        f"Go on with: {runs.resuming(folder, process_count())}"
    )
