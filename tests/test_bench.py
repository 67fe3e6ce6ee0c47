"""Carrying a plan out: what is done is left, what fails is told, and what is killed goes on."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
from dataclasses import replace

import pytest
import warm
from gate import Gate

from mmseq import UserError
from mmseq.bench.bench import Bench, Pace
from mmseq.bench.experiment import experiments
from mmseq.bench.plan import Problems, read_plan
from mmseq.bench.results import read
from mmseq.console import Reporter
from mmseq.jobs.job import Event, Job, Outcome
from mmseq.jobs.local import LocalPool, Worker, divided_threads
from mmseq.jobs.work import work

CONFIG = """
[text_encoder]
model = "{encoder}"
[fusion]
name = "none"
[train]
batch_size = 4
device = "cpu"
learning_rate = {rate}
"""
PLAN = """
data = ["{data}"]
seeds = "1-2"
[set]
"train.epochs" = 3
[[systems]]
name = "steady"
config = "steady.toml"
[[systems]]
name = "hasty"
config = "hasty.toml"
"""


def write_plan(folder, encoder, data):
    shutil.copytree(data, folder / "tiny")
    for name, rate in (("steady", 1e-3), ("hasty", 1e-2)):
        text = CONFIG.format(encoder=encoder, rate=rate)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    path = folder / "plan.toml"
    path.write_text(PLAN.format(data="tiny"), encoding="utf-8")
    return path


@pytest.fixture
def plan(tmp_path, tiny_encoder, tiny_data):
    """A plan file: two text-only systems, two seeds; 6 steps in each of 3 epochs."""
    return write_plan(tmp_path, tiny_encoder, tiny_data)


class HerePool:
    """Runs jobs in this process, one after the other; `stop_at`: raise there, as a kill would."""

    threads = 1

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.ran = []

    def run(self, jobs, listen):
        for job in jobs:
            self.ran.append(job.name)

            def tell(record, job=job):
                if self.stop_at == (len(self.ran), record["kind"], record["epoch"]):
                    raise SystemExit("killed")
                return listen(job, Event(**record))

            yield job, Outcome(*work(job.config, job.folder, 1, tell), seconds=1.0)


def bench_of(plan, output, keep="best", **changes):
    problems = Problems()
    wanted = experiments(replace(read_plan(plan, problems), **changes), problems)
    assert problems.lines == []
    bench = Bench(wanted, output, keep=keep, reporter=Reporter(quiet=True))
    bench.read_done()
    return bench


def figures(results):
    """What must not depend on how the runs came about."""
    return [
        (r.key, r.system, r.data, r.seed, r.scores, r.counts, r.curve, r.best_epoch, r.parameters)
        for r in results
    ]


@pytest.fixture(scope="module")
def carried_out(tiny_encoder, tiny_data, tmp_path_factory):
    """The folder of the plan carried out without a break, and its results."""
    folder = tmp_path_factory.mktemp("bench")
    plan = write_plan(folder, tiny_encoder, tiny_data)
    report = bench_of(plan, folder / "whole").run(HerePool())
    assert report.failures == []
    return folder / "whole", report.results


@pytest.fixture
def done(carried_out, tmp_path):
    """Those results, and a copy of that folder in `whole`."""
    folder, results = carried_out
    shutil.copytree(folder, tmp_path / "whole")
    return results


def test_a_result_says_what_the_run_folder_says(done, plan, tmp_path):
    assert [(r.system, r.seed) for r in done] == [
        ("steady", 1), ("steady", 2), ("hasty", 1), ("hasty", 2),
    ]  # fmt: skip
    for result in done:
        (folder,) = (tmp_path / "whole" / "runs").glob(f"*-{result.key[:10]}")
        metrics = json.loads((folder / "metrics.json").read_text())
        assert result.scores == {"valid": metrics["valid"], "test": metrics["test"]}
        assert result.splits == metrics["data"]
        assert result.best_epoch == metrics["best_epoch"]
        # Two ways to the same score: seqeval's, and the counts of each sentence.
        assert result.counts_of("test").f1 == pytest.approx(metrics["test"]["f1"])
        assert len(result.counts_of("test")) == 8
        assert [e["epoch"] for e in result.curve] == [1, 2, 3]
        best = max(e["valid_f1"] for e in result.curve)
        assert best == metrics["valid"]["f1"]
        parts = {k: v for k, v in result.seconds.items() if k != "all"}
        assert result.seconds["all"] == pytest.approx(sum(parts.values()))
    assert read([tmp_path / "whole"]).results == done


def test_what_is_done_is_left_and_what_is_new_is_run(plan, tmp_path, done):
    pool = HerePool()
    report = bench_of(plan, tmp_path / "whole", seeds=(1, 2, 3)).run(pool)
    assert [name.split("-tiny-")[1][:6] for name in pool.ran] == ["seed-3", "seed-3"]
    assert [r for r in report.results if r.seed < 3] == done
    assert len(read([tmp_path / "whole"]).results) == 6


def test_results_count_wherever_they_were_made(plan, tmp_path, done):
    """Only the file, in another folder, for data that have moved."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(tmp_path / "whole" / "results.jsonl", tmp_path / "elsewhere")
    (tmp_path / "tiny").rename(tmp_path / "moved")
    text = plan.read_text().replace('"tiny"', '{path = "moved", name = "tiny"}')
    plan.write_text(text, encoding="utf-8")
    pool = HerePool()
    assert bench_of(plan, tmp_path / "elsewhere").run(pool).results == done
    assert pool.ran == []


def test_what_another_plan_has_run_stands_under_this_plans_names(plan, tmp_path, done):
    text = plan.read_text().replace('"steady"', '"calm"')
    text = text.replace('"tiny"', '{path = "tiny", name = "tweets"}')
    plan.write_text(text, encoding="utf-8")
    pool = HerePool()
    report = bench_of(plan, tmp_path / "whole").run(pool)
    assert pool.ran == []
    assert [(r.system, r.data) for r in report.results] == [
        ("calm", "tweets"), ("calm", "tweets"), ("hasty", "tweets"), ("hasty", "tweets"),
    ]  # fmt: skip
    assert [r.scores for r in report.results] == [r.scores for r in done]


def test_changed_data_are_noticed_run_again_and_never_mixed(plan, tmp_path, done):
    file = tmp_path / "tiny" / "test.jsonl"
    file.write_text(file.read_text().replace("friends", "foes"), encoding="utf-8")
    bench = bench_of(plan, tmp_path / "whole")
    assert len(bench.missing()) == 4
    report = bench.run(HerePool())
    assert {r.key for r in report.results}.isdisjoint({r.key for r in done})
    assert {r.splits["test"]["sha256"] for r in report.results}.isdisjoint(
        {r.splits["test"]["sha256"] for r in done}
    )
    assert len(read([tmp_path / "whole"]).results) == 8


def test_data_that_change_under_way_are_refused_not_recorded(plan, tmp_path):
    bench = bench_of(plan, tmp_path / "out", seeds=(1,))
    file = tmp_path / "tiny" / "test.jsonl"
    file.write_text(file.read_text().replace("friends", "foes"), encoding="utf-8")
    report = bench.run(HerePool())
    assert report.results == []
    assert len(report.failures) == 2
    assert all("other data" in reason and "(test)" in reason for _, reason in report.failures)
    assert not any((tmp_path / "out" / "runs").iterdir())


@pytest.mark.parametrize("kill", [(1, "epoch", 1), (2, "epoch", 3), (4, "epoch", 2)])
def test_a_killed_plan_goes_on_to_the_same_figures(plan, tmp_path, done, kill):
    output = tmp_path / "broken"
    with pytest.raises(SystemExit):
        bench_of(plan, output).run(HerePool(stop_at=kill))
    pool = HerePool()
    report = bench_of(plan, output).run(pool)
    assert figures(report.results) == figures(done)
    assert len(pool.ran) == 4 - (kill[0] - 1)
    assert len((output / "results.jsonl").read_text().splitlines()) == 4


def test_a_run_killed_while_its_config_was_written_starts_anew(plan, tmp_path, done):
    bench = bench_of(plan, tmp_path / "out", seeds=(1,))
    folder = bench.folder(bench.wanted[0])
    folder.mkdir(parents=True)
    (folder / "config.toml").touch()
    report = bench.run(HerePool())
    assert report.failures == []
    assert figures(report.results) == figures([r for r in done if r.seed == 1])


def test_two_benches_do_not_share_a_folder(plan, tmp_path):
    class Meanwhile:
        threads = 1

        def run(self, jobs, listen):
            with pytest.raises(UserError, match=f"^{tmp_path / 'out'}: another bench .*--output"):
                bench_of(plan, tmp_path / "out").run(HerePool())
            yield from ()

    bench_of(plan, tmp_path / "out").run(Meanwhile())


def test_a_run_killed_between_its_end_and_the_record_is_not_run_again(plan, tmp_path, done):
    lines = (tmp_path / "whole" / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "whole" / "results.jsonl").write_text("".join(lines[:-1]) + lines[-1][:50])
    pool = HerePool()
    report = bench_of(plan, tmp_path / "whole").run(pool)
    assert pool.ran == []
    assert figures(report.results) == figures(done)


def as_before(bench, output):
    """Make what is in `output` what a bench wrote when keys were made of the whole config."""
    names = {e.name: e.first_name for e in bench.wanted}
    keys = {e.key: e.first_key for e in bench.wanted}
    assert not set(names.values()) & set(names)
    for kind, ending in (("runs", ""), ("logs", ".txt")):
        for name, first in names.items():
            if (output / kind / f"{name}{ending}").exists():
                (output / kind / f"{name}{ending}").rename(output / kind / f"{first}{ending}")
    records = [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]
    for record in records:
        assert record.pop("contents")
        record["key"] = keys[record["key"]]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (output / "results.jsonl").write_text(lines)


def test_a_bench_begun_before_goes_on(plan, tmp_path, done):
    """Finished runs are not run again, whatever their key was made of, and the third goes on."""
    output = tmp_path / "broken"
    with pytest.raises(SystemExit):
        bench_of(plan, output).run(HerePool(stop_at=(3, "epoch", 2)))
    as_before(bench_of(plan, output), output)
    told = []

    class Hearing(HerePool):
        def run(self, jobs, listen):
            return super().run(jobs, lambda job, event: told.append(event) or listen(job, event))

    pool = Hearing()
    report = bench_of(plan, output).run(pool)
    assert figures(report.results) == figures(done)
    assert len(pool.ran) == 2
    # The run that was killed in its second epoch has its first one behind it.
    assert next(event.epoch for event in told if event.kind == "epoch") == 2
    assert len((output / "results.jsonl").read_text().splitlines()) == 4
    assert len(list((output / "runs").iterdir())) == 4


def test_a_result_of_before_is_not_taken_for_one_with_another_encoder(
    plan, tmp_path, tiny_encoder, done
):
    own = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    for name in ("steady", "hasty"):
        text = (tmp_path / f"{name}.toml").read_text().replace(str(tiny_encoder), str(own))
        (tmp_path / f"{name}.toml").write_text(text)
    output = tmp_path / "whole"
    assert bench_of(plan, output).missing() == []
    as_before(bench_of(plan, output), output)
    lines = (output / "results.jsonl").read_text().replace(str(tiny_encoder), str(own))
    (output / "results.jsonl").write_text(lines)
    assert bench_of(plan, output).missing() == []
    settings = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps({**settings, "hidden_dropout_prob": 0.5}))
    assert len(bench_of(plan, output).missing()) == 4


def test_a_failing_system_does_not_stop_the_others(plan, tmp_path):
    text = (tmp_path / "steady.toml").read_text().replace("0.001", "1e30")
    (tmp_path / "steady.toml").write_text(text, encoding="utf-8")
    report = bench_of(plan, tmp_path / "out").run(HerePool())
    assert [(r.system, r.seed) for r in report.results] == [("hasty", 1), ("hasty", 2)]
    assert [e.row for e, _ in report.failures] == ["steady", "steady"]
    assert all("losses are not finite" in reason for _, reason in report.failures)


@pytest.mark.parametrize("keep", ["best", "none", "all"])
def test_weights_are_kept_as_asked(plan, tmp_path, keep):
    report = bench_of(plan, tmp_path / "out", keep=keep).run(HerePool())
    kept = {p.parent.name[-10:] for p in (tmp_path / "out" / "runs").glob("*/model.safetensors")}
    expected = {r.key[:10] for r in report.results}
    if keep == "none":
        expected = set()
    elif keep == "best":
        expected = {
            max(
                (r for r in report.results if r.system == name),
                key=lambda r: r.scores["valid"]["f1"],
            ).key[:10]
            for name in ("steady", "hasty")
        }
    assert kept == expected
    # Predictions always stay.
    assert len(list((tmp_path / "out" / "runs").glob("*/predictions/test.jsonl"))) == 4


def test_the_time_left_is_told_from_the_steps_of_this_call():
    pace = Pace()
    assert pace.left(10.0, 5) is None
    pace.hear("new", 1)
    pace.hear("new", 3)
    # Goes on at step 40: one step was taken here, not forty.
    pace.hear("resumed", 40)
    pace.hear("resumed", 42)
    # 3 + 3 steps in 12 seconds; 10 more.
    assert pace.left(12.0, 10) == pytest.approx(20.0)


def test_the_machines_cores_are_shared_out():
    cores = len(os.sched_getaffinity(0))
    assert divided_threads(1) == cores
    assert divided_threads(cores) == 1
    assert divided_threads(3 * cores) == 1
    assert LocalPool(cores).threads == 1
    assert LocalPool(2, threads=5).threads == 5


@pytest.mark.process
def test_processes_give_the_same_figures_as_one_process(plan, tmp_path, done):
    """Two workers at a time, each a new Python as for users."""
    report = bench_of(plan, tmp_path / "jobs", seeds=(1,)).run(LocalPool(2, threads=1))
    assert report.failures == []
    assert figures(report.results) == figures([r for r in done if r.seed == 1])


@pytest.mark.process
def test_a_worker_killed_before_it_hears_an_answer_fails_alone(tmp_path):
    """As by the kernel, out of memory, while the answer to an epoch's event is on its way."""
    events = queue.Queue()
    worker = Worker(Job("run", {}, tmp_path / "run", tmp_path / "log.txt"), 1, events)
    worker.kill()
    assert events.get(timeout=60) == (worker, {"kind": "ended", "code": -signal.SIGKILL})
    worker.send("go on")
    outcome = worker.outcome(None, -signal.SIGKILL)
    assert outcome.status == "failed"
    assert re.search(f"signal 9.*{tmp_path / 'log.txt'}", outcome.error)


BENCH = """
import sys, warm
from mmseq.__main__ import main
from mmseq.jobs import local

local.start_worker = warm.start_worker
main(["bench", *sys.argv[1:]])
"""
"""`mmseq bench`, whose workers are forked too"""


def started(plan, output, environment):
    return warm.Process(
        *("-c", BENCH, plan, "--output", output, "--threads", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )


@pytest.mark.process
def test_kill_9_and_ctrl_c_on_the_command_lose_nothing(plan, site, tmp_path):
    """One system, one seed; met in the second epoch of six steps, and in the third."""
    site.add_kept("held")
    text = plan.read_text().partition('[[systems]]\nname = "hasty"')[0].replace('"1-2"', "1")
    plan.write_text(text, encoding="utf-8")
    config = tmp_path / "steady.toml"
    config.write_text(config.read_text() + "[callbacks.held]\n", encoding="utf-8")
    whole = bench_of(plan, tmp_path / "whole").run(HerePool()).results
    output = tmp_path / "out"

    gate = Gate(tmp_path / "first", 8, site.folder)
    with started(plan, output, gate.environment) as process:
        gate.wait()
        process.kill()
        process.wait(timeout=600)
    assert not (output / "results.jsonl").exists()

    # The worker has ended too: the run's lock is free.
    gate = Gate(tmp_path / "second", 14, site.folder)
    with started(plan, output, gate.environment) as process:
        gate.wait()
        process.send_signal(signal.SIGINT)
        told = process.stdout.read()
        assert process.wait(timeout=600) == 1
    assert "Stopped; everything is kept." in told
    assert not (output / "results.jsonl").exists()

    with started(plan, output, {**gate.environment, "HELD": ""}) as process:
        told = process.stdout.read()
        assert process.wait(timeout=600) == 0, told
    logs = "".join(p.read_text() for p in (output / "logs").glob("*.txt"))
    assert logs.count("Resuming after epoch") == 2
    assert figures(read([output]).results) == figures(whole)
