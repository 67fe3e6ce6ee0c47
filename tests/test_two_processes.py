"""Two gloo processes train as one process does on the joined batch."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import mmseq
from mmseq.config import Config
from mmseq.console import Reporter


@pytest.fixture
def config(tiny_encoder, tiny_data, tmp_path):
    """Without dropout, so that only the sharing out differs; all tasks, some missing pictures."""
    encoder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    settings = json.loads((encoder / "config.json").read_text())
    settings["hidden_dropout_prob"] = settings["attention_probs_dropout_prob"] = 0.0
    (encoder / "config.json").write_text(json.dumps(settings))

    def make(batch_size, weighting, adversarial):
        return Config.from_layers(
            flags={
                "text_encoder": {
                    "name": "transformer",
                    "model": str(encoder),
                    "learning_rate": 1e-3,
                },
                "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
                "fusion": {"name": "cross-transformer", "heads": 4, "dropout": 0.0},
                "weighting": {"name": weighting},
            },
            aux=["contrastive", "cluster", "boundary"],
            settings={
                "data.path": str(tiny_data),
                "aux.boundary.heads": 4,
                "aux.boundary.dropout": 0.0,
                "callbacks.history.steps": 1,
                "callbacks.conflict.steps": 1,
                "train.device": "cpu",
                "train.epochs": 3,
                "train.batch_size": batch_size,
                "train.adversarial": adversarial,
            },
        )

    return make


def steps(run):
    """Step lines of the history, each with its line of the log of conflicts."""
    logs = [(run / f"{name}.jsonl").read_text().splitlines() for name in ("history", "conflict")]
    history, conflicts = ([json.loads(line) for line in log] for log in logs)
    history = [record for record in history if record["kind"] == "step"]
    return [{**a, **b} for a, b in zip(history, conflicts, strict=True)]


@pytest.mark.parametrize(
    ("weighting", "adversarial"),
    [("fixed", 0.0), ("fixed", 0.5), ("uncertainty", 0.0), ("gradnorm", 0.0)]
    + [("dynamic-average", 0.0), ("ramp", 0.0)],
)
def test_two_processes_equal_one_on_the_joined_batch(config, tmp_path, weighting, adversarial):
    """Losses, weights, gradient norms and cosines at every step, and the scores."""
    made = config(8, weighting, adversarial)
    one = mmseq.train(made, output=tmp_path / "one", reporter=Reporter(quiet=True))
    config(4, weighting, adversarial).save(tmp_path / "config.toml")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [
            *command,
            # A free port each time: two suites may run on one machine.
            *("--standalone", "-m", "mmseq", "train", "--quiet"),
            *("--config", tmp_path / "config.toml", "--output", tmp_path / "two"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    two = tmp_path / "two"
    assert len(steps(one)) == len(steps(two)) == 9
    for a, b in zip(steps(one), steps(two), strict=True):
        assert a["losses"].keys() == b["losses"].keys()
        for name, value in a["losses"].items():
            assert b["losses"][name] == pytest.approx(value, abs=1e-4, rel=1e-4), (a["step"], name)
        assert b["gradient_norm"] == pytest.approx(a["gradient_norm"], rel=1e-3)
        assert b["weights"] == pytest.approx(a["weights"], rel=1e-3)
        assert b["cosines"] == pytest.approx(a["cosines"], abs=1e-3)
    # The clustering task waits for an epoch, and then all are there.
    assert [len(record["cosines"]) for record in steps(two)] == [0, 0, 0, 3, 3, 3, 3, 3, 3]
    scores = [json.loads((run / "metrics.json").read_text()) for run in (one, two)]
    assert scores[0]["test"] == scores[1]["test"]
    assert scores[0]["data"] == scores[1]["data"]
