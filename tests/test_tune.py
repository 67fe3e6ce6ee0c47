"""A study carried out: killed, stopped and gone on with; what it keeps and what it finds."""

import csv
import json
import shutil
import signal
import subprocess
import tomllib
from dataclasses import replace

import pytest
import warm
from gate import Gate

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.errors import UserError
from mmseq.jobs.job import Event, Outcome
from mmseq.jobs.work import work
from mmseq.tune.identity import trial_data
from mmseq.tune.parameter import Choices, Parameter, Range
from mmseq.tune.search import Method
from mmseq.tune.space import Space
from mmseq.tune.tune import opened

PARAMETERS = (
    Parameter("train.learning_rate", Range(1e-4, 3e-2, log=True)),
    Parameter("train.batch_size", Range(2, 8, whole=True)),
)
METHOD = Method(random_trials=2, prune_after_trials=2)
TRIALS = 6


class Killed(BaseException):
    """Ends all, as kill -9 does: the code under test must not catch it."""


class HerePool:
    """Runs jobs in this process, one after the other. `stop_at` (job, epoch, moment): be killed
    there: when the epoch is heard, when it is answered, or when the run has ended.
    """

    threads = 1

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.ran = []

    def run(self, jobs, listen):
        for job in jobs:
            self.ran.append(job.name)

            def tell(record, job=job):
                event = Event(**record)
                self._be_killed(job, event, "heard")
                answer = listen(job, event)
                self._be_killed(job, event, "answered")
                return answer

            outcome = Outcome(*work(job.config, job.folder, 1, tell))
            if self.stop_at == (job.name, None, "ended"):
                raise Killed
            yield job, outcome

    def _be_killed(self, job, event, moment):
        if event.kind == "epoch" and self.stop_at == (job.name, event.epoch, moment):
            raise Killed


@pytest.fixture(scope="module")
def data(tiny_data, tmp_path_factory):
    """The tiny data with a test file that nobody can read."""
    folder = tmp_path_factory.mktemp("untestable") / "data"
    shutil.copytree(tiny_data, folder)
    (folder / "test.jsonl").write_text("no JSON\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tiny_encoder, data):
    """A text-only run of 3 epochs."""
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder), "case": "off"},
            "fusion": {"name": "none"},
            "decoder": {"name": "softmax"},
        },
        settings={
            "data.path": str(data),
            "train.device": "cpu",
            "train.epochs": 3,
            "train.batch_size": 4,
        },
    )


def study_of(output, base, parameters=PARAMETERS, method=METHOD, seed=2):
    space = Space(base, parameters)
    return opened(output, space, method, seed, trial_data(space), Reporter(quiet=True))


def carry_out(output, base, trials=TRIALS, pool=None, **changes):
    """The study's trials, after it has been carried out, or gone on with."""
    with study_of(output, base, **changes) as tuner:
        tuner.run(pool or HerePool(), trials)
        return [facts(trial) for trial in tuner.study.trials()]


def facts(trial):
    """What must not depend on how a trial came about."""
    return {
        "state": trial.state.name,
        "params": trial.params,
        "epochs": trial.intermediate_values,
        "value": trial.value,
        "attributes": {k: v for k, v in trial.user_attrs.items() if k != "seconds"},
    }


def rows(output):
    with (output / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def epochs_of(run):
    """Validation F1 of each epoch, from the run's own log."""
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {r["epoch"]: r["valid"]["f1"] for r in records if r["kind"] == "epoch"}


@pytest.fixture(scope="module")
def output(base, tmp_path_factory):
    """Folder of a study of 6 trials, carried out without a break. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    carry_out(folder, base)
    return folder


@pytest.fixture(scope="module")
def whole(output, base):
    """The trials of that study."""
    return carry_out(output, base, pool=HerePool())


def test_a_trial_counts_with_its_best_validation_f1_and_a_pruned_one_with_its_last(whole, output):
    assert [trial["state"] for trial in whole].count("COMPLETE") >= 2
    assert "PRUNED" in [trial["state"] for trial in whole]
    for number, trial in enumerate(whole):
        run = output / "runs" / f"trial-{number}"
        logged = epochs_of(run)
        assert trial["epochs"] == logged
        if trial["state"] == "COMPLETE":
            assert list(logged) == [1, 2, 3]
            assert trial["value"] == max(logged.values())
            assert logged[trial["attributes"]["best_epoch"]] == trial["value"]
        else:
            assert list(logged)[-1] == trial["attributes"]["pruned"] < 3
            assert trial["value"] == list(logged.values())[-1]
        config = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
        assert config["train"]["learning_rate"] == trial["params"]["train.learning_rate"]
        assert config["train"]["batch_size"] == trial["params"]["train.batch_size"]


def test_a_pruned_trial_is_below_the_median_of_the_completed_ones(whole):
    """By the definition: best so far against the others' score after as many epochs."""
    for number, trial in enumerate(whole):
        completed = [t for t in whole[:number] if t["state"] == "COMPLETE"]
        for epoch in trial["epochs"]:
            if epoch == 3:
                # A trial that has come that far may end.
                continue
            reached = max(f1 for e, f1 in trial["epochs"].items() if e <= epoch)
            others = sorted(t["epochs"][epoch] for t in completed)
            half = len(others) // 2
            median = (others[half] + others[-half - 1]) / 2 if others else 0
            # Two completed ones first, and one epoch for all.
            expected = len(completed) >= 2 and epoch > 1 and reached < median
            assert (trial["attributes"].get("pruned") == epoch) == expected


def test_no_trial_reads_the_test_split_and_the_best_config_does(whole, output, base):
    for run in (output / "runs").iterdir():
        config = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
        assert config["data"]["splits"] == ["train", "valid"]
        assert [path.name for path in (run / "predictions").iterdir()] == ["valid.jsonl"]
    best = Config.from_file(output / "best.toml")
    assert best.data.splits == ["train", "valid", "test"]
    assert best.data.path == base.data.path


def test_the_best_config_trains_to_the_best_trial(whole, output, tiny_data, tmp_path):
    from mmseq.training.train import train

    best = max((t for t in whole if t["state"] == "COMPLETE"), key=lambda t: t["value"])
    text = (output / "best.toml").read_text(encoding="utf-8")
    number = whole.index(best)
    assert text.startswith(
        f"# The best of 6 trials: trial {number}, validation F1 (default) {best['value']:.2f}\n"
    )
    # The same data, but with a test file that can be read.
    config = Config.from_file(output / "best.toml")
    run = train(config, data=tiny_data, output=tmp_path / "run", reporter=Reporter(quiet=True))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["valid"]["f1"] == best["value"]
    assert metrics["test"]["sentences"] == 8


def test_only_the_best_trials_weights_are_kept(whole, output):
    best = max((t for t in whole if t["state"] == "COMPLETE"), key=lambda t: t["value"])
    kept = [path.relative_to(output / "runs") for path in output.rglob("*.safetensors")]
    assert [str(path) for path in kept] == [f"trial-{whole.index(best)}/model.safetensors"]
    assert all((run / "metrics.json").is_file() for run in (output / "runs").iterdir())


def test_every_trial_is_a_line_of_the_table(whole, output):
    found = rows(output)
    assert [row["trial"] for row in found] == ["0", "1", "2", "3", "4", "5"]
    names = {"COMPLETE": "done", "PRUNED": "pruned"}
    for row, trial in zip(found, whole, strict=True):
        assert row["state"] == names[trial["state"]]
        assert float(row["valid_f1"]) == trial["value"]
        assert int(row["epochs"]) == len(trial["epochs"])
        assert float(row["train.learning_rate"]) == trial["params"]["train.learning_rate"]
        assert int(row["train.batch_size"]) == trial["params"]["train.batch_size"]
        assert float(row["seconds"]) > 0
        assert row["error"] == ""


def test_a_finished_study_runs_nothing_and_a_larger_one_goes_on(whole, output, base, tmp_path):
    shutil.copytree(output, tmp_path / "study")
    pool = HerePool()
    assert carry_out(tmp_path / "study", base, pool=pool) == whole
    assert pool.ran == []
    longer = carry_out(tmp_path / "study", base, trials=7, pool=pool)
    assert longer[:6] == whole
    assert len(longer) == 7
    assert pool.ran == ["trial-6"]


def test_a_study_killed_again_and_again_has_the_trials_of_an_unbroken_one(whole, base, tmp_path):
    pruned = next(i for i, t in enumerate(whole) if t["state"] == "PRUNED")
    at = whole[pruned]["attributes"]["pruned"]
    last = TRIALS - 1
    assert 1 < pruned < last
    kills = [
        ("trial-0", 1, "heard"),  # before there is any checkpoint
        ("trial-1", 2, "answered"),  # told, and to be done again
        (f"trial-{pruned}", at, "answered"),  # told to stop, and not yet stopped
        (f"trial-{last}", None, "ended"),  # finished, and not yet told
    ]
    folder = tmp_path / "study"
    for kill in kills:
        pool = HerePool(stop_at=kill)
        with pytest.raises(Killed):
            carry_out(folder, base, pool=pool)
        assert pool.ran[-1] == kill[0]
    pool = HerePool()
    assert carry_out(folder, base, pool=pool) == whole
    assert pool.ran == []
    # Trial 1 went on from its first epoch: its second is logged once.
    assert list(epochs_of(folder / "runs" / "trial-1")) == list(whole[1]["epochs"])
    assert [row["state"] for row in rows(folder)].count("under way") == 0


def test_a_trial_under_way_goes_on_from_its_checkpoint(base, tmp_path, capsys):
    with pytest.raises(Killed):
        carry_out(tmp_path / "study", base, 1, HerePool(stop_at=("trial-0", 3, "heard")))
    assert rows_state(tmp_path / "study", base) == ["RUNNING"]
    capsys.readouterr()
    (trial,) = carry_out(tmp_path / "study", base, 1)
    assert "Resuming after epoch 2" in capsys.readouterr().err
    assert trial["state"] == "COMPLETE"


def rows_state(output, base):
    with study_of(output, base) as tuner:
        return [trial.state.name for trial in tuner.study.trials()]


def test_a_trial_under_way_starts_again_where_its_data_have_moved(base, data, tmp_path, capsys):
    shutil.copytree(data, tmp_path / "old")
    old, new = (base.replaced({"data.path": str(tmp_path / name)}) for name in ("old", "new"))
    with pytest.raises(Killed):
        carry_out(tmp_path / "study", old, 1, HerePool(stop_at=("trial-0", 3, "heard")))
    (tmp_path / "old").rename(tmp_path / "new")
    (trial,) = carry_out(tmp_path / "study", new, 1)
    assert "Resuming" not in capsys.readouterr().err
    assert trial["state"] == "COMPLETE"
    assert list(epochs_of(tmp_path / "study" / "runs" / "trial-0")) == [1, 2, 3]


def test_a_failed_trial_is_told_and_the_study_goes_on(base, tmp_path):
    rates = Parameter("text_encoder.learning_rate", Choices((1e-3, 1e30)))
    with study_of(tmp_path / "study", base, parameters=(rates,)) as tuner:
        tuner.run(HerePool(), 4)
        trials, failures = tuner.study.trials(), tuner.failures
    failed = [t.number for t in trials if t.params["text_encoder.learning_rate"] == 1e30]
    assert 0 < len(failed) < 4
    assert [t.number for t in trials if t.state.name == "FAIL"] == failed
    assert list(failures) == failed
    for number in failed:
        assert "The losses are not finite at step" in failures[number]
        assert rows(tmp_path / "study")[number]["error"] == failures[number]
        assert not (tmp_path / "study" / "runs" / f"trial-{number}" / "last").exists()


def test_data_that_change_on_the_way_fail_the_trial(base, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    own = base.replaced({"data.path": str(tmp_path / "data")})
    with study_of(tmp_path / "study", own) as tuner:
        valid = tmp_path / "data" / "valid.jsonl"
        valid.write_text("".join(valid.read_text().splitlines(keepends=True)[:-1]))
        tuner.run(HerePool(), 1)
        assert tuner.failures == {
            0: "the run was made with other data than the study was begun with (valid); give "
            "another --output."
        }


PREPARED = """
import mmseq

class Late(mmseq.AuxTask):
    '''Waits for an epoch, and adds nothing.'''

    preparation = 1

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()

    def count(self, targets):
        return 1

    def forward(self, views, targets, emissions):
        return mmseq.AuxOutput(0.0 * views["fused"].sum())

@mmseq.hookimpl
def register_components(add):
    add.aux_task("late", "mmseq_late:Late")
"""


def test_epochs_of_a_preparation_phase_do_not_count(base, tmp_path, site):
    site.add("late", PREPARED)
    tables = base.tables()
    tables["aux"] = {"late": {"weight": 1.0}}
    (trial,) = carry_out(tmp_path / "study", Config(tables), trials=1)
    assert list(trial["epochs"]) == [2, 3]


def test_no_trial_begins_after_the_time_is_over(base, tmp_path):
    pool = HerePool()
    with study_of(tmp_path / "study", base) as tuner:
        tuner.run(pool, 3, minutes=1e-9)
        assert tuner.study.trials() == []
    assert pool.ran == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, "seed (2, now 1)"),
        ({"parameters": PARAMETERS[:1]}, "space.train.batch_size.low (2, now none), "),
        (
            {"parameters": (Parameter("train.learning_rate", Range(1e-4, 1.0, log=True)),)},
            "space.train.learning_rate.high (0.03, now 1.0), ",
        ),
        ({"method": replace(METHOD, sampler="random")}, "method.sampler (tpe, now random)"),
    ],
    ids=["seed", "parameter", "range", "sampler"],
)
def test_another_search_is_no_continuation(output, base, tmp_path, changes, told):
    shutil.copytree(output, tmp_path / "study")
    with pytest.raises(UserError) as caught, study_of(tmp_path / "study", base, **changes):
        pass
    begin = f"{tmp_path / 'study' / 'study.db'}: the study was begun with another {told}"
    assert str(caught.value).startswith(begin)
    assert str(caught.value).endswith("; give another --output.")


def test_another_base_config_is_no_continuation(output, base, tmp_path):
    shutil.copytree(output, tmp_path / "study")
    other = base.replaced({"train.epochs": 4})
    with pytest.raises(UserError, match=r"config\.train\.epochs \(3, now 4\)"):
        carry_out(tmp_path / "study", other)


def test_other_validation_data_are_no_continuation_and_another_place_is(
    output, base, tiny_data, tmp_path
):
    shutil.copytree(output, tmp_path / "study")
    shutil.copytree(tiny_data, tmp_path / "data")
    # The test file, too, is another than that of the study.
    moved = base.replaced({"data.path": str(tmp_path / "data")})
    pool = HerePool()
    carry_out(tmp_path / "study", moved, pool=pool)
    assert pool.ran == []
    with (tmp_path / "data" / "valid.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "x", "tokens": ["so"], "tags": ["O"], "images": []}\n')
    with pytest.raises(UserError, match=r"data\.valid\.sha256 \("):
        carry_out(tmp_path / "study", moved)


def test_another_version_is_no_continuation(output, base, tmp_path, monkeypatch):
    shutil.copytree(output, tmp_path / "study")
    monkeypatch.setattr("mmseq.runs.folder.LIBRARIES", ("torch", "click"))
    with pytest.raises(UserError, match=r"versions\.transformers \(.*none"):
        carry_out(tmp_path / "study", base)


def test_a_study_is_one_process_s_alone(base, tmp_path):
    with (
        study_of(tmp_path / "study", base),
        pytest.raises(UserError, match="another process"),
        study_of(tmp_path / "study", base),
    ):
        pass


def test_a_folder_with_other_things_is_left_alone(base, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="empty.*--output"):
        carry_out(tmp_path / "study", base)
    (tmp_path / "study" / "study.db").write_text("no database")
    with pytest.raises(UserError, match=r"study\.db: .*--output"):
        carry_out(tmp_path / "study", base)


SPACE = """
trials = 2
config = "base.toml"
sampler = "random"
pruner = "none"
[space]
train.learning_rate = {{ low = 1e-4, high = 3e-2, log = true }}
train.epochs = [{epochs}]
"""


@pytest.fixture
def space_file(base, tmp_path):
    base.replaced({"train.epochs": "auto"}).save(tmp_path / "base.toml")
    path = tmp_path / "space.toml"
    path.write_text(SPACE.format(epochs=2), encoding="utf-8")
    return path


def test_the_command_prints_what_it_found(space_file, tmp_path, run_cli, monkeypatch):
    monkeypatch.setattr("mmseq.jobs.local.LocalPool", lambda jobs, threads: HerePool())
    done = run_cli("tune", space_file, "--output", tmp_path / "out", "--trials", 1)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == f"1 trial in {tmp_path / 'out'}: 0 done already, 0 under way, 1 to begin."
    assert lines[1].startswith("[1/1] trial-0: valid F1 (default) ")
    (row,) = rows(tmp_path / "out")
    score = f"{float(row['valid_f1']):.2f}"
    assert lines[-2].startswith(f"Best: trial 0, validation F1 (default) {score}, ")
    assert f"1 trial: 1 done ({tmp_path / 'out' / 'trials.csv'})." in lines
    assert lines[-1] == f"  mmseq train --config {tmp_path / 'out' / 'best.toml'}"


def test_the_command_fails_where_every_trial_does(space_file, tmp_path, run_cli, monkeypatch):
    monkeypatch.setattr("mmseq.jobs.local.LocalPool", lambda jobs, threads: HerePool())
    done = run_cli(
        *("tune", space_file, "--output", tmp_path / "out", "--quiet"),
        *("--set", "text_encoder.learning_rate=1e30"),
    )
    assert done.code == 1
    assert done.out == ""
    told = [line for line in done.err.splitlines() if line.startswith("FAILED: trial ")]
    assert len(told) == 2
    assert "The losses are not finite" in told[0]
    assert done.err.splitlines()[-1] == "2 trials: 2 failed; no trial was completed."
    assert not (tmp_path / "out" / "best.toml").exists()


TUNE = """
import sys, warm
from mmseq.__main__ import main
from mmseq.jobs import local

local.start_worker = warm.start_worker
main(["tune", *sys.argv[1:]])
"""
"""`mmseq tune`, whose workers are forked too"""


def started(environment, *arguments):
    return warm.Process("-c", TUNE, *arguments, stderr=subprocess.PIPE, env=environment)


@pytest.mark.process
def test_kill_9_and_ctrl_c_on_the_command_lose_nothing(space_file, base, site, tmp_path):
    """Two trials at a time, met in the second epoch of six steps, and in the third."""
    site.add_kept("held")
    tables = base.tables()
    tables["callbacks"]["held"] = {}
    tables["train"]["epochs"] = "auto"
    Config(tables).save(tmp_path / "base.toml")
    space_file.write_text(SPACE.format(epochs=3), encoding="utf-8")
    out = tmp_path / "out"
    command = (space_file, "--output", out, "--jobs", 2, "--threads", 1)

    gate = Gate(tmp_path / "first", 8, site.folder)
    with started(gate.environment, *command) as process:
        gate.wait(runs=2)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(timeout=600) == 1
    assert told.splitlines()[-1].startswith("Stopped; everything is kept.")

    gate = Gate(tmp_path / "second", 14, site.folder)
    with started(gate.environment, *command) as process:
        gate.wait(runs=2)
        process.kill()
        process.wait(timeout=600)
    assert [len(epochs_of(out / "runs" / f"trial-{number}")) for number in (0, 1)] == [2, 2]

    with started({**gate.environment, "HELD": ""}, *command) as process:
        told = process.stderr.read()
        assert process.wait(timeout=600) == 0, told
    for number in (0, 1):
        log = (out / "logs" / f"trial-{number}.txt").read_text(encoding="utf-8")
        assert log.count("Resuming after epoch") == 2
    parameters = (
        Parameter("train.learning_rate", Range(1e-4, 3e-2, log=True)),
        Parameter("train.epochs", Choices((3,))),
    )
    method = Method(sampler="random", pruner="none")
    whole = carry_out(
        tmp_path / "whole", Config(tables), 2, parameters=parameters, method=method, seed=1
    )
    found = rows(out)
    assert [(row["state"], float(row["valid_f1"])) for row in found] == [
        ("done", trial["value"]) for trial in whole
    ]
    assert [float(row["train.learning_rate"]) for row in found] == [
        trial["params"]["train.learning_rate"] for trial in whole
    ]
