"""A run is resumed with the data that it began with, or refused."""

import hashlib
import json
import shutil

import pytest
from PIL import Image

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.training.loop import Trainer


@pytest.fixture
def data(tiny_data, tmp_path):
    return shutil.copytree(tiny_data, tmp_path / "data")


def config_of(tiny_encoder, data, flags, **settings):
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            **{kind: {"name": name} for kind, name in flags.items()},
        },
        aux=[],
        settings={
            "data.path": str(data),
            "train.epochs": 1,
            "train.device": "cpu",
            **settings,
        },
    )


@pytest.fixture
def begun(tiny_encoder, data, tmp_path, monkeypatch):
    """`begun(fusion="gate")`: the folder of a run that was killed before its first step."""

    def begin(**flags):
        config = config_of(tiny_encoder, data, flags)
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "run", lambda self: None)
            return mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))

    return begin


def resumed(run_cli, run):
    return run_cli("train", "--resume", "--output", run, "--quiet")


def test_the_data_of_a_run_are_written_as_it_begins(begun, data):
    seen = json.loads((begun(fusion="none") / "data.json").read_text())
    assert list(seen) == ["train", "valid", "test"]
    for name, facts in seen.items():
        file = data / f"{name}.jsonl"
        assert facts == {
            "file": str(file),
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_file_that_has_changed_is_refused(split, begun, data, run_cli):
    run = begun(fusion="none")
    before = (run / "data.json").read_bytes()
    file = data / f"{split}.jsonl"
    lines = file.read_text().splitlines()
    # The same sentences in another order are other data: batches are drawn by place.
    file.write_text("\n".join([*lines[1:], lines[0]]) + "\n")
    told = resumed(run_cli, run)
    assert told.code == 2
    assert told.err == (
        f"Error: {file}: the split '{split}' has changed since the run began; restore it as it "
        "was, or begin a new run (another --output).\n"
    )
    assert (run / "data.json").read_bytes() == before
    file.write_text("\n".join(lines) + "\n")
    assert resumed(run_cli, run).code == 0


def test_a_split_that_is_gone_or_new_is_refused(begun, data, run_cli):
    run = begun(fusion="none")
    (data / "valid.jsonl").rename(data / "kept")
    told = resumed(run_cli, run)
    assert (told.code, str(data / "valid.jsonl") in told.err) == (2, True)
    assert "is gone since the run began" in told.err
    (data / "kept").rename(data / "valid.jsonl")
    seen = json.loads((run / "data.json").read_text())
    del seen["test"]
    (run / "data.json").write_text(json.dumps(seen))
    told = resumed(run_cli, run)
    assert told.code == 2
    assert "'test' was not there when the run began" in told.err


def test_a_picture_that_has_changed_is_refused_where_pictures_count(begun, data, run_cli):
    run = begun(fusion="gate")
    picture = data / "images" / "valid-1-0.png"
    kept = picture.read_bytes()
    Image.new("RGB", (40, 32), (1, 2, 3)).save(picture)
    told = resumed(run_cli, run)
    assert told.code == 2
    assert told.err.splitlines()[-1].startswith(
        f"Error: {data / 'valid.jsonl'}: pictures of the split 'valid' have changed since"
    )
    picture.unlink()
    assert resumed(run_cli, run).code == 2
    picture.write_bytes(kept)
    assert resumed(run_cli, run).code == 0


def test_a_run_that_looks_at_no_picture_goes_on_without_them(begun, data, run_cli):
    run = begun(fusion="none")
    shutil.rmtree(data / "images")
    assert resumed(run_cli, run).code == 0


@pytest.mark.parametrize("content", ["", "[1]", '{"train": 1}'])
def test_a_damaged_record_is_one_line(content, begun, run_cli):
    run = begun(fusion="none")
    (run / "data.json").write_text(content)
    told = resumed(run_cli, run)
    assert told.code == 2
    (line,) = told.err.splitlines()
    assert line.startswith(f"Error: {run / 'data.json'}: damaged")


def test_a_run_of_before_says_so_and_goes_on(tiny_encoder, data, tmp_path, run_cli):
    config = config_of(tiny_encoder, data, {"fusion": "none"}, **{"train.keep_last": True})
    run = mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    for name in ("metrics.json", "model.safetensors", "data.json"):
        (run / name).unlink()
    done = run_cli("train", "--resume", "--output", run)
    assert done.code == 0
    assert f"{run}: has no data.json" in done.out
    assert (run / "data.json").is_file()
