"""What the trackers log is read back with their own libraries, and held to the run's own files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

import pytest
import warm

import mmseq
from mmseq.builtins.callbacks import tracker
from mmseq.builtins.callbacks.mlflow import MLflow
from mmseq.builtins.callbacks.tracker import flat
from mmseq.builtins.callbacks.wandb import Wandb
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.training.loop import Trainer

NEEDED = ("tensorboard", "wandb", "mlflow", "sqlalchemy", "alembic")
if not all(map(find_spec, NEEDED)):
    pytest.skip("pip install 'mmseq[tensorboard,wandb,mlflow]'", allow_module_level=True)

TRACKERS = ("tensorboard", "wandb", "mlflow")

# mlflow's tables use an option of sqlalchemy that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture(scope="module")
def config(tiny_encoder, tiny_data):
    """A text-only run with a task: 3 epochs of 6 steps, a line of history every 2 steps."""

    def make(names=TRACKERS, **settings):
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
            },
            aux=["boundary"],
            settings={
                "aux.boundary.heads": 4,
                "data.path": str(tiny_data),
                "train.device": "cpu",
                "train.epochs": 3,
                "train.batch_size": 4,
                "callbacks.history.steps": 2,
                "callbacks.conflict.steps": 4,
                **{f"callbacks.{name}.steps": 2 for name in names},
                **settings,
            },
        )

    return make


def run_of(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


@pytest.fixture(scope="module")
def logged(config, tmp_path_factory):
    """A finished run that all three trackers logged."""
    folder = tmp_path_factory.mktemp("logged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_of(config(), folder / "run")


def read_tensorboard(run, place="tensorboard"):
    """Config, and (step, value) of each name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(str(run / place), size_guidance={"scalars": 0}).Reload()
    content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    config = {name: getattr(v, v.WhichOneof("kind")) for name, v in hparams.items()}
    tags = events.Tags()["scalars"]
    return config, {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}


def read_wandb(run, place="wandb"):
    files = list((run / place).glob("offline-run-*/run-*.wandb"))
    assert len(files) == 1
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", files[0], "--json"],
        env={**os.environ, "WANDB_MODE": "offline"},
        capture_output=True,
        check=True,
    )
    config, scalars = {}, {}
    for record in map(json.loads, done.stdout.splitlines()):
        if record["type"] == "config":
            config |= record["config"]["update"]
        if record["type"] == "history":
            for name, value in record["history"]["item"].items():
                if not name.startswith("_"):
                    step = record["history"]["step"]["num"]
                    scalars.setdefault(name, []).append((step, value))
    return config, scalars


def mlflow_run(run, place="mlflow"):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run / place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mmseq")
    (found,) = client.search_runs([experiment.experiment_id])
    return client, found


def read_mlflow(run, place="mlflow"):
    client, found = mlflow_run(run, place)
    names = {
        name: client.get_metric_history(found.info.run_id, name) for name in found.data.metrics
    }
    return found.data.params, {
        name: sorted((point.step, point.value) for point in points)
        for name, points in names.items()
    }


READ = {"tensorboard": read_tensorboard, "wandb": read_wandb, "mlflow": read_mlflow}


def records(run, name="history"):
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]


def paths(tree, before=()):
    """Every number of a nested table with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from paths(value, (*before, key))
        elif not isinstance(value, str | list):
            yield "/".join((*before, key)), value


def expected(run):
    """(step, value) of each name, by the run's own files."""
    points = {}
    parts = ("losses", "weights", "learning_rates", "gradient_norm")
    cosines = {r["step"]: r["cosines"] for r in records(run, "conflict")}
    for record in records(run):
        if record["kind"] == "step":
            values = {part: record[part] for part in parts}
            values["cosines"] = cosines.get(record["step"], {})
        else:
            values = {"epoch": record["epoch"], "valid": record["valid"]}
            values["epoch_losses"] = record["losses"]
        for name, value in paths(values):
            points.setdefault(name, []).append((record["step"], value))
    metrics = json.loads((run / "metrics.json").read_text())
    timing = json.loads((run / "timing.json").read_text())
    values = {"best_valid": metrics["valid"], "seconds": timing["seconds"]}
    values |= {part: metrics[part] for part in ("test", "best_epoch", "parameters")}
    for name, value in paths(values):
        points[name] = [(18, value)]
    return points


def close_to(points):
    """TensorBoard keeps 32 bits of a number."""
    return {
        name: [(step, pytest.approx(v, rel=1e-6)) for step, v in points[name]] for name in points
    }


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_has_the_numbers_of_the_runs_own_files(logged, name):
    _, points = READ[name](logged)
    assert points == close_to(expected(logged))
    assert [step for step, _ in points["losses/boundary"]] == list(range(2, 19, 2))
    assert [step for step, _ in points["cosines/boundary"]] == [4, 8, 12, 16]
    assert [step for step, _ in points["valid/strict/f1"]] == [6, 12, 18]
    assert points["epoch"] == [(6, 1), (12, 2), (18, 3)]
    assert {"learning_rates/head", "valid/per_type/PER/f1", "test/f1", "seconds/training"} <= set(
        points
    )


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_has_the_whole_config(logged, name):
    config, _ = READ[name](logged)
    with (logged / "config.toml").open("rb") as file:
        tables = tomllib.load(file)
    assert {key for key in config if key != "_wandb"} == set(flat(tables, "."))
    text = {key: str(value) for key, value in config.items()}
    assert text["text_encoder.name"] == "transformer"
    assert float(text["aux.boundary.heads"]) == 4
    assert float(text["train.epochs"]) == 3
    assert float(text["text_encoder.learning_rate"]) == tables["text_encoder"]["learning_rate"]
    assert text["data.splits"] == '["train", "valid", "test"]'


def test_nested_tables_become_one_with_lists_as_json_and_without_none():
    tree = {"a": {"b": {"c": 1.5}, "d": [1, "x"]}, "e": None, "f": {}, "g": "text"}
    assert flat(tree, "/") == {"a/b/c": 1.5, "a/d": '[1, "x"]', "g": "text"}


def test_trackers_change_nothing_in_the_training(config, logged, tmp_path):
    plain = run_of(config(()), tmp_path / "plain")
    for name in ("history.jsonl", "conflict.jsonl", "model.safetensors"):
        assert (plain / name).read_bytes() == (logged / name).read_bytes(), name
    one, two = (json.loads((run / "metrics.json").read_text()) for run in (plain, logged))
    assert one == two


def test_all_lies_in_the_run_folder_and_survives_a_move(logged, tmp_path):
    assert {p.name for p in logged.parent.iterdir()} == {"run"}
    assert not [path for path in logged.rglob("*") if path.is_symlink()]
    # How pickles of protocol 2 and above begin, and the zip files that torch keeps them in.
    binary = [path for name in TRACKERS for path in (logged / name).rglob("*") if path.is_file()]
    assert len(binary) >= 3
    assert not [path for path in binary if path.read_bytes().startswith((b"\x80", b"PK"))]
    assert not (logged / "wandb.jsonl").exists()
    copy = tmp_path / "elsewhere"
    shutil.copytree(logged, copy)
    for read in READ.values():
        assert read(copy) == read(logged)
    assert mmseq.load(copy).predict([["Anna", "in", "Oslo"]])


@pytest.mark.process
def test_a_killed_run_goes_on_in_its_trackers_with_every_step_once(config, logged, tmp_path):
    """Kill -9 at step 11, when the last checkpoint is that of step 8."""
    config(**{"train.checkpoint_steps": 4}).save(tmp_path / "config.toml")
    run = tmp_path / "run"
    program = f"""
import os, signal, mmseq
from mmseq.training import loop as training
from mmseq.console import Reporter
step = training.Trainer._train_step
def killed(self, group):
    step(self, group)
    if self.progress.step == 11:
        os.kill(os.getpid(), signal.SIGKILL)
training.Trainer._train_step = killed
config = mmseq.Config.from_file(r"{tmp_path / "config.toml"}")
mmseq.train(config, output=r"{run}", reporter=Reporter(quiet=True))
"""
    # Without the service of this process, which would outlive the killed one.
    env = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    done = warm.run("-c", program, env=env)
    assert done.returncode == -signal.SIGKILL, done.stderr
    first = mlflow_run(run)[1].info.run_id
    mmseq.train(output=run, resume=True, reporter=Reporter(quiet=True))
    assert (run / "history.jsonl").read_bytes() == (logged / "history.jsonl").read_bytes()
    for name in TRACKERS:
        assert READ[name](run)[1] == close_to(expected(run)), name
    assert mlflow_run(run)[1].info.run_id == first


class Stop(Exception):
    """What breaks a run off."""


@pytest.mark.parametrize("stop_at", [5, 8], ids=["before the first checkpoint", "after it"])
def test_a_run_broken_off_by_an_error_is_closed_and_goes_on(config, tmp_path, monkeypatch, stop_at):
    place = tmp_path / "all runs, 100% of them?"
    settings = {f"callbacks.{name}.folder": str(place) for name in TRACKERS}
    step = Trainer._train_step

    def broken(self, group):
        step(self, group)
        if self.progress.step == stop_at:
            raise Stop

    monkeypatch.setattr(Trainer, "_train_step", broken)
    run = tmp_path / "run"
    with pytest.raises(Stop):
        run_of(config(**settings), run)
    client, found = mlflow_at(place)
    assert found.info.status == "KILLED"
    monkeypatch.undo()
    mmseq.train(output=run, resume=True, reporter=Reporter(quiet=True))
    client, again = mlflow_at(place)
    assert (again.info.status, again.info.run_name) == ("FINISHED", "run")
    assert again.info.run_id == found.info.run_id
    points = close_to(expected(run))
    history = client.get_metric_history(found.info.run_id, "losses/main")
    assert sorted((p.step, p.value) for p in history) == points["losses/main"]
    assert read_tensorboard(place, "run")[1] == points
    assert read_wandb(place)[1] == points
    assert not [p for p in run.iterdir() if p.name in ("tensorboard", "wandb", "wandb.jsonl")]


def mlflow_at(place):
    from mlflow import MlflowClient

    path = str(place / "mlflow.db").replace("%", "%25").replace("?", "%3F")
    client = MlflowClient(f"sqlite:///{path}")
    (found,) = client.search_runs([client.get_experiment_by_name("mmseq").experiment_id])
    return client, found


def test_mlflow_leaves_the_process_its_own_place(config, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow.set_tracking_uri(None)
    run_of(config(["mlflow"], **{"train.epochs": 1}), tmp_path / "run")
    assert not mlflow.is_tracking_uri_set()
    own = f"sqlite:///{tmp_path / 'own.db'}"
    mlflow.set_tracking_uri(own)
    run_of(config(["mlflow"], **{"train.epochs": 1}), tmp_path / "other")
    assert mlflow.get_tracking_uri() == own
    mlflow.set_tracking_uri(None)
    assert not (tmp_path / "own.db").exists()


def test_no_line_goes_into_a_run_that_the_process_has_open(config, tmp_path):
    import mlflow
    import wandb

    settings = wandb.Settings(console="off", silent=True, symlink=False)
    with (
        wandb.init(name="own", mode="offline", dir=str(tmp_path), settings=settings),
        pytest.raises(mmseq.UserError, match="'wandb': .*run own"),
    ):
        run_of(config(["wandb"]), tmp_path / "one")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'own.db'}")
    with mlflow.start_run(), pytest.raises(mmseq.UserError, match="'mlflow': .*active"):
        run_of(config(["mlflow"]), tmp_path / "two")
    mlflow.set_tracking_uri(None)


def test_types_of_any_name_are_logged(tmp_path):
    callback = MLflow(folder=str(tmp_path))
    (tmp_path / "config.toml").write_text('[data.map]\n"A+B" = "MISC"\n')
    callback.on_start(tmp_path, 0)
    valid = {"per_type": {"P&L": {"f1": 50.0}, "人名": {"f1": 25.0}}}
    callback.on_epoch(mmseq.EpochEvent(1, 6, False, {"main": 0.5}, valid, 1))
    callback.close()
    client, found = mlflow_at(tmp_path)
    assert found.data.params == {"data.map.A_B": "MISC"}
    assert found.data.metrics["valid/per_type/P_L/f1"] == 50.0
    assert found.data.metrics["valid/per_type/人名/f1"] == 25.0


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("tensorboard", "tensorboard"),
        ("wandb", "wandb"),
        ("mlflow", "mlflow"),
        ("mlflow", "alembic"),
    ],
)
def test_a_missing_extra_is_one_line_before_any_work(
    config, tmp_path, run_cli, monkeypatch, name, package
):
    config([name]).save(tmp_path / "config.toml")
    monkeypatch.setitem(sys.modules, package, None)
    run = tmp_path / "run"
    result = run_cli("train", "--config", tmp_path / "config.toml", "--output", run)
    assert result.code == 2
    line = f"callback '{name}' needs the package {package}: pip install 'mmseq[{name}]'."
    assert result.err.strip().endswith(line)
    assert not run.exists()


def test_a_folder_called_wandb_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(
        tracker, "find_spec", lambda name: PathFinder.find_spec(name, [str(tmp_path)])
    )
    with pytest.raises(mmseq.UserError, match="package wandb"):
        Wandb()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Wandb(project="a/b"),
            "callback 'wandb': project = 'a/b'",
        ),
        (lambda: MLflow(experiment="it's"), "callback 'mlflow': experiment = \"it's\"; it needs"),
        (lambda: MLflow(uri="mlruns"), "callback 'mlflow': uri = 'mlruns'"),
        (lambda: MLflow(uri="http://a:1", folder="b"), "callback 'mlflow': both folder and uri"),
    ],
)
def test_senseless_options_are_a_users_error(make, message):
    with pytest.raises(mmseq.UserError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_an_unknown_mode_is_one_line(config):
    with pytest.raises(mmseq.UserError, match="'mode': 'onlin' .*'online'"):
        config(["wandb"], **{"callbacks.wandb.mode": "onlin"})


def traceable():
    strace = shutil.which("strace")
    if strace is None:
        return False
    return (
        subprocess.run(
            [strace, "-f", "--seccomp-bpf", "-o", os.devnull, "true"], capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.ci
@pytest.mark.skipif(not traceable(), reason="needs strace, to see the connections of a process")
def test_no_connection_is_tried_offline(config, tmp_path):
    config(**{"train.epochs": 1}).save(tmp_path / "config.toml")
    trace = tmp_path / "trace"
    switches = ("WANDB_ERROR_REPORTING", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI")
    switches += ("WANDB_SERVICE",)
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-e", "trace=connect,sendto", "-o", trace]
        + [sys.executable, "-m", "mmseq", "train", "--quiet"]
        + ["--config", tmp_path / "config.toml", "--output", tmp_path / "run"],
        env={key: value for key, value in os.environ.items() if key not in switches},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = trace.read_text(errors="replace").splitlines()
    assert any("AF_UNIX" in line for line in lines)  # wandb's own process
    assert [line for line in lines if "AF_INET" in line] == []
    assert Path(tmp_path / "run" / "metrics.json").is_file()
