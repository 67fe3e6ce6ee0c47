"""Callbacks that log a run with TensorBoard, Weights & Biases or MLflow, by accelerate's trackers.

All three log the same values under the same names, which are paths in history.jsonl, metrics.json
and timing.json: ``losses/main``, ``valid/strict/f1``, ``test/per_type/PER/f1``; the config's are
dotted: ``train.seed``. A resumed run goes on in its tracker's run, with every step once.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker, WandBTracker

from mmseq.builtins.steplog import append, drop_after
from mmseq.components import Callback, EpochEvent, StepEvent
from mmseq.errors import UserError, one_line
from mmseq.runs import read_json


class Tracked(Callback, ABC):
    """What is logged, and when; the classes below say where."""

    title: ClassVar[str]
    """The callback's name, and that of the extra that brings its packages"""
    packages: ClassVar[tuple[str, ...]]

    def __init__(self, steps: int, folder: str, name: str) -> None:
        if steps < 0:
            raise self._error(f"steps = {steps}; it must be at least 0")
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
        """The tracker has been started: hand it the config, and what it must know to go on."""
        self.tracker.store_init_configuration(config)

    def _write(self, values: Mapping[str, Any], step: int) -> None:
        self.tracker.log(values, step=step)

    def _finish(self, tracker: Any) -> None:
        tracker.finish()

    def _log(self, values: Mapping[str, Any]) -> None:
        with self._told():
            self._write(flat(values, "/"), self.step)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What a tracker's library raises (no login, no server, a full disk) as one line."""
        try:
            yield
        except Exception as error:
            raise self._error(one_line(error).rstrip(".")) from error

    def _error(self, what: str) -> UserError:
        return UserError(f"callback '{self.title}': {what}.")


class TensorBoard(Tracked):
    """Logs for TensorBoard: see them with `tensorboard --logdir RUN/tensorboard`.

    `steps`: every so many optimiser steps (0: epochs only). `folder`: FOLDER/NAME instead of
    RUN/tensorboard, so that several runs lie beside each other; `name`: by default the run
    folder's. A log of that name that is there already is superseded.
    """

    title = "tensorboard"
    packages = ("tensorboard",)

    def __init__(self, *, steps: int = 10, folder: str = "", name: str = "") -> None:
        super().__init__(steps, folder, name)

    def _tracker(self, folder: Path, name: str) -> GeneralTracker:
        place = Path(self.folder) / name if self.folder else folder / self.title
        # Readers drop what the files before this one have from that step on.
        return TensorBoardTracker("", place, purge_step=self.step + 1)

    def _started(self, config: Mapping[str, Any]) -> None:
        # Not by `store_init_configuration`: it writes into a folder of its own, named by the time,
        # which TensorBoard shows as one more run, without scores.
        from torch.utils.tensorboard.summary import hparams

        scores = {"best_valid/f1": 0.0, "test/f1": 0.0}  # names alone: the columns of the table
        for summary in hparams(dict(config), scores)[:2]:  # type: ignore[no-untyped-call]
            self.tracker.writer.file_writer.add_summary(summary)


class Wandb(Tracked):
    """Logs for Weights & Biases, offline unless told otherwise: `wandb sync RUN/wandb` uploads.

    `steps`: every so many optimiser steps (0: epochs only). `mode`: "offline" asks for no login and
    opens no connection, "online" needs `wandb login`. `folder`: FOLDER/wandb instead of RUN/wandb;
    `name`: of the run, by default the run folder's.
    """

    title = "wandb"
    packages = ("wandb",)

    def __init__(
        self,
        *,
        steps: int = 10,
        project: str = "mmseq",
        mode: Literal["offline", "online"] = "offline",
        folder: str = "",
        name: str = "",
    ) -> None:
        super().__init__(steps, folder, name)
        if not project or set(project) & set("/\\#?%:"):
            raise self._error(f"project = {project!r}; it needs a name without / \\ # ? % :")
        self.project, self.mode = project, mode
        self.journal = Path()
        self.first = 0

    def _tracker(self, folder: Path, name: str) -> GeneralTracker:
        offline = self.mode == "offline"
        if offline:
            # wandb reads it when imported: no reports of errors and usage to its makers.
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        if wandb.run is not None:
            raise RuntimeError(f"the run {wandb.run.name} is open in this process; finish it")
        # Nothing can be taken back from wandb's files. Therefore what is logged is kept here too,
        # and a resumed run writes its offline file anew.
        self.journal = folder / "wandb.jsonl"
        drop_after(self.step, self.journal)
        if not (lines := self._logged()):
            lines = [{"step": 0, "id": secrets.token_hex(4)}]
            append(self.journal, lines[0])
        run_id = lines[0]["id"]
        place = Path(self.folder) if self.folder else folder
        place.mkdir(parents=True, exist_ok=True)
        for old in (place / "wandb").glob(f"offline-run-*-{run_id}"):
            shutil.rmtree(old)
        return WandBTracker(
            self.project,
            id=run_id,
            name=name,
            mode=self.mode,
            dir=str(place),
            resume=None if offline else "allow",
            settings=wandb.Settings(console="off", silent=offline, symlink=False),
        )

    def _started(self, config: Mapping[str, Any]) -> None:
        super()._started(config)
        # A server keeps the steps that it has, and takes none before them.
        self.first = self.tracker.tracker.starting_step
        for line in self._logged()[1:]:
            self._send(line["values"], line["step"])

    def _write(self, values: Mapping[str, Any], step: int) -> None:
        append(self.journal, {"step": step, "values": values})
        self._send(values, step)

    def _send(self, values: Mapping[str, Any], step: int) -> None:
        if step >= self.first:
            self.tracker.log(values, step=step)

    def _logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text("utf-8").splitlines()]

    def _finish(self, tracker: Any) -> None:
        run = tracker.tracker
        if self.whole:
            tracker.finish()
            self.journal.unlink()
        else:
            run.finish(exit_code=1)
        # A link into the user's cache would lead nowhere in a copy of the run folder.
        for path in Path(run.dir).parent.glob("logs/*"):
            if path.is_symlink():
                path.unlink()


class MLflow(Tracked):
    """Logs for MLflow: `mlflow ui --backend-store-uri sqlite:///RUN/mlflow/mlflow.db`.

    `steps`: every so many optimiser steps (0: epochs only). `folder`: FOLDER/mlflow.db, which many
    runs may share, instead of RUN/mlflow/mlflow.db; `uri`: of a tracking server instead of a file.
    `name`: of the run, by default the run folder's.
    """

    title = "mlflow"
    packages = ("mlflow", "sqlalchemy", "alembic")

    def __init__(
        self,
        *,
        steps: int = 10,
        experiment: str = "mmseq",
        folder: str = "",
        uri: str = "",
        name: str = "",
    ) -> None:
        super().__init__(steps, folder, name)
        if not experiment or "'" in experiment:
            raise self._error(f"experiment = {experiment!r}; it needs a name without '")
        if uri and "://" not in uri:
            form = "write http://HOST:PORT, or folder = … for a database on this machine"
            raise self._error(f"uri = {uri!r} names no server; {form}")
        if uri and folder:
            raise self._error("both folder and uri are given; give one")
        self.experiment, self.uri = experiment, uri
        self.run_id = Path()
        self.last: dict[str, int] = {}
        self.uri_before: str | None = None

    def _tracker(self, folder: Path, name: str) -> GeneralTracker:
        # mlflow reads it when imported: no reports of usage to its makers.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        # It tells of each new database.
        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
        self.uri_before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        place = (Path(self.folder) if self.folder else folder / self.title).resolve()
        artifacts = None
        if not self.uri:
            place.mkdir(parents=True, exist_ok=True)
            artifacts = (place / "artifacts").as_uri()
        mlflow.set_tracking_uri(self.uri or f"sqlite:///{_quoted(place / 'mlflow.db')}")
        self.run_id = folder / self.title / "run-id"
        known = self.run_id.read_text("utf-8").strip() if self.run_id.is_file() else None
        return MLflowTracker(self.experiment, artifacts, run_id=known, run_name=name)

    def _started(self, config: Mapping[str, Any]) -> None:
        from mlflow import MlflowClient

        run_id = self.tracker.tracker.info.run_id
        self.run_id.parent.mkdir(exist_ok=True)
        self.run_id.write_text(run_id + "\n", encoding="utf-8")
        super()._started({_name(key): value for key, value in config.items()})
        # Nothing can be taken back; what was logged after the last checkpoint will come again, and
        # is left out then.
        client = MlflowClient()
        for key in client.get_run(run_id).data.metrics:
            self.last[key] = max(point.step for point in client.get_metric_history(run_id, key))

    def _write(self, values: Mapping[str, Any], step: int) -> None:
        named = {_name(key): value for key, value in values.items()}
        new = {key: value for key, value in named.items() if step > self.last.get(key, -1)}
        if new:
            self.tracker.log(new, step=step)

    def _finish(self, tracker: Any) -> None:
        import mlflow

        if self.whole:
            tracker.finish()
        else:
            mlflow.end_run("KILLED")

    def close(self) -> None:
        super().close()
        if self.run_id.name:
            # It is the whole process's, which may log other things elsewhere.
            import mlflow

            mlflow.set_tracking_uri(self.uri_before)


def flat(tree: Mapping[str, Any], separator: str) -> dict[str, Any]:
    """Nested tables as one, ``{"a": {"b": 1}}`` as ``{"a/b": 1}``: lists as JSON, None left out."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            inner = flat(value, separator)
            values |= {f"{key}{separator}{rest}": found for rest, found in inner.items()}
        elif isinstance(value, list):
            values[key] = json.dumps(value)
        elif value is not None:
            values[key] = value
    return values


def _name(key: str) -> str:
    """A key with what mlflow takes in names: a type of entity may be called anything."""
    return re.sub(r"[^\w./: -]", "_", key)


def _quoted(path: Path) -> str:
    """A path in a URI of SQLAlchemy, which takes these two for its own."""
    return path.as_posix().replace("%", "%25").replace("?", "%3F")
