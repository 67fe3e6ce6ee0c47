"""The tracker of TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker, TensorBoardTracker

from mmseq.builtins.callbacks.tracker import Tracker
from mmseq.registry.ranges import Natural


class TensorBoard(Tracker):
    """Logs to TensorBoard; to look: `tensorboard --logdir RUN/tensorboard`.

    `steps`: optimiser steps between records (0: epochs only). `folder`: FOLDER/NAME instead of
    RUN/tensorboard, so that several runs lie beside each other; `name`: by default the run
    folder's. A log of that name that is there already is superseded.
    """

    title = "tensorboard"
    packages = ("tensorboard",)

    def __init__(self, *, steps: Natural = 10, folder: str = "", name: str = "") -> None:
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
