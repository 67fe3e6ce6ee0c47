"""Training: read it from top to bottom."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor

from mmseq.checkpoint import Checkpoints, load_weights
from mmseq.collate import Batch, training_order
from mmseq.components import Callback, EpochEvent, StepEvent, Weighted
from mmseq.config import Config
from mmseq.console import Reporter, loss_text
from mmseq.evaluation import predict
from mmseq.metrics import score
from mmseq.optimiser import build_optimiser, schedule
from mmseq.processes import all_sum, process_count, sum_gradients
from mmseq.setup import Setup, new_run, resume_run


class Interrupted(Exception):
    """Ctrl-C: training stopped after a whole step, with a checkpoint."""


def train(
    config: Config | None = None,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Train a tagger; gives back its run folder.

    `config`: without one, all defaults. `data`: a data folder or "sample", instead of the
    config's. `output`: a new folder, by default the next free ``runs/<data>-<fusion>-N``; with
    `resume` the folder of an unfinished run, which is continued exactly, by its own config.
    Raises `mmseq.UserError` for what a user can mend.
    """
    reporter = reporter or Reporter()
    folder = Path(output) if output else None
    if resume:
        setup = resume_run(folder, reporter)
    else:
        config = config or Config.from_layers()
        if data is not None:
            config = config.replaced({"data.path": str(data)})
        setup = new_run(config, folder, reporter)
    Trainer(setup).run()
    return setup.folder


class Trainer:
    """One run: the state of the loop and the loop."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.config, self.model, self.folder = setup.config, setup.model, setup.folder
        self.settings, self.reporter = setup.config.train, setup.reporter
        self.accelerator: Accelerator = setup.accelerator
        self.main_process = self.accelerator.is_main_process
        self.sentences = setup.prepared["train"]
        self.lengths = [len(s.example.tokens) for s in self.sentences]
        self.tasks = list(self.model.tasks)
        self.callbacks: dict[str, Callback] = setup.callbacks
        self.checkpoints = Checkpoints(self.folder)
        self.optimiser = build_optimiser(self.model, self.settings)
        self.stepper = self.accelerator.prepare(self.optimiser)
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]
        self.steps_per_epoch = len(self._order(0))
        self.total = self.steps_per_epoch * self.settings.epochs
        self.step = 0
        self.epoch = 0
        self.in_epoch = 0
        self.prepared = not self.model.preparation
        self.best: dict[str, Any] = {"epoch": 0, "f1": -1.0, "valid": None}
        self.sums: dict[str, float] = {}
        self.items: dict[str, int] = {}
        self.seconds = {"training": 0.0, "preparation": 0.0, "evaluation": 0.0}
        self.seen = 0
        self.stop_reason = ""
        self.interrupted = False

    def run(self) -> None:
        """From the start, or the last checkpoint, to the finished run folder."""
        self._begin()
        with self._interruptible():
            while self.epoch < self.settings.epochs and not self.stop_reason:
                if not self.prepared and self.epoch >= self.model.preparation:
                    self._finish_preparation()
                self._train_epoch()
                self._end_epoch()
        self._finish()

    def _begin(self) -> None:
        set_seed(self.settings.seed + self.accelerator.process_index)
        # Drawn anew here, so that what building the model drew does not matter when resuming.
        if self.checkpoints.exists():
            state = self.checkpoints.load(self.model, self.optimiser)
            for name in ("step", "epoch", "in_epoch", "prepared", "best", "sums", "items"):
                setattr(self, name, state[name])
            for name, callback in self.callbacks.items():
                callback.load_state(state["callbacks"].get(name, {}))
            self.seconds, self.seen = state["seconds"], state["seen"]
            self.stop_reason = state["stop_reason"]
            self.reporter.line(f"Resuming after epoch {self.epoch}, step {self.step}.")
        elif self.main_process:
            self.checkpoints.remove()
        if self.main_process:
            for callback in self.callbacks.values():
                callback.on_start(self.folder, self.step)

    @property
    def preparing(self) -> bool:
        return not self.prepared

    @property
    def active(self) -> list[str]:
        """The auxiliary tasks in use: none in the preparation epochs."""
        return [] if self.preparing else self.tasks

    def _train_epoch(self) -> None:
        order = self._order(self.epoch)
        hidden = self._hidden_pictures()
        started = time.perf_counter()
        self.model.train()
        what = "preparation" if self.preparing else "epoch"
        title = f"{what} {self.epoch + 1}/{self.settings.epochs}"
        with self.reporter.progress(title, len(order)) as advance:
            advance(self.in_epoch, "")
            for group in order[self.in_epoch :]:
                self._train_step(group, hidden)
                advance(1, loss_text(self._means()))
                if self.interrupted:
                    self._clock(started)
                    self._save_and_stop()
                every = self.settings.checkpoint_steps
                if every and self.step % every == 0 and self.in_epoch < len(order):
                    started = self._clock(started)
                    self._save()
        self._clock(started)

    def _train_step(self, group: Sequence[Sequence[int]], hidden: np.ndarray) -> None:
        """One optimiser step over `accumulate` micro-batches of every process."""
        factor = schedule(self.step, self.total, self.settings.warmup)
        for parameters, rate in zip(self.optimiser.param_groups, self.base_rates, strict=True):
            parameters["lr"] = rate * factor
        batches = [self._batch(indexes, hidden) for indexes in group]
        counts = self._global_counts(batches)
        sums: dict[str, Tensor] = {}
        weighted: Weighted | None = None
        for batch in batches:
            with self.accelerator.autocast():
                output = self.model(batch, [name for name in self.active if counts[name]])
                # Each micro-batch stands for the whole: scaled up here and down again below, so
                # that what a weighting adds to the losses is added once a step.
                scale = len(batches) * process_count()
                means = {
                    name: loss * (scale / counts[name])
                    for name, loss in output.losses.items()
                    if counts[name]
                }
                weighted = self.model.weighting(means, output.shared, self.step / self.total)
            self.accelerator.backward(weighted.total / scale)
            for name, loss in output.losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=loss.device)) + loss.detach()
        if process_count() > 1:
            sum_gradients(self.model)
            sums = {name: all_sum(value) for name, value in sums.items()}
        norm = self._clip()
        self.stepper.step()
        self.stepper.zero_grad(set_to_none=True)
        self.step += 1
        self.in_epoch += 1
        self.seen += counts["sentences"]
        losses = {name: value.item() for name, value in sums.items() if counts[name]}
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.items[name] = self.items.get(name, 0) + counts[name]
        assert weighted is not None
        self._tell_step(losses, counts, weighted.weights, norm)

    def _clip(self) -> float:
        limit = self.settings.gradient_clip or float("inf")
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm: Tensor = self.accelerator.clip_grad_norm_(parameters, limit)
        return norm.item()

    def _finish_preparation(self) -> None:
        """The tasks observe the training data, and may begin."""
        started = time.perf_counter()
        self.model.eval()
        waiting = [self.model.task(name) for name in self.tasks]
        waiting = [task for task in waiting if task.preparation]
        order = self._order(self.settings.epochs)
        nothing = np.zeros(len(self.sentences), dtype=bool)
        with torch.no_grad(), self.reporter.progress("observing", len(order)) as advance:
            for group in order:
                for indexes in group:
                    batch = self._batch(indexes, nothing)
                    views, _ = self.model.views(batch)
                    for task in waiting:
                        task.observe({view: views[view] for view in task.views}, batch.targets)
                advance(1, "")
            for task in waiting:
                task.finish()
        self.prepared = True
        self.seconds["preparation"] += time.perf_counter() - started
        self.reporter.line("Preparation finished: all tasks train from here on.")

    def _end_epoch(self) -> None:
        self.epoch += 1
        self.in_epoch = 0
        valid = self.evaluate("valid") if "valid" in self.setup.prepared else None
        losses, preparing = self._means(), self.preparing
        better = valid is None or valid["f1"] > self.best["f1"]
        if not preparing and better:
            f1 = -1.0 if valid is None else valid["f1"]
            self.best = {"epoch": self.epoch, "f1": f1, "valid": valid}
            if self.main_process:
                self.checkpoints.save_best(self.model)
        self.sums, self.items = {}, {}
        event = EpochEvent(self.epoch, self.step, preparing, losses, valid, int(self.best["epoch"]))
        reasons = [callback.on_epoch(event) for callback in self._own_callbacks()]
        self.stop_reason = self.stop_reason or next((r for r in reasons if r), "")
        self._agree_to_stop()
        self._tell_epoch(event)
        self._save()
        if self.interrupted:
            self._save_and_stop(saved=True)

    def evaluate(self, split: str) -> dict[str, Any]:
        """Scores of a split, as in metrics.json."""
        started = time.perf_counter()
        sentences = self.setup.prepared[split]
        predictions = predict(
            self.model,
            self.setup.collator,
            sentences,
            device=self.accelerator.device,
            tasks=self.active,
        )
        gold = [list(s.example.tags or ()) for s in sentences]
        result = score(gold, [list(p.tags) for p in predictions])
        self.seconds["evaluation"] += time.perf_counter() - started
        return result

    def _finish(self) -> None:
        if self.best["epoch"]:
            load_weights(self.model, self.checkpoints.best)
        self.prepared = True
        metrics: dict[str, Any] = {"best_epoch": self.best["epoch"] or self.epoch}
        if self.best["valid"] is not None:
            metrics["valid"] = self.best["valid"]
        if "test" in self.setup.prepared:
            metrics["test"] = self.evaluate("test")
        if self.main_process:
            if self.stop_reason:
                self.reporter.line(f"Stopped: {self.stop_reason}.")
            self.setup.write_results(metrics, self.seconds, self.seen)
            if not self.settings.keep_last:
                self.checkpoints.remove()
            for callback in self.callbacks.values():
                callback.on_end(self.folder)
        self.accelerator.wait_for_everyone()

    # What follows serves the loop above.

    def _order(self, epoch: int) -> list[list[list[int]]]:
        """The epoch's optimiser steps: each a list of micro-batches of this process."""
        processes, accumulate = process_count(), self.settings.accumulate
        size = self.settings.batch_size * processes
        batches = training_order(self.lengths, size, self.settings.seed, epoch)
        if processes > 1:
            rank = self.accelerator.process_index
            # A batch with fewer sentences than processes would leave one with nothing to do.
            batches = [b[rank::processes] for b in batches if len(b) >= processes]
        return [batches[i : i + accumulate] for i in range(0, len(batches), accumulate)]

    def _hidden_pictures(self) -> np.ndarray:
        """(sentences,) bool: whose pictures are hidden in this epoch."""
        generator = np.random.default_rng([self.settings.seed, self.epoch, 1])
        draws: np.ndarray = generator.random(len(self.sentences))
        return draws < self.config.data.image_dropout

    def _batch(self, indexes: Sequence[int], hidden: np.ndarray) -> Batch:
        sentences = [self.sentences[i] for i in indexes]
        batch = self.setup.collator.batch(sentences, [bool(hidden[i]) for i in indexes])
        return batch.to(self.accelerator.device)

    def _global_counts(self, batches: Sequence[Batch]) -> dict[str, int]:
        """Items of each loss over all micro-batches and processes, and sentences."""
        names = ["main", *self.active, "sentences"]
        totals = dict.fromkeys(names, 0)
        for batch in batches:
            found = self.model.counts(batch, self.active)
            for name, count in {**found, "sentences": len(batch.text.mask)}.items():
                totals[name] += count
        if process_count() > 1:
            device = self.accelerator.device
            summed = all_sum(torch.tensor([totals[name] for name in names], device=device))
            totals = dict(zip(names, summed.tolist(), strict=True))
        return totals

    def _means(self) -> dict[str, float]:
        return {name: value / self.items[name] for name, value in self.sums.items()}

    def _own_callbacks(self) -> list[Callback]:
        return list(self.callbacks.values()) if self.main_process else []

    def _tell_step(
        self,
        losses: Mapping[str, float],
        counts: Mapping[str, int],
        weights: Mapping[str, float],
        norm: float,
    ) -> None:
        rates = {g["name"]: g["lr"] for g in self.optimiser.param_groups}
        means = {name: value / counts[name] for name, value in losses.items()}
        event = StepEvent(self.step, self.epoch + 1, means, weights, rates, norm)
        reasons = [callback.on_step(event) for callback in self._own_callbacks()]
        self.stop_reason = self.stop_reason or next((r for r in reasons if r), "")

    def _agree_to_stop(self) -> None:
        """Callbacks live in the main process: the others learn here that it stops."""
        wish = torch.tensor(float(bool(self.stop_reason)), device=self.accelerator.device)
        if all_sum(wish).item() and not self.stop_reason:
            self.stop_reason = "asked to by the main process"

    def _tell_epoch(self, event: EpochEvent) -> None:
        what = "preparation" if event.preparing else "epoch"
        valid = "" if event.valid is None else f"  valid F1 {event.valid['f1']:.2f}"
        mark = " (best)" if event.best_epoch == event.epoch and event.valid else ""
        self.reporter.line(
            f"{what} {event.epoch}/{self.settings.epochs}  {loss_text(event.losses)}{valid}{mark}"
        )

    def _clock(self, started: float) -> float:
        now = time.perf_counter()
        self.seconds["training"] += now - started
        return now

    def _save(self) -> None:
        if self.main_process:
            names = ("step", "epoch", "in_epoch", "prepared", "best", "sums", "items")
            progress = {name: getattr(self, name) for name in names}
            progress["callbacks"] = {n: c.state() for n, c in self.callbacks.items()}
            progress["seconds"], progress["seen"] = self.seconds, self.seen
            progress["stop_reason"] = self.stop_reason
            self.checkpoints.save(self.model, self.optimiser, progress)

    def _save_and_stop(self, *, saved: bool = False) -> None:
        if not saved:
            self._save()
        raise Interrupted(
            f"Stopped after epoch {self.epoch}, step {self.step}; everything is kept. Go on with: "
            f"mmseq train --resume --output {self.folder}"
        )

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C ends the step and saves; the second is the usual one."""

        def note(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, previous)

        try:
            previous = signal.signal(signal.SIGINT, note)
        except ValueError:
            # Not the main thread: signals are the caller's.
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
