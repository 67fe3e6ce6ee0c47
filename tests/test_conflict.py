"""The log of conflicts of a real run."""

import json

import pytest

import mmseq
from mmseq.console import Reporter


def run_of(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


def records(run, name="conflict"):
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]


def test_a_copy_of_the_main_task_agrees_and_its_negative_is_against(echo_config, tmp_path):
    tasks = ("echo", "mirror", "apart", "long")
    settings = {"callbacks.history.steps": 4, "callbacks.conflict.steps": 4}
    run = run_of(echo_config(tasks, **settings), tmp_path / "run")
    found = records(run)
    assert [(r["step"], r["epoch"]) for r in found] == [
        (4, 1),
        (8, 2),
        (12, 2),
        (16, 3),
        (20, 4),
        (24, 4),
    ]
    steps = [r for r in records(run, "history") if r["kind"] == "step"]
    for record, step in zip(found, steps, strict=True):
        cosines = record["cosines"]
        # `apart` has no gradient on the states, `long` an item in some steps only.
        assert set(cosines) == {"echo", "mirror"} | ({"long"} & set(step["losses"]))
        assert (cosines["echo"], cosines["mirror"]) == (1.0, -1.0)
        assert -1 < cosines.get("long", 0.0) < 1
    assert any("long" in record["cosines"] for record in found)


@pytest.mark.parametrize("weighting", ["fixed", "gradnorm"])
def test_a_run_with_the_log_is_the_run_without(echo_config, tmp_path, weighting):
    runs = []
    for name in ("with", "without"):
        settings = {"callbacks.conflict.steps": 1} if name == "with" else {}
        config = echo_config(("echo", "long"), weighting, **settings)
        runs.append(run_of(config, tmp_path / name))
    assert len(records(runs[0])) == 24
    assert not (runs[1] / "conflict.jsonl").exists()
    for file in ("model.safetensors", "history.jsonl"):
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes(), file


def test_a_frozen_encoder_is_one_clear_line(echo_config, tmp_path, run_cli):
    settings = {"callbacks.conflict.steps": 1, "text_encoder.freeze": -1}
    config = tmp_path / "config.toml"
    echo_config(("echo",), **settings).save(config)
    result = run_cli("train", "--config", config, "--output", tmp_path / "run", "--quiet")
    assert result.code == 2
    (line,) = result.err.strip().splitlines()
    assert "callback 'conflict' needs" in line
    assert "text_encoder.freeze = 0" in line
