"""What a worker does, wherever it is: train or resume one run and report on it."""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback, EpochEvent, StepEvent
from mmseq.errors import UserError, one_line
from mmseq.jobs.job import Event
from mmseq.runs import folder as runs
from mmseq.training.begun_with import SEEN, CannotResume, other_versions
from mmseq.training.interruption import Interrupted
from mmseq.training.train import train

Tell = Callable[[dict[str, Any]], str]
"""Sends an event; the answer to an epoch's event is a reason to stop, or empty."""

EVERY = 0.5
"""Seconds between two events of steps"""


class Relay(Callback):
    """Passes on the events that a run's callbacks get."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told = 0.0

    def on_step(self, event: StepEvent) -> str | None:
        if time.monotonic() - self._told > EVERY:
            self._told = time.monotonic()
            self._tell(asdict(Event("step", event.step, event.epoch)))
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        scored = event.valid is not None and not event.preparing
        f1 = float(event.valid["f1"]) if scored and event.valid else None
        return self._tell(asdict(Event("epoch", event.step, event.epoch, f1))) or None


def work(config: Mapping[str, Any], folder: Path, threads: int, tell: Tell) -> tuple[str, str]:
    """Train in `folder`, or resume there; how it ended (as `Outcome.status`) and the error.

    A run that was killed before it was on record what it begins with, or that began with anything
    else than is here, is begun anew. What is printed goes to standard error.
    """
    torch.set_num_threads(threads)
    reporter = Reporter(Console(file=sys.stderr, width=140))
    relay = {"relay": Relay(tell)}
    own = Config(config)
    try:
        if _goes_on(folder, own, reporter):
            try:
                train(output=folder, resume=True, reporter=reporter, callbacks=relay)
            except CannotResume as error:
                reporter.line(f"{error} Begun anew.")
                shutil.rmtree(folder)
            else:
                return "done", ""
        train(own, output=folder, reporter=reporter, callbacks=relay)
    except (Interrupted, KeyboardInterrupt):
        return "interrupted", ""
    except UserError as error:
        reporter.line(f"Error: {error}")
        return "failed", " ".join(str(error).split())
    # Whatever else a component raises ends its run, not the plan; the log has the whole of it.
    except Exception as error:
        traceback.print_exc()
        return "failed", one_line(error)
    return "done", ""


def _goes_on(folder: Path, config: Config, reporter: Reporter) -> bool:
    """Whether the run begun in `folder` may be resumed; one that may not is removed."""
    if not folder.exists():
        return False
    try:
        runs.own_config(folder)
        reason = f"{folder}: no {SEEN} tells what it began with"
        if (folder / SEEN).is_file():
            if not (others := other_versions(folder, config)):
                return True
            reason = f"{folder}: {others}"
    except UserError as error:
        reason = str(error)
    reporter.line(f"{reason}: begun anew.")
    shutil.rmtree(folder)
    return False
