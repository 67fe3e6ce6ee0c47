"""The training loop: read it from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed

from mmseq.console import loss_text
from mmseq.contracts.callback import Callback, EpochEvent, StepEvent
from mmseq.layers.gradients import Cosines
from mmseq.model import calls
from mmseq.model.batch import Batch
from mmseq.model.prediction import Prediction
from mmseq.processes import any_of_all, from_all
from mmseq.runs.leftovers import LAST
from mmseq.runs.predictions import write_predictions
from mmseq.runs.results import write_results
from mmseq.runs.weights import load_weights
from mmseq.scoring.metrics import score
from mmseq.training import messages
from mmseq.training.batches import TrainingBatches
from mmseq.training.callbacks import Listeners
from mmseq.training.checkpoint import Checkpoints, Generators
from mmseq.training.interruption import CtrlC
from mmseq.training.memory import keep_freed_memory
from mmseq.training.optimiser import build_optimiser, rates_of, schedule, set_rates
from mmseq.training.pictures import picture_learning
from mmseq.training.preparation import observe
from mmseq.training.progress import Best, Progress
from mmseq.training.setup import Setup
from mmseq.training.step import Stepper
from mmseq.training.tagging import Tagging


class Trainer:
    """One run: the loop and what it holds."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.model, self.folder, self.reporter = setup.model, setup.folder, setup.reporter
        self.settings = setup.config.train
        self.accelerator = setup.accelerator
        self.batches = TrainingBatches(setup.config, setup.prepared["train"], setup.collator)
        self.rounds = self.batches.rounds
        self.tasks = list(self.model.tasks)
        self.callbacks: dict[str, Callback] = setup.callbacks
        self.listeners = Listeners(
            self.callbacks, setup.config.callbacks, events=self.accelerator.is_main_process
        )
        self.checkpoints = Checkpoints(self.folder / LAST)
        self.learning = picture_learning(setup)
        self.optimiser = build_optimiser(self.model, self.settings)
        self.stepper = Stepper(
            self.model,
            self.optimiser,
            self.accelerator,
            self.settings.gradient_clip,
            self.settings.adversarial,
        )
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]
        self.progress = Progress(prepared=not self.model.preparation)
        self.tagging = Tagging(setup)
        self.ctrl_c = CtrlC()

    def run(self) -> None:
        """From the start, or the last checkpoint, to the finished run folder."""
        keep_freed_memory()
        try:
            with self.ctrl_c.noted():
                self._begin()
                while self.progress.epoch < len(self.rounds.ends) and not self.stopping:
                    if self.preparing and self.progress.epoch >= self.model.preparation:
                        self._finish_preparation()
                    self._train_epoch()
                    self._end_epoch()
            self._finish()
        except BaseException as error:
            self.listeners.close(error)
            raise
        self.listeners.close()

    def _begin(self) -> None:
        begun = self.checkpoints.exists()
        if self.learning and not begun:
            started = time.perf_counter()
            self.progress.pictures = self.learning.run(lambda: self.ctrl_c.pressed)
            self.progress.add_seconds("learning pictures", time.perf_counter() - started)
        if self.learning:
            # They are what they are from here on.
            self.batches.collator = self.model.collator(self.learning.fixed())
        # Seeded anew, so that what building the model drew does not matter when resuming; each
        # process drops out other units.
        set_seed(self.settings.seed + self.accelerator.process_index)
        if begun:
            state = self.checkpoints.load(self.model, self.optimiser)
            self.progress = Progress.from_json(state)
            self.listeners.load_states(state["callbacks"])
            self.reporter.line(
                f"Resuming after epoch {self.progress.epoch}, step {self.progress.step}."
            )
        self.listeners.start(self.folder, self.progress.step)

    @property
    def stopping(self) -> bool:
        """A callback has asked for it."""
        return bool(self.progress.stop_reason)

    @property
    def preparing(self) -> bool:
        """The main task trains alone until the tasks' preparation is over."""
        return not self.progress.prepared

    @property
    def active(self) -> list[str]:
        """The auxiliary tasks in use."""
        return [] if self.preparing else self.tasks

    def _train_epoch(self) -> None:
        progress = self.progress
        steps = self.rounds.steps(progress.epoch)
        self.model.train()
        started = time.perf_counter()
        name = self.rounds.name(progress.epoch + 1, preparing=self.preparing)
        with self.reporter.progress(name, len(steps)) as advance:
            advance(progress.step - steps.start)
            for group in self.batches.groups(range(progress.step, steps.stop)):
                self._train_step(group)
                advance(1, loss_text(progress.means()))
                unfinished = progress.step < steps.stop
                every = self.settings.checkpoint_steps
                stop = self._pressed()
                if unfinished and (stop or (every and progress.step % every == 0)):
                    progress.add_seconds("training", time.perf_counter() - started)
                    self._save(stop)
                    started = time.perf_counter()
        progress.add_seconds("training", time.perf_counter() - started)

    def _train_step(self, group: Sequence[Batch]) -> None:
        """One optimiser step over the micro-batches of this process."""
        progress = self.progress
        factor = schedule(progress.step, self.rounds.total, self.settings.warmup)
        set_rates(self.optimiser, self.base_rates, factor)
        # What is not finite now is a component's own; later it may be the rate's fault.
        self.model.watched = progress.step == 0
        done = self.stepper.step(
            [batch.to(self.accelerator.device) for batch in group],
            self.active,
            progress.step / self.rounds.total,
            self._cosines(),
        )
        progress.step += 1
        progress.sentences += done.counts["sentences"]
        # A loss that is not a number stays one: the rest of the run would be for nothing.
        if not all(math.isfinite(value) for value in done.losses.values()):
            raise messages.not_finite(progress.step, done.losses)
        progress.add_losses(done.losses, done.counts)
        self._tell(done.event(progress, rates_of(self.optimiser)))

    def _finish_preparation(self) -> None:
        """The tasks observe the training data, and may begin."""
        started = time.perf_counter()
        device = self.accelerator.device
        groups = ((batch.to(device) for batch in group) for group in self.batches.once())
        with self.reporter.progress("tasks look at the data", self.rounds.each) as advance:
            observe(self.model, groups, advance)
        self.progress.prepared = True
        self.progress.add_seconds("preparation", time.perf_counter() - started)
        self.reporter.line("The auxiliary tasks have looked at the data: from here on all train.")

    def _end_epoch(self) -> None:
        progress = self.progress
        progress.epoch += 1
        found, valid = self.evaluate("valid") if "valid" in self.setup.prepared else ([], None)
        f1 = -1.0 if valid is None else valid["f1"]
        if not self.preparing and (valid is None or f1 > progress.best.f1):
            progress.best = Best(progress.epoch, f1, valid)
            if self.accelerator.is_main_process:
                self.checkpoints.save_best(self.model)
                if valid is not None:
                    self._write_predictions("valid", found)
        event = EpochEvent(
            progress.epoch,
            progress.step,
            self.preparing,
            progress.means(),
            valid,
            progress.best.epoch,
        )
        calls.end_epoch(self.model.title("weighting"), self.model.weighting, event.losses)
        progress.sums, progress.items = {}, {}
        self._tell(event)
        self._agree_to_stop()
        self.reporter.line(messages.epoch_line(event, self.rounds))
        self._save(self._pressed())

    def evaluate(self, split: str) -> tuple[list[Prediction], dict[str, Any]]:
        """What is predicted for a split, and its scores as in metrics.json."""
        started = time.perf_counter()
        predictions = self.tagging.predictions(split, self.active, scored=not self.preparing)
        gold = [example.tags or () for example in self.setup.splits[split].examples]
        scores = score(gold, [p.tags for p in predictions])
        self.progress.add_seconds("evaluation", time.perf_counter() - started)
        return predictions, scores

    def _finish(self) -> None:
        best = self.progress.best
        if best.epoch:
            load_weights(self.model, self.checkpoints.best)
            # Before the main process removes them.
            self.accelerator.wait_for_everyone()
        self.progress.prepared = True
        metrics: dict[str, Any] = {
            "best_epoch": best.epoch or self.progress.epoch,
            # As used, where the config leaves it open.
            "device": self.accelerator.device.type,
            "precision": self.accelerator.mixed_precision,
        }
        if best.valid is not None:
            metrics["valid"] = best.valid
        if self.progress.pictures:
            metrics["pictures"] = self.progress.pictures
        if "test" in self.setup.prepared:
            found, metrics["test"] = self.evaluate("test")
            if self.accelerator.is_main_process:
                self._write_predictions("test", found)
        for weight in self.learning.trained if self.learning else ():
            # What is told of the run counts it among those that were trained.
            weight.requires_grad_(True)
        if self.accelerator.is_main_process:
            if self.progress.stop_reason:
                self.reporter.line(f"Stopped: {self.progress.stop_reason}.")
            setup, timing = self.setup, self.progress.timing(self.setup.seconds)
            write_results(
                self.folder,
                setup.config,
                self.model,
                metrics,
                setup.splits,
                setup.pictures,
                setup.contents,
                timing,
            )
            taken = sum(timing["seconds"].values())
            messages.show_results(self.reporter, metrics, self.folder, taken)
            if not self.settings.keep_last:
                self.checkpoints.remove()
        self.listeners.end(self.folder)
        self.accelerator.wait_for_everyone()

    # What follows serves the loop above.

    def _write_predictions(self, name: str, found: Sequence[Prediction]) -> None:
        split, data = self.setup.splits[name], self.setup.config.data
        images = Path(data.image_folder) if data.image_folder else split.path.parent / "images"
        write_predictions(self.folder, name, split.examples, found, images)

    def _cosines(self) -> Cosines | None:
        """Where a callback wants the cosines of the step that begins."""
        step = self.progress.step + 1
        asking = self.listeners.wanting_cosines(step)
        return Cosines(f"callback '{asking[0]}'") if asking else None

    def _tell(self, event: StepEvent | EpochEvent) -> None:
        reason = self.listeners.tell(event)
        self.progress.stop_reason = self.progress.stop_reason or reason

    def _agree_to_stop(self) -> None:
        """The other processes learn here that a callback asked to stop."""
        reason = self.progress.stop_reason
        if any_of_all(bool(reason), self.accelerator.device) and not reason:
            self.progress.stop_reason = "asked to by the main process"

    def _pressed(self) -> bool:
        """Ctrl-C has reached a process. It does not reach all in the same step: all ask."""
        return any_of_all(self.ctrl_c.pressed, self.accelerator.device)

    def _save(self, stop: bool) -> None:
        """A checkpoint; with `stop` also the end."""
        generators = from_all(Generators.here())
        if self.accelerator.is_main_process:
            state = {**self.progress.to_json(), "callbacks": self.listeners.states()}
            self.checkpoints.save(self.model, self.optimiser, state, generators)
            if self.learning:
                self.learning.checkpoints.remove()
        if stop:
            # Launchers end the others as soon as one has ended.
            self.accelerator.wait_for_everyone()
            after = f"epoch {self.progress.epoch}, step {self.progress.step}"
            raise messages.interrupted(after, self.folder)
