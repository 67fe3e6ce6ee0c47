"""What the callbacks of experiment trackers share; each wraps one of accelerate's trackers.

All of them log the same values under the same names, which are paths in history.jsonl, metrics.json
and timing.json: ``losses/main``, ``valid/strict/f1``, ``test/per_type/PER/f1``; the config's are
dotted: ``train.seed``. A resumed run continues its tracker's run and logs each step once.
"""

from __future__ import annotations

import json
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from accelerate.tracking import GeneralTracker

from mmseq.config.dotted import dotted
from mmseq.contracts.callback import Callback, EpochEvent, StepEvent
from mmseq.errors import UserError, one_line
from mmseq.files import read_json


class Tracker(Callback, ABC):
    """What is logged, and when; its subclasses say where."""

    steers = False
    title: ClassVar[str]
    """The callback's name, and that of the extra that brings its packages"""
    packages: ClassVar[tuple[str, ...]]

    def __init__(self, steps: int, folder: str, name: str) -> None:
        for package in self.packages:
            spec = find_spec(package)
            # A mere folder of that name, such as ./wandb, has no origin.
            if spec is None or spec.origin is None:
                remedy = f"pip install 'mmseq[{self.title}]'"
                raise UserError(f"callback '{self.title}' needs the package {package}: {remedy}.")
        self.steps, self.folder, self.name = steps, folder, name
        self.tracker: Any = None
        self.step = 0
        self.whole = False

    def on_start(self, folder: Path, resumed_step: int) -> None:
        self.step = resumed_step
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        with self._told():
            tracker = self._tracker(folder, self.name or folder.resolve().name)
            tracker.start()
            self.tracker = tracker
            self._started(flat(config, "."))

    def on_step(self, event: StepEvent) -> str | None:
        self.step = event.step
        if self.steps and event.step % self.steps == 0:
            self._log(
                {
                    "losses": event.losses,
                    "weights": event.weights,
                    "learning_rates": event.learning_rates,
                    "gradient_norm": event.gradient_norm,
                    "cosines": event.cosines,
                }
            )
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        self.step = event.step
        values = {"epoch": event.epoch, "epoch_losses": event.losses, "valid": event.valid}
        self._log(values)
        return None

    def on_end(self, folder: Path) -> None:
        metrics = read_json(folder / "metrics.json")
        timing = read_json(folder / "timing.json")
        self._log(
            {
                "test": metrics.get("test"),
                "best_valid": metrics.get("valid"),
                "best_epoch": metrics["best_epoch"],
                "parameters": metrics["parameters"],
                "seconds": timing["seconds"],
            }
        )
        self.whole = True

    def close(self) -> None:
        if self.tracker is not None:
            tracker, self.tracker = self.tracker, None
            with self._told():
                self._finish(tracker)

    @abstractmethod
    def _tracker(self, folder: Path, name: str) -> GeneralTracker:
        """The tracker of this run, not yet started. `self.step`: 0, or where the run resumes."""

    def _started(self, config: Mapping[str, Any]) -> None:
        """The tracker has been started: hand it the config, and what it must know to continue."""
        self.tracker.store_init_configuration(config)

    def _write(self, values: Mapping[str, Any], step: int) -> None:
        self.tracker.log(values, step=step)

    def _finish(self, tracker: Any) -> None:
        tracker.finish()

    def _log(self, values: Mapping[str, Any]) -> None:
        # A score's variant is a text; its name says it already.
        numbers = {k: v for k, v in flat(values, "/").items() if not isinstance(v, str)}
        with self._told():
            self._write(numbers, self.step)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What a tracker's library raises (no login, no server, a full disk) as one line."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise self._error(one_line(error).rstrip(".")) from error

    def _error(self, what: str) -> UserError:
        return UserError(f"callback '{self.title}': {what}.")


def flat(tree: Mapping[str, Any], separator: str) -> dict[str, Any]:
    """Nested tables as one, as trackers want it: lists as JSON, None left out."""
    return {
        key: json.dumps(value) if isinstance(value, list) else value
        for key, value in dotted(tree, separator).items()
        if value is not None
    }
