"""A training of mmseq's whose steps can be taken one by one, for the scripts that time them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmseq
from mmseq.console import Reporter
from mmseq.model.batch import Batch
from mmseq.training.loop import Trainer
from mmseq.training.memory import keep_freed_memory
from mmseq.training.setup import new_run


class Loop:
    """mmseq's own loop over the batches of an epoch, as `mmseq train` runs it."""

    def __init__(
        self,
        data: str | Path,
        settings: Mapping[str, Any],
        fusion: str = "none",
        aux: Sequence[str] = (),
    ) -> None:
        """`settings` by dotted key, as with ``--set``."""
        config = mmseq.Config.from_layers(
            # Every loop reads the same stored maps: nothing of the image encoder trains.
            flags={
                "fusion": {"name": fusion},
                "image_encoder": {"name": "timm", "train": "frozen"},
            },
            aux=list(aux),
            settings={"data.path": str(data), "train.epochs": 100, **settings},
        )
        keep_freed_memory()
        self.trainer = Trainer(new_run(config, _folder(), Reporter(quiet=True)))
        self.trainer._begin()
        self.trainer.model.train()

    def steps(self, count: int) -> list[list[list[int]]]:
        """The first `count` steps of an epoch, which are drawn at random: of each its batches as
        sentence numbers.
        """
        return self.trainer.batches.order(0)[:count]

    def run(self, steps: Sequence[Sequence[Sequence[int]]]) -> None:
        """Train these steps."""
        for group in steps:
            self.trainer._train_step([self.trainer.batches.batch(i) for i in group])

    def batch(self, step: Sequence[Sequence[int]]) -> Batch:
        """The first batch of a step."""
        return self.trainer.batches.batch(step[0])


def sentences(steps: Sequence[Sequence[Sequence[int]]]) -> int:
    """Sentences in these steps."""
    return sum(len(batch) for step in steps for batch in step)


def _folder() -> Path:
    return Path(tempfile.mkdtemp()) / "run"
