"""Every weighting through the real training loop: its weights in the history, and resuming."""

import json
import math
from collections import defaultdict

import pytest
import torch

import mmseq
from mmseq.console import Reporter
from mmseq.training.interruption import Interrupted
from mmseq.training.loop import Trainer

ALL = ("fixed", "uncertainty", "gradnorm", "dynamic-average", "ramp")
WEIGHTS = {"main": 1.0, "echo": 0.5, "long": 0.25}


@pytest.fixture
def config(echo_config):
    """24 steps of one or two micro-batches; the task `long` has no item in most of them."""

    def make(weighting, **settings):
        weights = {f"aux.{n}.weight": w for n, w in WEIGHTS.items() if n != "main"}
        common = {
            "callbacks.history.steps": 1,
            "callbacks.conflict.steps": 2,
            "text_encoder.learning_rate": 1e-2,
            **weights,
        }
        return echo_config(("echo", "long"), weighting, **{**common, **settings})

    return make


def run_of(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


def history(run, kind):
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def present(record):
    return {name: WEIGHTS[name] for name in record["losses"]}


def softmax(values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


@pytest.mark.parametrize("name", ALL)
def test_weights_are_in_the_history_and_a_task_may_be_absent(config, tmp_path, name):
    steps = history(run_of(config(name), tmp_path / "run"), "step")
    assert len(steps) == 24
    sets = {tuple(step["losses"]) for step in steps}
    assert sets == {("main", "echo"), ("main", "echo", "long")}
    assert all(step["weights"].keys() == step["losses"].keys() for step in steps)
    factor = 0.0 if name == "ramp" else 1.0
    first = {n: w if n == "main" else w * factor for n, w in present(steps[0]).items()}
    assert steps[0]["weights"] == pytest.approx(first)
    # At the end those of the config again, or learned ones.
    last = next(step for step in reversed(steps) if "long" in step["losses"])
    configured = last["weights"] == pytest.approx(WEIGHTS, rel=1e-3)
    assert configured == (name in ("fixed", "ramp"))


def test_the_ramps_line(config, tmp_path):
    steps = history(run_of(config("ramp", **{"weighting.share": 0.5}), tmp_path / "run"), "step")
    for number, step in enumerate(steps):
        factor = min(1.0, number / 12)
        expected = {n: w if n == "main" else w * factor for n, w in present(step).items()}
        assert step["weights"] == pytest.approx(expected, abs=1e-6), number


def test_the_dynamic_average_follows_the_epochs_means(config, tmp_path):
    run = run_of(config("dynamic-average", **{"weighting.temperature": 0.1}), tmp_path / "run")
    epochs = [record["losses"] for record in history(run, "epoch")]
    assert all(set(losses) == set(WEIGHTS) for losses in epochs)
    for step in history(run, "step"):
        known = epochs[: step["epoch"] - 1]
        rates = {n: known[-1][n] / known[-2][n] if len(known) > 1 else 1.0 for n in WEIGHTS}
        shares = softmax([rates[n] / 0.1 for n in step["losses"]])
        expected = {
            n: w * len(shares) * share
            for (n, w), share in zip(present(step).items(), shares, strict=True)
        }
        assert step["weights"] == pytest.approx(expected, rel=1e-4), step["step"]


def test_gradnorms_weights_keep_their_sum(config, tmp_path):
    run = run_of(config("gradnorm"), tmp_path / "run")
    for step in history(run, "step"):
        if set(step["weights"]) == set(WEIGHTS):
            assert sum(step["weights"].values()) == pytest.approx(1 + 0.5 + 0.25)
        rate = step["learning_rates"]["weighting"] / step["learning_rates"]["head"]
        assert rate == pytest.approx(25)
    # Echo's gradient is main's: equal norms are wanted of both, from 1 and 0.5.
    last = step["weights"]
    assert last["echo"] / last["main"] > 0.7


def test_uncertaintys_weights_follow_the_losses(config, tmp_path):
    made = config("uncertainty", **{"weighting.learning_rate": 0.05})
    steps = history(run_of(made, tmp_path / "run"), "step")
    seen = defaultdict(list)
    for step in steps:
        for name, weight in step["weights"].items():
            seen[name].append((step["losses"][name], weight))
    # Weight goes down where exp(-s) L is above 1/2, and up where it is below.
    for name, pairs in seen.items():
        loss, weight = pairs[0]
        assert (pairs[1][1] < weight) == (weight * loss > 0.5), name


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("stop_at", [7, 14])
def test_stopped_and_resumed_is_the_unbroken_run(
    config, tmp_path, monkeypatch, name, accumulate, stop_at
):
    """Stopped in the third epoch (accumulated: the third and the fifth)."""
    settings = {"train.accumulate": accumulate, "train.epochs": 4 * accumulate}
    whole = run_of(config(name, **settings), tmp_path / "whole")
    step = Trainer._train_step

    def stopped(trainer, group):
        step(trainer, group)
        trainer.ctrl_c.pressed = trainer.progress.step == stop_at

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", stopped)
        with pytest.raises(Interrupted):
            run_of(config(name, **settings), tmp_path / "broken")
    resumed = mmseq.train(output=tmp_path / "broken", resume=True, reporter=Reporter(quiet=True))
    for file in ("metrics.json", "history.jsonl", "conflict.jsonl", "model.safetensors"):
        assert (whole / file).read_bytes() == (resumed / file).read_bytes(), file


@pytest.mark.parametrize("name", ALL)
def test_a_finished_run_is_loaded_and_another_begins_from_it(config, tmp_path, name):
    run = run_of(config(name, **{"train.epochs": 3}), tmp_path / "run")
    (tagged,) = mmseq.load(run).predict(["Anna was seen in Oslo today"])
    assert tagged.words == ("Anna", "was", "seen", "in", "Oslo", "today")
    other = "ramp" if name == "gradnorm" else "gradnorm"
    settings = {"train.init": str(run), "train.epochs": 1}
    steps = history(run_of(config(other, **settings), tmp_path / "next"), "step")
    expected = {n: w * (other == "gradnorm" or n == "main") for n, w in present(steps[0]).items()}
    assert steps[0]["weights"] == pytest.approx(expected)


def test_gradnorm_with_a_frozen_encoder_is_a_users_error(config, tmp_path):
    made = config("gradnorm", **{"text_encoder.freeze": -1})
    with pytest.raises(mmseq.UserError, match=r"weighting 'gradnorm' .*text_encoder\.freeze"):
        run_of(made, tmp_path / "run")


@pytest.mark.parametrize("name", ["uncertainty", "gradnorm"])
def test_a_trained_weight_cannot_start_at_zero(config, tmp_path, name):
    with pytest.raises(mmseq.UserError, match=f"'{name}': aux.echo.weight = 0.0"):
        run_of(config(name, **{"aux.echo.weight": 0.0}), tmp_path / "run")


def test_a_task_with_a_weight_but_no_item_anywhere_is_in_no_history(config, tmp_path, tiny_data):
    """No sentence of 7 words is left."""
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid", "test"):
        lines = (tiny_data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        short = [line for line in lines if len(json.loads(line)["tokens"]) < 7]
        (data / f"{split}.jsonl").write_text("\n".join(short) + "\n", encoding="utf-8")
    changes = {"data.path": str(data), "data.image_folder": str(tiny_data / "images")}
    for name in ALL:
        run = run_of(config(name, **changes), tmp_path / name)
        assert all(set(s["weights"]) == {"main", "echo"} for s in history(run, "step")), name
        model = mmseq.load(run).model
        assert all(torch.isfinite(p).all() for p in model.parameters()), name
