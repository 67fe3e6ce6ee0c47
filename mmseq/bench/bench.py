"""Carries out a plan: runs what is missing, keeps what is done, reports what fails."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mmseq.bench.experiment import Experiment
from mmseq.bench.finished import Finished
from mmseq.bench.record import result_of
from mmseq.bench.results import Result, append, read
from mmseq.console import Reporter, duration
from mmseq.errors import UserError
from mmseq.files import locked
from mmseq.jobs.job import Event, Job, Outcome, Pool
from mmseq.runs.leftovers import sweep_finished

Keep = Literal["best", "none", "all"]


@dataclass
class Report:
    """How a plan ended."""

    results: list[Result] = field(default_factory=list)
    """Of the plan's experiments, earlier ones included, in the plan's order"""
    failures: list[tuple[Experiment, str]] = field(default_factory=list)


class Pace:
    """Steps taken since this bench started; those from before an interruption do not count."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._taken = 0

    def hear(self, job: str, step: int) -> None:
        """A run has reached a step; its first report may be of a step taken long ago."""
        self._taken += step - self._last.get(job, step - 1)
        self._last[job] = step

    def left(self, seconds: float, remaining: int) -> float | None:
        """Seconds that the remaining steps take, at the pace of those taken in `seconds`."""
        return seconds / self._taken * remaining if self._taken else None


class Bench:
    """One plan's experiments in one output folder.

    ``OUTPUT/results.jsonl`` has a line a finished run, ``OUTPUT/runs`` the run folders,
    ``OUTPUT/logs`` what they printed.
    """

    def __init__(
        self, wanted: Sequence[Experiment], output: Path, *, keep: Keep, reporter: Reporter
    ) -> None:
        self.wanted = wanted
        self.output = output
        self.file = output / "results.jsonl"
        self._keep = keep
        self._reporter = reporter
        self._of_job: dict[str, Experiment] = {}
        self._steps: dict[str, int] = {}
        self._pace = Pace()
        self._done: dict[str, Result] = {}

    def read_done(self) -> int:
        """Read the results that exist; returns how many of them are the plan's."""
        if self.file.is_file():
            reading = read([self.file])
            for note in reading.notes:
                self._reporter.warning(note)
            finished = Finished(reading.results)
            found = {e.key: finished.of(e) for e in self.wanted}
            self._done = {key: result for key, result in found.items() if result is not None}
        return len(self.wanted) - len(self.missing())

    def missing(self) -> list[Experiment]:
        """The experiments without a result, in the plan's order."""
        return [e for e in self.wanted if e.key not in self._done]

    def folder(self, experiment: Experiment) -> Path:
        """Where the run is; named by its key, so that another experiment never lies there."""
        return self.output / "runs" / experiment.name

    def log(self, experiment: Experiment) -> Path:
        """Where what the run prints goes."""
        return self.output / "logs" / f"{experiment.name}.txt"

    def run(self, pool: Pool, begun: Callable[[], None] = lambda: None) -> Report:
        """Run what is missing; `begun` is called first, with the folder there and locked. Ctrl-C:
        `KeyboardInterrupt`, after what is under way is saved.

        `UserError` where another process runs a bench in the folder.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        taken = f"{self.output}: another bench is under way there; give another --output."
        with locked(self.output, taken):
            begun()
            return self._run(pool)

    def _run(self, pool: Pool) -> Report:
        report = Report()
        for experiment in self.wanted:
            self._take_over(experiment)
            if experiment.key in self._done:
                sweep_finished(self.folder(experiment))
        # Finished, and killed before that was put on record.
        for experiment in self.missing():
            if (self.folder(experiment) / "metrics.json").is_file():
                self._take(experiment, Outcome("done"), pool.threads)
        missing = self.missing()
        total = sum(experiment.steps for experiment in missing)
        started = time.monotonic()
        with self._reporter.progress("all runs, steps", total) as advance:

            def listen(job: Job, event: Event) -> str:
                advance(event.step - self._steps.get(job.name, 0), job.name)
                self._pace.hear(job.name, event.step)
                self._steps[job.name] = event.step
                return ""

            for number, (job, outcome) in enumerate(pool.run(self._jobs(missing), listen), 1):
                experiment = self._of_job[job.name]
                failure = self._take(experiment, outcome, pool.threads)
                # Done or not, it reports nothing more.
                advance(experiment.steps - self._steps.get(job.name, 0))
                self._steps[job.name] = experiment.steps
                if outcome.status == "interrupted":
                    continue
                if failure:
                    report.failures.append((experiment, failure))
                remaining = total - sum(self._steps.values())
                left = self._pace.left(time.monotonic() - started, remaining)
                failed = f"FAILED: {failure.rstrip('.')}" if failure else ""
                self._reporter.line(
                    f"[{number}/{len(missing)}] {experiment.title}: "
                    f"{failed or self._told(experiment, outcome)}"
                    f"{f'; about {duration(left)} left' if number < len(missing) and left else ''}"
                )
        report.results = [self._called(e) for e in self.wanted if e.key in self._done]
        return report

    def _take_over(self, experiment: Experiment) -> None:
        """Give what a bench of before left under the experiment's first name the name of now."""
        old, new = self.output / "runs" / experiment.first_name, self.folder(experiment)
        if old.is_dir() and not new.exists():
            old.rename(new)
            log = self.output / "logs" / f"{experiment.first_name}.txt"
            if log.is_file():
                log.rename(self.log(experiment))

    def _called(self, experiment: Experiment) -> Result:
        """Its result under this plan's name for it; another plan may have named it differently."""
        return replace(
            self._done[experiment.key],
            key=experiment.key,
            system=experiment.row,
            preset=experiment.system.preset,
            data=experiment.data.name,
            settings=experiment.settings,
        )

    def _jobs(self, missing: Sequence[Experiment]) -> Iterator[Job]:
        for experiment in missing:
            job = Job(
                experiment.name,
                experiment.config.tables(),
                self.folder(experiment),
                self.log(experiment),
                weights=self._keep != "none",
            )
            self._of_job[job.name] = experiment
            yield job

    def _take(self, experiment: Experiment, outcome: Outcome, threads: int) -> str:
        """Record a finished run; returns what failed, or nothing."""
        if outcome.status != "done":
            return outcome.error
        folder = self.folder(experiment)
        try:
            result = result_of(experiment, folder, threads)
        except UserError as error:
            # Not what was asked for: it must not be taken for it next time.
            shutil.rmtree(folder, ignore_errors=True)
            return str(error)
        sweep_finished(folder)
        append(self.file, result)
        self._done[experiment.key] = result
        self._drop_weights(experiment)
        return ""

    def _drop_weights(self, experiment: Experiment) -> None:
        """Of the runs of a row keep the weights that were asked for.

        The best is the best on validation: chosen by test scores it would flatter them.
        """
        if self._keep == "all":
            return
        row = [
            e
            for e in self.wanted
            if (e.row, e.data) == (experiment.row, experiment.data) and e.key in self._done
        ]
        best = max(row, key=lambda e: _valid_f1(self._done[e.key]))
        for other in row:
            if self._keep == "none" or other is not best:
                (self.folder(other) / "model.safetensors").unlink(missing_ok=True)

    def _told(self, experiment: Experiment, outcome: Outcome) -> str:
        valid = self._done[experiment.key].scores.get("valid")
        score = f"valid F1 (default) {valid['f1']:.2f}, " if valid else ""
        return f"{score}{duration(outcome.seconds)}"


def _valid_f1(result: Result) -> float:
    return float(result.scores["valid"]["f1"]) if "valid" in result.scores else 0.0
