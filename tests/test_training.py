"""The training loop: determinism, resuming, the preparation phase, what a run folder holds."""

import json
import shutil
import signal
import subprocess
import time

import pytest
import torch
import warm
from gate import Gate
from safetensors.torch import load_file

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.model.order import hidden_pictures
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run


@pytest.fixture
def config(tiny_encoder, tiny_data):
    """A multimodal run with all three tasks, small enough for seconds."""

    def make(aux=("contrastive", "cluster", "boundary"), fusion="cross-transformer", **settings):
        flags = {
            "text_encoder": {
                "name": "transformer",
                "model": str(tiny_encoder),
                "learning_rate": 1e-2,
            },
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": fusion},
        }
        if fusion == "cross-transformer":
            flags["fusion"]["heads"] = 4
        values = {"data.path": str(tiny_data), "train.epochs": 4, "train.batch_size": 4}
        if "boundary" in aux:
            values["aux.boundary.heads"] = 4
        return Config.from_layers(
            flags=flags, aux=list(aux), settings={**values, "train.device": "cpu", **settings}
        )

    return make


def run_of(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


def history(folder, kind):
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def test_same_seed_gives_identical_metrics_history_and_weights(config, run_once, tmp_path):
    one, two = run_once(config()), run_of(config(), tmp_path / "two")
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    other = run_of(config(**{"train.seed": 2}), tmp_path / "other")
    assert (other / "model.safetensors").read_bytes() != (one / "model.safetensors").read_bytes()


def test_a_run_from_its_own_config_is_the_same_run(config, run_once, tmp_path):
    one = run_once(config())
    two = run_of(Config.from_file(one / "config.toml"), tmp_path / "two")
    assert (one / "metrics.json").read_bytes() == (two / "metrics.json").read_bytes()
    assert (one / "config.toml").read_bytes() == (two / "config.toml").read_bytes()


def test_a_run_keeps_where_weights_lie_that_were_given_by_a_relative_path(
    config, tiny_encoder, tmp_path, monkeypatch
):
    here = tmp_path / "here"
    shutil.copytree(tiny_encoder, here / "bert")
    # Called as an option's choice and as a model of timm are.
    for name in ("first", "test_vit"):
        (here / name).mkdir()
    monkeypatch.chdir(here)
    made = config(**{"text_encoder.model": "./bert", "train.epochs": 2})
    run = run_of(made, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    kept = Config.from_file(run / "config.toml")
    assert kept.component("text_encoder").options["model"] == str(here / "bert")
    assert kept.component("text_encoder").options["pool"] == "first"
    assert kept.component("image_encoder").options["model"] == "test_vit"
    again = run_of(kept, tmp_path / "again")
    assert (run / "metrics.json").read_bytes() == (again / "metrics.json").read_bytes()


def test_run_folder_is_whole_and_holds_no_pickle(config, run_once):
    run = run_once(config())
    names = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    assert {
        "config.toml",
        "model.safetensors",
        "labels.json",
        "metrics.json",
        "timing.json",
        "history.jsonl",
        "README.md",
        "assets/text_encoder/config.json",
    } <= names
    assert not (run / "last").exists()
    assert {p.rpartition(".")[2] for p in names} <= {"toml", "safetensors", "json", "jsonl", "md"}
    assert json.loads((run / "labels.json").read_text()) == [
        "O",
        "B-LOC",
        "I-LOC",
        "B-PER",
        "I-PER",
    ]


def test_preparation_comes_first_and_is_no_candidate_for_the_best_epoch(config, tmp_path):
    run = run_of(config(**{"aux.cluster.preparation": 2}), tmp_path / "run")
    epochs = history(run, "epoch")
    assert [e["preparing"] for e in epochs] == [True, True, False, False]
    assert [set(e["losses"]) for e in epochs[:2]] == [{"main"}, {"main"}]
    assert set(epochs[2]["losses"]) == {"main", "contrastive", "cluster", "boundary"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["best_epoch"] in (3, 4)
    best = max(epochs[2:], key=lambda e: e["valid"]["f1"])
    assert metrics["best_epoch"] == best["epoch"]
    assert metrics["valid"] == best["valid"]


def test_preparation_longer_than_training_is_refused(config, tmp_path):
    with pytest.raises(mmseq.UserError, match="preparation .*4"):
        run_of(config(**{"aux.cluster.preparation": 4}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.process
@pytest.mark.parametrize("checkpoint_steps", [0, 4])
@pytest.mark.parametrize("stop_at", [3, 15], ids=["preparation", "joint"])
def test_killed_and_resumed_is_the_unbroken_run(
    config, run_once, tmp_path, checkpoint_steps, stop_at
):
    """Kill -9 in a real process, at a step of the preparation phase or after it."""
    settings = {"aux.cluster.preparation": 2, "train.checkpoint_steps": checkpoint_steps}
    whole = run_once(config(**settings))
    config(**settings).save(tmp_path / "config.toml")
    program = f"""
import os, signal, mmseq
from mmseq.training import loop as training
from mmseq.console import Reporter
step = training.Trainer._train_step
def killed(self, group):
    step(self, group)
    if self.progress.step == {stop_at}:
        os.kill(os.getpid(), signal.SIGKILL)
training.Trainer._train_step = killed
config = mmseq.Config.from_file(r"{tmp_path / "config.toml"}")
mmseq.train(config, output=r"{tmp_path / "broken"}", reporter=Reporter(quiet=True))
"""
    done = warm.run("-c", program)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "broken" / "metrics.json").exists()
    with pytest.raises(mmseq.UserError, match="unfinished"):
        mmseq.load(tmp_path / "broken")
    with pytest.raises(mmseq.UserError, match="--resume"):
        run_of(config(**settings), tmp_path / "broken")
    resumed = mmseq.train(output=tmp_path / "broken", resume=True, reporter=Reporter(quiet=True))
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name


@pytest.mark.process
def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on(config, site, tmp_path):
    site.add_kept("held")
    held = config(**{"callbacks.held": {}})
    whole = run_of(held, tmp_path / "whole")
    held.save(tmp_path / "config.toml")
    # In the middle of the second epoch of six steps.
    gate = Gate(tmp_path / "gate", 9, site.folder)
    with warm.Process(
        *("-m", "mmseq", "train", "--quiet", "--config", tmp_path / "config.toml"),
        *("--output", tmp_path / "run"),
        stderr=subprocess.PIPE,
        env=gate.environment,
    ) as process:
        gate.wait()
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
        assert process.wait(timeout=600) == 1
    assert "Traceback" not in error
    assert f"mmseq train --resume --output {tmp_path / 'run'}" in error
    assert (tmp_path / "run" / "last" / "current").read_text().startswith("step-00000009-")
    resumed = mmseq.train(output=tmp_path / "run", resume=True, reporter=Reporter(quiet=True))
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name


def test_every_weight_of_fusion_and_tasks_has_a_gradient(config, tmp_path):
    trainer = Trainer(new_run(config(), tmp_path / "run", Reporter(quiet=True)))
    trainer.progress.prepared = True
    # Every type has a centre, at 0.
    trainer.model.task("cluster").seen.fill_(1)
    batch = trainer.batches.batch(range(8))
    counts = trainer.stepper.counts([batch], trainer.active)
    output = trainer.model(batch, trainer.tasks)
    means = {name: loss / counts[name] for name, loss in output.losses.items()}
    trainer.model.weighting(means, output.shared, 0.0).total.backward()
    for part in (trainer.model.fusion, trainer.model.tasks, trainer.model.head):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_leaving_a_task_out_changes_the_weights(config, run_once, tmp_path):
    full = run_once(config())
    for out in ("contrastive", "cluster", "boundary"):
        rest = [t for t in ("contrastive", "cluster", "boundary") if t != out]
        # Cluster's preparation changes when tasks begin: keep the same phases for the others.
        run = run_of(config(rest), tmp_path / out)
        a, b = load_file(full / "model.safetensors"), load_file(run / "model.safetensors")
        assert (a["head.weight"] - b["head.weight"]).abs().max() > 1e-6, out


def test_accumulated_micro_batches_give_the_gradient_of_the_whole_batch(config, tmp_path):
    """Dropout off; contrastive left out, since its negatives are those of the micro-batch."""
    gradients = []
    for number, (size, steps) in enumerate(((8, 1), (4, 2))):
        made = config(["boundary"], **{"train.batch_size": size, "train.accumulate": steps})
        trainer = Trainer(new_run(made, tmp_path / str(number), Reporter(quiet=True)))
        trainer.model.eval()
        found = {}

        def keep(trainer=trainer, found=found):
            for name, parameter in trainer.model.named_parameters():
                if parameter.grad is not None:
                    found[name] = parameter.grad.clone()
            return 1.0

        trainer.stepper._clip = keep
        groups = [list(range(8))] if steps == 1 else [[0, 1, 2, 3], [4, 5, 6, 7]]
        trainer._train_step([trainer.batches.batch(group) for group in groups])
        gradients.append(found)
    assert gradients[0].keys() == gradients[1].keys()
    for name, whole in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], whole, atol=1e-5, rtol=1e-4, msg=name)


def test_image_dropout_hides_pictures_by_seed_and_epoch(config, tmp_path):
    first = hidden_pictures(1000, 0.5, seed=1, epoch=0)
    assert 400 < sum(first) < 600
    assert first == hidden_pictures(1000, 0.5, seed=1, epoch=0)
    assert first != hidden_pictures(1000, 0.5, seed=1, epoch=1)
    assert first != hidden_pictures(1000, 0.5, seed=2, epoch=0)
    assert not any(hidden_pictures(1000, 0.0, seed=1, epoch=0))
    made = config(**{"data.image_dropout": 0.5})
    trainer = Trainer(new_run(made, tmp_path / "run", Reporter(quiet=True)))
    hidden = first[: len(trainer.batches.sentences)]
    batch = trainer.batches.batch(range(len(hidden)), hidden)
    shown = [
        bool(s.images) and not h for s, h in zip(trainer.batches.sentences, hidden, strict=True)
    ]
    assert batch.targets.has_image.tolist() == shown


def test_init_starts_from_another_run(config, run_once, tmp_path):
    one = run_once(config())
    setup = new_run(config(**{"train.init": str(one)}), tmp_path / "two", Reporter(quiet=True))
    saved = load_file(one / "model.safetensors")
    for name, tensor in setup.model.state_dict().items():
        assert torch.equal(tensor, saved[name]), name


def test_early_stopping_ends_a_run_that_does_not_improve(config, tmp_path):
    tables = config(**{"train.epochs": 12, "train.learning_rate": 1e-12}).tables()
    tables["text_encoder"]["learning_rate"] = 0.0
    tables["callbacks"]["early-stopping"] = {"patience": 2}
    run = run_of(Config(tables), tmp_path / "run")
    epochs = history(run, "epoch")
    # One of preparation, the first candidate, and two that are no better.
    assert len(epochs) == 4


def test_without_valid_the_last_epoch_is_kept_and_without_test_there_is_no_score(
    config, tiny_data, tmp_path
):
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_bytes((tiny_data / "train.jsonl").read_bytes())
    made = config(**{"data.path": str(data), "data.image_folder": str(tiny_data / "images")})
    run = run_of(made, tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["best_epoch"] == 4
    assert "valid" not in metrics
    assert "test" not in metrics
    assert metrics["data"]["train"]["sentences"] == 24


def test_missing_and_damaged_pictures_are_counted_and_training_goes_on(
    config, tiny_data, tmp_path, capsys
):
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    for name in ("train", "valid", "test"):
        (data / f"{name}.jsonl").write_bytes((tiny_data / f"{name}.jsonl").read_bytes())
    for path in sorted((tiny_data / "images").iterdir())[2:]:
        (data / "images" / path.name).write_bytes(path.read_bytes())
    damaged = sorted((data / "images").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:60])
    run = mmseq.train(config(**{"data.path": str(data)}), output=tmp_path / "run")
    printed = capsys.readouterr().out
    assert "2 missing, 1 unreadable" in printed
    assert damaged.name in printed
    metrics = json.loads((run / "metrics.json").read_text())
    assert sum(split["images_missing"] for split in metrics["data"].values()) == 3
    strict = config(**{"data.path": str(data), "data.images": "strict"})
    with pytest.raises(mmseq.UserError, match="picture"):
        run_of(strict, tmp_path / "strict")
    assert not (tmp_path / "strict").exists()


def test_all_pictures_missing_trains_without_nan(config, tiny_data, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train", "valid", "test"):
        (data / f"{name}.jsonl").write_bytes((tiny_data / f"{name}.jsonl").read_bytes())
    run = run_of(config(**{"data.path": str(data)}), tmp_path / "run")
    epochs = history(run, "epoch")
    # No pair of sentence and picture: the contrastive task is absent, not zero.
    assert set(epochs[-1]["losses"]) == {"main", "cluster", "boundary"}
    assert all(value == value for e in epochs for value in e["losses"].values())


def test_time_is_written_apart_from_metrics(config, tmp_path):
    started = time.time()
    run = run_of(config(), tmp_path / "run")
    timing = json.loads((run / "timing.json").read_text())
    assert 0 < timing["seconds"]["training"] < time.time() - started
    assert timing["sentences_per_second"] > 0
    assert "seconds" not in (run / "metrics.json").read_text()


def test_a_run_killed_before_its_first_checkpoint_resumes_from_its_initial_weights(
    config, tmp_path, monkeypatch
):
    first = run_of(config((), "none"), tmp_path / "first")
    later = {"train.init": str(first), "train.epochs": 1}
    whole = run_of(config((), "none", **later), tmp_path / "whole")
    monkeypatch.setattr(Trainer, "run", lambda self: None)
    killed = run_of(config((), "none", **later), tmp_path / "killed")
    monkeypatch.undo()
    assert not (killed / "last").exists()
    mmseq.train(output=killed, resume=True, reporter=Reporter(quiet=True))
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
