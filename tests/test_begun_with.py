"""A run is resumed with what it began with, or refused."""

import hashlib
import json
import shutil

import pytest
from PIL import Image

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.jobs.work import work
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
    seen = json.loads((begun(fusion="none") / "data.json").read_text())["splits"]
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
    del seen["splits"]["test"]
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


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "[" * 5000,
        '{"train": 1}',
        '{"splits": []}',
        '{"splits": {"train": {"sha256": 1}}}',
        '{"splits": {}, "settings": 1}',
        '{"splits": {}, "versions": {"torch": 2}}',
    ],
)
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


def edited(run, old, new):
    config = run / "config.toml"
    text = config.read_text()
    assert text.count(old) == 1
    config.write_text(text.replace(old, new))


def test_edited_settings_are_refused_and_named(begun, run_cli):
    run = begun(fusion="none")
    kept = (run / "config.toml").read_text()
    edited(run, "\nepochs = 1\n", "\nepochs = 2\n")
    edited(run, "\nseed = 1\n", "\nseed = 7\n")
    told = resumed(run_cli, run)
    assert told.code == 2
    assert told.err == (
        f"Error: {run / 'config.toml'}: changed since the run began: "
        "train.epochs (1 when the run began, 2 now), train.seed (1 when the run began, 7 now); "
        "restore it as it was, or begin a new run (another --output).\n"
    )
    (run / "config.toml").write_text(kept)
    assert resumed(run_cli, run).code == 0


def test_a_component_that_was_added_is_an_edit(begun, run_cli):
    run = begun(fusion="none")
    config = run / "config.toml"
    config.write_text(config.read_text() + "\n[aux.boundary]\nweight = 0.5\n")
    told = resumed(run_cli, run)
    assert told.code == 2
    assert "aux.boundary.weight (not there when the run began, 0.5 now)" in told.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\ncheckpoint_steps = 0\n", "\ncheckpoint_steps = 5\n"),
        ("\nkeep_last = false\n", "\nkeep_last = true\n"),
        ("\n[train]\n", "\n# a remark\n[train]\n"),
    ],
)
def test_what_makes_no_other_run_may_be_edited(old, new, begun, run_cli):
    run = begun(fusion="none")
    edited(run, old, new)
    assert resumed(run_cli, run).code == 0


def test_data_that_have_moved_are_the_same_data(begun, data, run_cli):
    run = begun(fusion="none")
    edited(run, f'"{data}"', f'"{data.with_name("moved")}"')
    data.rename(data.with_name("moved"))
    assert resumed(run_cli, run).code == 0


def test_weights_to_start_from_that_have_changed_are_refused(tiny_encoder, data, tmp_path, run_cli):
    own = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    config = config_of(own, data, {"fusion": "none"}, **{"train.keep_last": True})
    run = mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    for name in ("metrics.json", "model.safetensors"):
        (run / name).unlink()
    file = own / "config.json"
    file.write_text(file.read_text() + " ")
    told = resumed(run_cli, run)
    assert told.code == 2
    assert told.err == (
        f"Error: {run / 'config.toml'}: what text_encoder.model names ({own}) has changed since "
        "the run began; restore it as it was, or begin a new run (another --output).\n"
    )


def test_other_versions_are_one_line_and_the_run_goes_on(begun, run_cli):
    run = begun(fusion="none")
    seen = json.loads((run / "data.json").read_text())
    here = seen["versions"]["torch"]
    seen["versions"] |= {"torch": "1.0", "gone": "2.0"}
    (run / "data.json").write_text(json.dumps(seen))
    done = run_cli("train", "--resume", "--output", run)
    assert done.code == 0
    text = " ".join(done.out.split())
    assert (
        f"{run}: begun with torch 1.0 (here {here}), gone 2.0 (here none); it goes on, and results "
        "may differ."
    ) in text


def test_a_record_of_splits_alone_is_still_held_against_the_data(begun, data, run_cli):
    run = begun(fusion="none")
    seen = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps(seen["splits"]))
    (data / "train.jsonl").write_text((data / "valid.jsonl").read_text())
    assert "the split 'train' has changed" in resumed(run_cli, run).err


def worked(config, run):
    """How a worker's job in that folder ends."""
    return work(config.tables(), run, 1, lambda event: "")


@pytest.mark.parametrize(
    "damage", ["data", "settings", "versions", "record", "no record", "config"]
)
def test_a_job_begins_anew_what_cannot_be_resumed(
    damage, begun, data, tiny_encoder, tmp_path, capsys
):
    run = begun(fusion="none")
    (run / "mark").touch()
    record = run / "data.json"
    if damage == "data":
        (data / "train.jsonl").write_text((data / "valid.jsonl").read_text())
    elif damage == "settings":
        edited(run, "\nseed = 1\n", "\nseed = 7\n")
    elif damage == "versions":
        seen = json.loads(record.read_text())
        seen["versions"]["torch"] = "1.0"
        record.write_text(json.dumps(seen))
    elif damage == "record":
        record.write_text("{")
    elif damage == "no record":
        record.unlink()
    else:
        (run / "config.toml").write_text("")
    config = config_of(tiny_encoder, data, {"fusion": "none"})
    assert worked(config, run) == ("done", "")
    assert not (run / "mark").exists()
    assert "egun anew." in capsys.readouterr().err
    assert json.loads((run / "metrics.json").read_text())["best_epoch"] == 1


def test_a_job_goes_on_with_what_it_began(begun, data, tiny_encoder):
    run = begun(fusion="none")
    (run / "mark").touch()
    assert worked(config_of(tiny_encoder, data, {"fusion": "none"}), run) == ("done", "")
    assert (run / "mark").exists()


def test_what_a_kill_left_is_swept_and_a_user_s_file_is_not(begun, run_cli):
    run = begun(fusion="none")
    left = [run / ".tmpAbC123", run / "model.safetensors.part", run / "last" / "step-1.part" / "a"]
    own = [run / "tagged.jsonl.part", run / ".tmp-notes", run / "notes.txt"]
    for file in (*left, *own):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    assert resumed(run_cli, run).code == 0
    assert [file.exists() for file in left] == [False] * 3
    assert [file.exists() for file in own] == [True] * 3


@pytest.mark.parametrize("keep", [False, True])
def test_a_finished_run_loses_its_checkpoint_unless_it_is_kept(keep, begun, run_cli):
    run = begun(fusion="none")
    edited(run, "\nkeep_last = false\n", f"\nkeep_last = {str(keep).lower()}\n")
    assert resumed(run_cli, run).code == 0
    (run / "last").mkdir(exist_ok=True)
    (run / "last" / "current").write_text("step-1")
    told = resumed(run_cli, run)
    assert (told.code, "that run is finished" in told.err) == (2, True)
    assert (run / "last").exists() == keep
