"""Carries out a study: asks for trials while there is room, follows and records them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from mmseq.config.config import Config
from mmseq.console import Reporter, duration
from mmseq.errors import UserError
from mmseq.files import locked
from mmseq.jobs.job import Event, Job, Outcome, Pool
from mmseq.runs import folder as runs
from mmseq.runs.facts import read_metrics, read_seconds
from mmseq.runs.provenance import require_made_with, versions_of
from mmseq.training.rounds import rounds_of
from mmseq.tune.identity import begun_with
from mmseq.tune.results import save_best, save_trials, trials_text
from mmseq.tune.search import Method
from mmseq.tune.space import Space
from mmseq.tune.study import Study

FILE = "study.db"

Checksums = dict[str, dict[str, str]]


@dataclass
class Tuner:
    """One study in one output folder.

    ``OUTPUT/study.db`` has the study, ``OUTPUT/runs`` the trials' run folders, ``OUTPUT/logs`` what
    they printed, ``OUTPUT/best.toml`` and ``OUTPUT/trials.csv`` what has been found so far.
    """

    study: Study
    output: Path
    data: Checksums
    reporter: Reporter
    failures: dict[int, str] = field(default_factory=dict)
    """Trials of this call that failed, and why"""

    def __post_init__(self) -> None:
        self._of_job: dict[str, Trial] = {}
        self._configs: dict[str, Config] = {}

    def folder(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.output / "runs" / f"trial-{number}"

    def log(self, number: int) -> Path:
        """Where its run prints."""
        return self.output / "logs" / f"trial-{number}.txt"

    def run(self, pool: Pool, trials: int, minutes: float | None = None) -> None:
        """Continue until there are `trials` trials in all, or for `minutes` minutes, after which no
        trial begins. Ctrl-C: `KeyboardInterrupt`, after what is under way is saved.
        """
        started = time.monotonic()
        deadline = None if minutes is None else started + 60 * minutes
        self._take_finished()
        before = self.ended
        begun = len(self.study.trials())
        self.reporter.line(
            f"{trials_text(trials)} in {self.output}: {before} done already, {begun - before} "
            f"under way, {max(0, trials - begun)} to begin."
        )
        with self.reporter.progress("all trials", trials) as advance:
            advance(before)

            def listen(job: Job, event: Event) -> str:
                if event.kind == "epoch":
                    score = "" if event.f1 is None else f", valid F1 (default) {event.f1:.2f}"
                    advance(0, f"{job.name} after epoch {event.epoch}{score}")
                return self._hear(job, event)

            for job, outcome in pool.run(self._jobs(trials, deadline), listen):
                if outcome.status == "interrupted":
                    continue
                told = self._take(job, outcome)
                advance(1)
                each = (time.monotonic() - started) / (self.ended - before)
                left = (trials - self.ended) * each
                self.reporter.line(
                    f"[{self.ended}/{trials}] {job.name}: {told}"
                    f"{f'; about {duration(left)} left' if self.ended < trials else ''}"
                )

    @property
    def ended(self) -> int:
        """Trials that are over."""
        return sum(trial.state.is_finished() for trial in self.study.trials())

    def _take_finished(self) -> None:
        """Runs that finished but were killed before that was noted, and what else a kill left."""
        for trial in self.study.under_way():
            job = self._job(trial)
            if (job.folder / "metrics.json").is_file():
                self.reporter.line(f"{job.name}: {self._take(job, Outcome('done'))}")
        self._keep_found()

    def _jobs(self, trials: int, deadline: float | None) -> Iterator[Job]:
        for trial in self.study.under_way():
            yield self._job(trial)
        while len(self.study.trials()) < trials:
            if deadline is not None and time.monotonic() > deadline:
                return
            yield self._job(self.study.ask())

    def _job(self, trial: Trial) -> Job:
        name, folder = f"trial-{trial.number}", self.folder(trial.number)
        config = self.study.space.config(self.study.settings(trial))
        self._of_job[name], self._configs[name] = trial, config
        if (folder / "config.toml").is_file() and not _goes_on(folder, config):
            shutil.rmtree(folder)
        return Job(name, config.tables(), folder, self.log(trial.number))

    def _hear(self, job: Job, event: Event) -> str:
        if event.kind != "epoch" or event.f1 is None:
            return ""
        train = self._configs[job.name].train
        epochs = len(rounds_of(train, self.study.space.sentences).ends)
        return self.study.hear(self._of_job[job.name], event.epoch, event.f1, epochs)

    def _take(self, job: Job, outcome: Outcome) -> str:
        """Record how a trial ended; returns a line about it."""
        trial = self._of_job[job.name]
        try:
            if outcome.status != "done":
                raise UserError(outcome.error)
            facts = self._facts(job)
        except UserError as error:
            self.failures[trial.number] = str(error)
            self.study.tell_failed(trial, str(error))
            told = f"FAILED: {error}"
        else:
            self.study.tell_finished(trial, facts.pop("valid_f1"), facts)
            ended = self.study.trials()[trial.number]
            told = self._told(ended)
        self._keep_found()
        return told

    def _facts(self, job: Job) -> dict[str, Any]:
        """A trial's result. `UserError` where it was made with other data or versions."""
        metrics = read_metrics(job.folder)
        require_made_with(
            metrics,
            self.data,
            versions_of(self._configs[job.name]),
            "study",
            "give another --output",
        )
        if "valid" not in metrics:
            raise UserError(f"{job.folder / 'metrics.json'}: damaged: valid is missing.")
        seconds = read_seconds(job.folder)
        return {
            "valid_f1": float(metrics["valid"]["f1"]),
            "best_epoch": metrics.get("best_epoch", 0),
            "seconds": round(sum(seconds.values()), 1),
        }

    def _told(self, trial: FrozenTrial) -> str:
        score = f"valid F1 (default) {trial.value:.2f}"
        seconds = duration(trial.user_attrs["seconds"])
        if trial.state == TrialState.PRUNED:
            return f"pruned after epoch {trial.last_step}, {score}, {seconds}"
        best = self.study.best()
        assert best is not None
        own = "the best so far" if best.number == trial.number else f"best so far {best.value:.2f}"
        return f"{score} (epoch {trial.user_attrs['best_epoch']}), {seconds}; {own}"

    def _keep_found(self) -> None:
        """Write what has been found so far; of all trials that are over keep the best's weights."""
        best = self.study.best()
        trials = self.study.trials()
        if best is not None:
            done = sum(trial.state.is_finished() for trial in trials)
            save_best(self.output / "best.toml", self.study.space, best, done)
        save_trials(self.output / "trials.csv", self.study.space, trials)
        for trial in trials:
            if trial.state.is_finished() and (best is None or trial.number != best.number):
                folder = self.folder(trial.number)
                (folder / "model.safetensors").unlink(missing_ok=True)
                # A failed one's checkpoint.
                shutil.rmtree(folder / "last", ignore_errors=True)


def _goes_on(folder: Path, config: Config) -> bool:
    """Whether the run begun in `folder` finds its data where the trial's config has them.

    They may have moved, and the run may have been killed while it wrote its own config.
    """
    try:
        begun = Config.from_file(folder / "config.toml").data
    except UserError:
        return False
    return (begun.path, begun.image_folder) == (config.data.path, config.data.image_folder)


@contextmanager
def opened(
    output: Path, space: Space, method: Method, seed: int, data: Checksums, reporter: Reporter
) -> Iterator[Tuner]:
    """The study in `output`, begun or taken up, this process's alone.

    `seed`: of the search. `data`: what `trial_data` gave. `UserError` where the folder has other
    things in it, the study there was begun with anything else, or another process has it.
    """
    if not (output / FILE).is_file():
        runs.make(runs.new_folder(output, ""))
    with locked(output, f"{output}: another process is carrying out this study."):
        begun = begun_with(space, method, seed, data)
        with closing(Study(output / FILE, space, method, seed, begun)) as study:
            yield Tuner(study, output, data, reporter)
