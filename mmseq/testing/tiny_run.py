"""A tiny real training run, with every event that its callbacks got."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback, EpochEvent, StepEvent
from mmseq.testing.tiny import temporary_folder, tiny_bert, tiny_sentences
from mmseq.training.train import train

EPOCHS = 4


class _Recorder(Callback):
    """Keeps the events it gets."""

    def __init__(self) -> None:
        self.events: list[StepEvent | EpochEvent] = []

    def wants_cosines(self, step: int) -> bool:
        return True

    def on_step(self, event: StepEvent) -> str | None:
        self.events.append(event)
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        self.events.append(event)
        return None


@dataclass(frozen=True)
class TinyRun:
    """A finished run and its events in order."""

    folder: Path
    events: list[StepEvent | EpochEvent] = field(default_factory=list)


@cache
def tiny_run() -> TinyRun:
    """A text-only run of `EPOCHS` epochs over the six sentences, made once a process."""
    home = temporary_folder("run")
    lines = [
        json.dumps({"tokens": list(example.tokens), "tags": list(example.tags or ())})
        for example in tiny_sentences()
    ]
    for split in ("train", "valid", "test"):
        (home / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_bert())},
            "fusion": {"name": "none"},
        },
        settings={
            "data.path": str(home),
            "train.device": "cpu",
            "train.epochs": EPOCHS,
            "train.batch_size": 3,
        },
    )
    recorder = _Recorder()
    folder = train(
        config, output=home / "run", reporter=Reporter(quiet=True), callbacks={"seen": recorder}
    )
    return TinyRun(folder, recorder.events)
