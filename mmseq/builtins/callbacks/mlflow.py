"""The tracker of MLflow."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker, MLflowTracker

from mmseq.builtins.callbacks.tracker import Tracker
from mmseq.registry.ranges import Natural


class MLflow(Tracker):
    """Logs to MLflow; to look: `mlflow ui --backend-store-uri sqlite:///RUN/mlflow/mlflow.db`.

    `steps`: optimiser steps between records (0: epochs only). `folder`: FOLDER/mlflow.db, which
    many runs may share, instead of RUN/mlflow/mlflow.db; `uri`: of a tracking server instead of a
    file. `experiment`: where the run is listed; `name`: of the run, by default the run folder's.
    The page in the browser needs the whole package mlflow, not mlflow-skinny.
    """

    title = "mlflow"
    packages = ("mlflow", "sqlalchemy", "alembic")

    def __init__(
        self,
        *,
        steps: Natural = 10,
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
        try:
            super().close()
        finally:
            if self.run_id.name:
                # It is the whole process's, which may log other things elsewhere.
                import mlflow

                mlflow.set_tracking_uri(self.uri_before)


def _name(key: str) -> str:
    """A key with what mlflow takes in names: a type of entity may be called anything."""
    return re.sub(r"[^\w./: -]", "_", key)


def _quoted(path: Path) -> str:
    """A path in a URI of SQLAlchemy, which takes these two for its own."""
    return path.as_posix().replace("%", "%25").replace("?", "%3F")
