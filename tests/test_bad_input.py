"""What users get wrong, on the command line: one line, exit code 2, nothing lost, nothing left."""

import errno
import fcntl
import io
import json
import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w
from safetensors import SafetensorError

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.runs import folder as runs
from mmseq.tagging.tagger import Tagger


def told(result, *words):
    """The only line on standard error; fails unless it is a user's mistake with these words."""
    assert result.code == 2, result.err
    (line,) = result.err.splitlines()
    assert line.startswith("Error: ")
    for word in words:
        assert word in line
    return line


def config_of(tiny_encoder, tiny_data, **settings):
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
        },
        settings={
            "data.path": str(tiny_data),
            "train.epochs": 2,
            "train.batch_size": 4,
            "train.device": "cpu",
            **settings,
        },
    )


@pytest.fixture(scope="module")
def finished(tiny_encoder, tiny_data, run_once):
    """A finished run with pictures and its last checkpoint."""
    config = config_of(tiny_encoder, tiny_data, **{"train.keep_last": True})
    return run_once(config)


@pytest.fixture
def run(finished, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def unfinished(run):
    """The same before its last lines were written."""
    for name in ("metrics.json", "model.safetensors"):
        (run / name).unlink()
    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "4294967296"], "train.seed"),
        (["--fusion", "gate", "--aux", "boundary,boundary"], "'boundary' is named twice"),
        (["--set", "fusion.dropout=true", "--fusion", "cross-transformer"], "True is not float"),
        (["--fusion", "cross-transformer", "--image-encoder", "none"], "needs pictures"),
    ],
)
def test_settings_that_cannot_be(run_cli, tiny_data, tmp_path, arguments, words):
    output = tmp_path / "new"
    told(run_cli("train", tiny_data, *arguments, "--output", output), words)
    assert not output.exists()


def test_a_word_splitter_that_is_not_there(tiny_encoder, tiny_data, tmp_path):
    config = config_of(tiny_encoder, tiny_data, **{"data.splitter": "tweets"})
    with pytest.raises(mmseq.UserError, match="'tweet"):
        mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert not (tmp_path / "run").exists()


def test_losses_that_are_no_numbers_stop_the_run(tiny_encoder, tiny_data, tmp_path):
    rates = dict.fromkeys(["train.learning_rate", "text_encoder.learning_rate"], 1e30)
    config = config_of(tiny_encoder, tiny_data, **{"fusion.name": "none", **rates})
    with pytest.raises(mmseq.UserError, match="finite .*learning rate"):
        mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_an_output_folder_below_a_file(run_cli, tiny_data, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for output in (file, file / "run", file / "runs" / "run"):
        told(run_cli("train", tiny_data, "--output", output), f"{file} is a file")


def test_a_sample_below_a_file(run_cli, tmp_path):
    file = tmp_path / "file"
    file.touch()
    told(run_cli("sample", file / "sample"), f"{file} is a file")


def test_two_runs_never_share_a_folder(tiny_encoder, tiny_data, tmp_path, monkeypatch):
    """Both have found the place free; the first to begin keeps it."""
    config = config_of(tiny_encoder, tiny_data, **{"fusion.name": "none"})
    monkeypatch.chdir(tmp_path)
    begin = runs.begin

    def late(folder, *arguments):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text("of the other run")
        begin(folder, *arguments)

    monkeypatch.setattr(runs, "begin", late)
    with pytest.raises(mmseq.UserError, match="another run"):
        mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert (tmp_path / "run" / "config.toml").read_text() == "of the other run"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.toml"]


def test_a_run_under_way_is_not_resumed(run_cli, unfinished):
    with (unfinished / "config.toml").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = run_cli("train", "--resume", "--output", unfinished)
    told(result, f"{unfinished}: another process")


def test_what_a_resumed_run_has_lost_is_written_again(run_cli, unfinished):
    (unfinished / "labels.json").unlink()
    shutil.rmtree(unfinished / "assets" / "text_encoder")
    (unfinished / "history.jsonl").write_bytes(b'\xff\n[1]\n{"a": 1}\n')
    assert run_cli("train", "--resume", "--output", unfinished).code == 0
    assert run_cli("predict", unfinished, "--text", "Jordan").code == 0


CHECKPOINT = ["current", "progress", "optimiser", "random", "model"]
DAMAGE = [(name, content) for name in CHECKPOINT for content in (b"", b"\xff\x00[1", b"[1]", None)]
DAMAGE.remove(("current", None))  # without it there is no checkpoint: the run begins again


@pytest.mark.parametrize(("name", "content"), DAMAGE)
def test_a_damaged_checkpoint(run_cli, unfinished, name, content):
    (path,) = (unfinished / "last").rglob(f"{name}*")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    result = run_cli("train", "--resume", "--output", unfinished)
    told(result, str(unfinished / "last"), "damaged")


ASSETS = ["text_encoder/tokenizer.json", "text_encoder/config.json", "image_encoder/timm.json"]


@pytest.mark.parametrize("name", [*ASSETS, "text_encoder/tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00{", b"[3]", None])
def test_damaged_assets(run_cli, run, name, content):
    path = run / "assets" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    told(run_cli("predict", run, "--text", "a"), str(run), "damaged")


def test_other_damage_to_a_run(run_cli, run):
    (run / "assets" / "components.json").write_text('{"a": [1]}')
    told(run_cli("predict", run, "--text", "a"), "components.json: damaged")
    (run / "assets" / "components.json").unlink()
    (run / "model.safetensors").unlink()
    told(run_cli("predict", run, "--text", "a"), "model.safetensors is missing")


def test_a_full_disk_keeps_the_last_checkpoint(run_cli, unfinished, monkeypatch):
    (step,) = (unfinished / "last").glob("step-*")
    state = json.loads((step / "progress.json").read_text())
    state |= {"epoch": 1, "step": 6}
    (step / "progress.json").write_text(json.dumps(state))
    step.rename(step.with_name("step-00000006-0001"))
    (unfinished / "last" / "current").write_text("step-00000006-0001")
    before = {p: p.read_bytes() for p in (unfinished / "last").rglob("*") if p.is_file()}

    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("mmseq.runs.weights.save_file", full)
    result = run_cli("train", "--resume", "--output", unfinished)
    told(result, "No space left on device", "--resume")
    after = {p for p in (unfinished / "last").rglob("*") if p.is_file()}
    assert after == set(before)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[" * 100_000, "in.jsonl:2: broken JSON"),
        ('{"text": "a \\ud800"}', "in.jsonl:2: 'a \\ud800': holds half a character"),
        ('{"tokens": ["a"], "id": "\\udfff"}', "in.jsonl:2: '\\udfff': holds half a character"),
    ],
)
def test_a_bad_line_keeps_what_is_tagged(run_cli, finished, tmp_path, line, words):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "Jordan"}\n' + line + "\n")
    line = told(run_cli("predict", finished, "--input", source, "--output", target), words)
    assert f"{target}.part holds 1 sentence: go on with --resume" in line
    assert json.loads((tmp_path / "out.jsonl.part").read_text())["text"] == "Jordan"
    assert not target.exists()


def test_where_predictions_cannot_go_or_come_from(run_cli, finished, tmp_path):
    target = tmp_path / "absent" / "out.jsonl"
    told(run_cli("predict", finished, "--text", "a", "--output", target), "no folder")
    told(run_cli("predict", finished, "--input", tmp_path), "is a folder; give a file")
    (tmp_path / "in.csv").write_text("a,b\n")
    told(run_cli("predict", finished, "--input", tmp_path / "in.csv"), "give --format")
    wrong = run_cli("predict", finished, "--input", tmp_path / "in.csv", "--format", "jsnl")
    told(wrong, "'jsnl'", "'jsonl'", "auto, conll, jsonl, text")
    right = run_cli("predict", finished, "--input", tmp_path / "in.csv", "--format", "conll")
    assert (right.code, json.loads(right.out)["tokens"]) == (0, ["a,b"])
    wrong = run_cli("predict", finished, "--format", "conll")
    told(wrong, "--format conll ", "--input")
    told(run_cli("evaluate", finished, "--split", "tset"), "'tset' is not one of")


def test_plain_text_in_a_file_that_looks_like_columns(run_cli, finished, tmp_path):
    source = tmp_path / "x.txt"
    source.write_text("Jordan is\nso tired\n")
    wrong = run_cli("predict", finished, "--input", source)
    told(wrong, f"{source}:1: 'is' is not a tag; ", "; for plain text, a line ")
    told(wrong, "each: --format text.")
    assert "--format" not in told(run_cli("predict", finished, "--input", source, "--format",
                                          "conll"), "is not a tag")  # fmt: skip
    right = run_cli("predict", finished, "--input", source, "--format", "text")
    assert [json.loads(line)["text"] for line in right.out.splitlines()] == [
        "Jordan is",
        "so tired",
    ]


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_what_is_no_utf8_is_refused_from_a_file_and_from_standard_input(
    run_cli, finished, tmp_path, monkeypatch, form
):
    line = {"text": b"Jordan", "jsonl": b'{"text": "Jordan"}'}[form]
    content = line + b"\ncaf\xe9\n"
    source = tmp_path / "in"
    source.write_bytes(content)
    wrong = run_cli("predict", finished, "--input", source, "--format", form)
    told(wrong, f"{source}:2: ", "UTF-8", "0xe9")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    wrong = run_cli("predict", finished, "--format", form)
    told(wrong, "standard input:2: ", "UTF-8", "0xe9")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_an_output_where_nothing_can_be_made(run_cli, finished, tiny_encoder, tiny_data):
    result = run_cli("predict", finished, "--text", "a", "--output", "/proc/x.jsonl")
    told(result, "--output /proc/x.jsonl: ", "(No such file")
    config = config_of(tiny_encoder, tiny_data, **{"fusion.name": "none"})
    with pytest.raises(mmseq.UserError, match="^/proc/run: .*No such file"):
        mmseq.train(config, output="/proc/run", reporter=Reporter(quiet=True))


def test_labels_that_are_not_those_of_the_weights(run_cli, run):
    labels = json.loads((run / "labels.json").read_text())
    (run / "labels.json").write_text(json.dumps(labels[:-1]))
    result = run_cli("predict", run, "--text", "a")
    told(
        result,
        f"{run / 'model.safetensors'}: weights of another model (for 5 tags, and here are 4)",
        "config.toml, labels.json",
    )


def test_the_weights_of_a_run_of_other_parts(finished, tiny_encoder, tiny_data, tmp_path):
    settings = {"fusion.name": "none", "train.init": str(finished)}
    config = config_of(tiny_encoder, tiny_data, **settings)
    with pytest.raises(mmseq.UserError) as caught:
        mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    message = str(caught.value)
    assert message.startswith(f"{finished / 'model.safetensors'}: weights of another model ")
    for part in ("(fusion.gate.bias ", " more differ)", "--init", str(finished / "config.toml")):
        assert part in message


def test_pictures_for_a_run_that_uses_none(run_cli, tiny_encoder, tiny_data, tmp_path):
    config = config_of(tiny_encoder, tiny_data, **{"fusion.name": "none", "train.epochs": 1})
    run = mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    image = next((tiny_data / "images").iterdir())
    result = run_cli("predict", run, "--text", "Jordan", "--image", image, "--image", image)
    assert (result.code, result.err) == (0, f"{run} uses no pictures: --image is left out.\n")
    result = run_cli("predict", run, "--input", tiny_data / "test.jsonl", "--images", tmp_path)
    assert (result.code, result.err) == (0, f"{run} uses no pictures: --images is left out.\n")
    assert run_cli("predict", run, "--text", "Jordan").err == ""


def test_a_full_disk_in_prediction_names_the_file(run_cli, finished, tmp_path, monkeypatch):
    def full(tagger, sentences, best, min_score):
        yield from ()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Tagger, "stream", full)
    target = tmp_path / "out.jsonl"
    result = run_cli("predict", finished, "--text", "a", "--output", target)
    told(result, f"{target}: no space left on the disk")
    assert not target.exists()


def test_prediction_says_which_pictures_are_left_out(run_cli, finished, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    result = run_cli("predict", finished, "--text", "Jordan", "--image", tmp_path / "a.jpg")
    assert result.code == 0
    assert "1 of 1 pictures cannot be used (1 unreadable)" in result.err
    assert "a.jpg: not a picture" in result.err


def test_a_picture_folder_that_is_not_there_is_named(run_cli, finished, tiny_data, tmp_path):
    shutil.copy(tiny_data / "test.jsonl", tmp_path)
    result = run_cli("evaluate", finished, tmp_path, "--json")
    assert result.code == 0
    json.loads(result.out)
    assert f"There is no folder {tmp_path / 'images'}; names in the data are looked up in" in (
        result.err
    )
    assert "or in the folder that is given with --images." in result.err


def test_a_check_of_no_folder_is_a_mistake(run_cli, tmp_path):
    told(run_cli("data", "check", tmp_path / "absent", "--json"), "No data folder")


def test_a_callbacks_impossible_option_is_told_before_any_work(run_cli, tiny_data, tiny_encoder):
    result = run_cli(
        "train", tiny_data, "--dry-run", "--fusion", "none", "--set", "callbacks.conflict.steps=0",
        "--set", f"text_encoder.model={tiny_encoder}",
    )  # fmt: skip
    told(result, "callback 'conflict': steps = 0")


def test_a_dry_run_tells_of_missing_pictures(run_cli, tiny_data, tiny_encoder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    first, *_ = (data / "images").glob("train-1-*.png")
    first.unlink()
    chosen = ("--set=image_encoder.model=test_vit", "--set=image_encoder.weights=random")
    result = run_cli(
        "train", data, "--dry-run", *chosen, f"--set=text_encoder.model={tiny_encoder}"
    )
    assert result.code == 0, result.err
    # Once: what training says of them, too.
    assert result.out.count(str(first)) == 1
    assert f"picture files are there. First that is not: {first} (no such file)." in result.out
    strict = run_cli(
        "train", data, "--dry-run", *chosen, f"--set=text_encoder.model={tiny_encoder}",
        "--set=data.images=strict",
    )  # fmt: skip
    told(strict, f"{data / 'train.jsonl'}:2: picture {first}: no such file (1 such pictures)")
    assert "picture files are there" not in strict.out


def without(path, *parts):
    """Take sections and keys out of a TOML file."""
    tables = tomllib.loads(path.read_text())
    for part in parts:
        section, _, key = part.partition(".")
        if key:
            del tables[section][key]
        else:
            del tables[section]
    path.write_text(tomli_w.dumps(tables))


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        (None, "[text_encoder] and "),
        (("train",), "[train] missing"),
        (("aux",), "[aux] missing"),
        (("data.path", "fusion.name"), "fusion.name and 1 more"),
        (("train.init",), "train.init missing"),
    ],
)
def test_a_run_with_an_incomplete_config_is_neither_resumed_nor_loaded(run, run_cli, parts, word):
    config = run / "config.toml"
    if parts is None:
        config.write_bytes(b"")
    else:
        without(config, *parts)
    told(run_cli("predict", run, "--text", "hi"), f"{config}: incomplete", word)
    (run / "metrics.json").unlink()
    before = sorted(run.rglob("*"))
    told(run_cli("train", "--resume", "--output", run), f"{config}: incomplete", word)
    assert sorted(run.rglob("*")) == before


def test_a_run_made_before_a_key_existed_has_its_default(run, run_cli):
    without(run / "config.toml", "data.cache", "train.adversarial")
    assert run_cli("predict", run, "--text", "hi").code == 0
