"""`mmseq tune`: the study carried out, stopped and gone on with."""

import csv
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from mmseq.console import Reporter
from mmseq.jobs.job import Event, Outcome
from mmseq.tune.identity import trial_data
from mmseq.tune.parameter import Choices, Parameter, Range
from mmseq.tune.search import Method
from mmseq.tune.space import Space
from mmseq.tune.tune import opened


class Killed(BaseException):
    """As kill -9: no handler of the code under test sees it."""


class HerePool:
    """Jobs one after another in this process; `kill(job, event)` is asked at each event."""

    threads = 1

    def __init__(self, kill=lambda job, event: False):
        self._kill = kill
        self.jobs = []

    def run(self, jobs, listen):
        from mmseq.jobs.work import work

        for job in jobs:
            self.jobs.append(job)

            def tell(record, job=job):
                event = Event(**record)
                answer = listen(job, event)
                if self._kill(job, event):
                    raise Killed
                return answer

            status, error = work(job.config, job.folder, 1, tell)
            yield job, Outcome(status, error)


@pytest.fixture
def base(echo_config):
    """A text-only run of at most a second."""
    return echo_config(aux=(), **{"train.epochs": 3})


PARAMETERS = (
    Parameter("train.learning_rate", Range(1e-4, 3e-2, log=True)),
    Parameter("train.batch_size", Range(2, 8, whole=True)),
)


@pytest.fixture
def tune(base, tmp_path):
    """`tune(trials, …)` carries a study out and gives its trials; the same again goes on."""

    def call(
        trials,
        pool=None,
        *,
        output="study",
        parameters=PARAMETERS,
        method=Method(random_trials=2, prune_after_trials=2),
        seed=1,
        own=None,
    ):
        space = Space(own or base, parameters)
        reporter = Reporter(quiet=True)
        with opened(tmp_path / output, space, method, seed, trial_data(space), reporter) as tuner:
            tuner.run(pool or HerePool(), trials)
            return [facts(trial) for trial in tuner.study.trials()]

    return call


def facts(trial):
    attributes = {k: v for k, v in trial.user_attrs.items() if k != "seconds"}
    return (
        trial.number,
        trial.state.name,
        trial.params,
        trial.intermediate_values,
        trial.value,
        attributes,
    )


def rows(folder):
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_try(tune, tmp_path):
    t = time.time()
    for f in tune(8):
        print(f)
    print(time.time() - t)
    print((tmp_path / "study" / "trials.csv").read_text())
    print((tmp_path / "study" / "best.toml").read_text())
    for p in sorted((tmp_path / "study").rglob("*")):
        print(p)
    os.system(
        f"cat {tmp_path}/study/logs/*; sed -n 1,400p {tmp_path}/study/runs/trial-7/config.toml | head -5"
    )
