"""The callback `logbook`: what training told, in a file that it keeps open."""

import json
from pathlib import Path

import mmseq


class Logbook(mmseq.Callback):
    """Writes logbook.jsonl; stops after some epochs that are no preparation.

    `every`: steps between the cosines it asks for. `enough`: epochs; 0: it never stops.
    """

    def __init__(self, *, every: mmseq.Count = 2, enough: mmseq.Natural = 0) -> None:
        self.every, self.enough = every, enough
        self.epochs = 0
        self.file = None

    def on_start(self, folder: Path, resumed_step: int) -> None:
        path = folder / "logbook.jsonl"
        lines = path.read_text().splitlines() if resumed_step and path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= resumed_step]
        path.write_text("".join(line + "\n" for line in kept))
        self.file = path.open("a")

    def wants_cosines(self, step: int) -> bool:
        return step % self.every == 0

    def on_step(self, event: mmseq.StepEvent) -> str | None:
        told = [sorted(some) for some in (event.losses, event.weights, event.learning_rates)]
        self.write(event, "step", told=told, cosines=sorted(event.cosines))
        assert event.gradient_norm >= 0
        return None

    def on_epoch(self, event: mmseq.EpochEvent) -> str | None:
        self.epochs += not event.preparing
        f1 = None if event.valid is None else event.valid["f1"]
        losses = dict(event.losses)
        self.write(event, "epoch", losses=losses, preparing=event.preparing, f1=f1)
        assert event.best_epoch >= 0
        done = self.enough and self.epochs >= self.enough
        return f"{self.epochs} epochs are enough" if done else None

    def on_end(self, folder: Path) -> None:
        assert (folder / "model.safetensors").is_file()
        self.file.write(json.dumps({"kind": "end", "step": -1, "epochs": self.epochs}) + "\n")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def state(self):
        return {"epochs": self.epochs}

    def load_state(self, state) -> None:
        self.epochs = state.get("epochs", 0)

    def write(self, event, kind, **fields):
        record = {"kind": kind, "step": event.step, "epoch": event.epoch, **fields}
        self.file.write(json.dumps(record) + "\n")
