"""The tracker of Weights & Biases."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker, WandBTracker

from mmseq.builtins.callbacks.steplog import append, drop_after
from mmseq.builtins.callbacks.tracker import Tracker
from mmseq.registry.ranges import Natural


class Wandb(Tracker):
    """Logs to Weights & Biases, offline unless asked otherwise; `wandb sync RUN/wandb` uploads.

    `steps`: optimiser steps between records (0: epochs only). `mode`: "offline" asks for no login
    and opens no connection, "online" needs `wandb login`. `project`: where the run is listed.
    `folder`: FOLDER/wandb instead of RUN/wandb; `name`: of the run, by default the run folder's.
    """

    title = "wandb"
    packages = ("wandb",)

    def __init__(
        self,
        *,
        steps: Natural = 10,
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
            raise self._error(f"the run {wandb.run.name} is open in this process; finish it first")
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
