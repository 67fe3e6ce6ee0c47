"""Carrying a plan out: what is done is left, what fails is told, and what is killed goes on."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

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


@pytest.fixture
def plan(tmp_path, tiny_encoder, tiny_data):
    """A plan file: two text-only systems, two seeds; 6 steps in each of 3 epochs."""
    shutil.copytree(tiny_data, tmp_path / "tiny")
    for name, rate in (("steady", 1e-3), ("hasty", 1e-2)):
        text = CONFIG.format(encoder=tiny_encoder, rate=rate)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(data="tiny"), encoding="utf-8")
    return path


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


@pytest.fixture
def done(plan, tmp_path):
    """The plan carried out without a break."""
    report = bench_of(plan, tmp_path / "whole").run(HerePool())
    assert report.failures == []
    return report.results


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
    assert [reason for _, reason in report.failures] == [
        "the run was made with other data than the plan was begun with (test); start the bench "
        "again."
    ] * 2
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
            with pytest.raises(UserError) as caught:
                bench_of(plan, tmp_path / "out").run(HerePool())
            assert str(caught.value) == (
                f"{tmp_path / 'out'}: another bench is under way there; give another --output."
            )
            yield from ()

    bench_of(plan, tmp_path / "out").run(Meanwhile())


def test_a_run_killed_between_its_end_and_the_record_is_not_run_again(plan, tmp_path, done):
    lines = (tmp_path / "whole" / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "whole" / "results.jsonl").write_text("".join(lines[:-1]) + lines[-1][:50])
    pool = HerePool()
    report = bench_of(plan, tmp_path / "whole").run(pool)
    assert pool.ran == []
    assert figures(report.results) == figures(done)


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


def test_processes_give_the_same_figures_as_one_process(plan, tmp_path, done):
    report = bench_of(plan, tmp_path / "jobs").run(LocalPool(2, threads=1))
    assert report.failures == []
    assert figures(report.results) == figures(done)


def test_a_worker_killed_before_it_hears_an_answer_fails_alone(tmp_path):
    """As by the kernel, out of memory, while the answer to an epoch's event is on its way."""
    events = queue.Queue()
    worker = Worker(Job("run", {}, tmp_path / "run", tmp_path / "log.txt"), 1, events)
    worker.kill()
    assert events.get(timeout=60) == (worker, {"kind": "ended", "code": -signal.SIGKILL})
    worker.send("go on")
    outcome = worker.outcome(None, -signal.SIGKILL)
    assert outcome.status == "failed"
    assert outcome.error == f"its process ended with signal 9; see {tmp_path / 'log.txt'}"


COMMAND = [sys.executable, "-m", "mmseq", "bench"]


def started(plan, output, *arguments):
    return subprocess.Popen(
        [*COMMAND, str(plan), "--output", str(output), "--threads", "1", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def epochs_logged(output):
    return sum(
        text.count('"kind": "epoch"')
        for text in (p.read_text() for p in (output / "runs").glob("*/history.jsonl"))
    )


def test_kill_9_and_ctrl_c_on_the_command_lose_nothing(plan, tmp_path):
    """Long enough to be met under way: 40 epochs, one seed."""
    text = plan.read_text().replace("= 3", "= 40").replace('"1-2"', "1")
    plan.write_text(text, encoding="utf-8")
    whole = bench_of(plan, tmp_path / "whole").run(HerePool()).results
    output = tmp_path / "out"

    process = started(plan, output)
    wait_for(lambda: epochs_logged(output) >= 3)
    process.kill()
    process.communicate()
    # The worker must end too: the run's lock is free then.
    first = epochs_logged(output)
    assert first < 40
    assert not (output / "results.jsonl").exists()

    process = started(plan, output)
    wait_for(lambda: epochs_logged(output) >= first + 3)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Stopped; everything is kept. The same command goes on where it stopped." in told

    process = started(plan, output)
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert "Resuming after epoch" in "".join(p.read_text() for p in (output / "logs").glob("*.txt"))
    assert figures(read([output]).results) == figures(whole)
