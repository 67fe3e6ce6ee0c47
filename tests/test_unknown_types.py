"""Entities of a type that a run has not learned: said, and counted as missed."""

import json
import shutil

import pytest

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter


@pytest.fixture(scope="module")
def data(tiny_data, tmp_path_factory):
    """The tiny data; in valid and test two sentences with types that train lacks."""
    folder = shutil.copytree(tiny_data, tmp_path_factory.mktemp("data") / "tiny")
    more = [
        {"tokens": ["CUP", "final", "in", "Oslo"], "tags": ["B-PRIZE", "I-PRIZE", "O", "B-LOC"]},
        {"tokens": ["CUP", "Monday"], "tags": ["B-PRIZE", "B-DAY"]},
    ]
    for split in ("valid", "test"):
        with (folder / f"{split}.jsonl").open("a") as file:
            file.write("".join(json.dumps(sentence) + "\n" for sentence in more))
    return folder


class Lines(Reporter):
    """Keeps what it would print."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def line(self, text):
        self.lines.append(text)


def settings(tiny_encoder, data):
    flags = {"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
    values = {"data.path": str(data), "train.epochs": 1, "train.device": "cpu"}
    values["aux.boundary.heads"] = 4
    return Config.from_layers(
        flags={**flags, "fusion": {"name": "none"}}, aux=["boundary"], settings=values
    )


@pytest.fixture(scope="module")
def trained(tiny_encoder, data, tmp_path_factory):
    """The run, and what training said."""
    reporter = Lines()
    folder = tmp_path_factory.mktemp("runs") / "run"
    return mmseq.train(settings(tiny_encoder, data), output=folder, reporter=reporter), reporter


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


LINE = "entities of types that {who} does not know count as missed: DAY 1, PRIZE 2"


def test_training_says_what_it_cannot_learn_and_counts_it(trained):
    run, reporter = trained
    told = [line for line in reporter.lines if "does not know" in line]
    line = LINE.format(who="the training split")
    assert told == [f"valid: {line}", f"test: {line}"]
    assert json.loads((run / "labels.json").read_text()) == [
        *("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    ]
    metrics = json.loads((run / "metrics.json").read_text())
    assert "unknown" not in metrics["data"]["train"]
    for split in ("valid", "test"):
        assert metrics["data"][split]["unknown"] == {"DAY": 1, "PRIZE": 2}
        figures = metrics[split]["per_type"]
        assert figures["PRIZE"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2}
        assert figures["DAY"]["support"] == 1
        assert metrics[split]["gold"] == sum(row["support"] for row in figures.values())


def test_the_run_s_own_data_are_scored_as_in_training(run, run_cli):
    metrics = json.loads((run / "metrics.json").read_text())
    report = json.loads(run_cli("evaluate", run, "--json").out)
    assert report["test"] == metrics["test"]
    assert report["unknown"] == {"DAY": 1, "PRIZE": 2}
    assert mmseq.load(run).evaluate() == metrics["test"]
    assert LINE.format(who="the run").replace(" ", "") in "".join(
        run_cli("evaluate", run).out.split()
    )


def test_other_data_are_refused_unless_it_is_asked_for(run, data, run_cli, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("a\tB-PRIZE\nb\tO\n\nCUP\tB-PRIZE\nx\tI-PRIZE\n")
    result = run_cli("evaluate", run, other)
    assert result.code == 2
    assert f"{other}:1" in result.err
    assert "or count it as missed (`--unknown missed`)." in result.err
    with pytest.raises(mmseq.UserError, match="--unknown missed"):
        mmseq.load(run).evaluate(other)
    report = json.loads(run_cli("evaluate", run, other, "--unknown", "missed", "--json").out)
    assert report["unknown"] == {"PRIZE": 2}
    found = report["test"]
    assert (found["gold"], found["correct"], found["recall"]) == (2, 0, 0.0)
    assert found["strict"]["gold"] == 2
    assert found["per_type"]["PRIZE"]["support"] == 2
    assert mmseq.load(run).evaluate(other, unknown="missed") == found
    # A file of known types says nothing of it.
    other.write_text("a\tB-LOC\n")
    report = json.loads(run_cli("evaluate", run, other, "--unknown", "missed", "--json").out)
    assert "unknown" not in report
    assert run_cli("evaluate", run, other, "--unknown", "mist").code == 2
