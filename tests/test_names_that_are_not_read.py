"""Data under names that are not read: messages say what to do, and doing it works."""

import json
import re
import shutil

import pytest

from mmseq.data.folder import no_split, reader_of
from mmseq.data.splits import SPLITS, load_folder
from mmseq.errors import UserError

WORDS = "Anna\tB-PER\nran\tO\n"


def renamed(folder, message):
    """Do what a message says: `rename A to B, C to D`."""
    pairs = re.findall(r"(\S+) to ([^\s,]+?)[,.](?= |$)", message.partition("rename ")[2])
    for old, new in pairs:
        (folder / old).rename(folder / new)
    return dict(pairs)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["eng.train", "eng.testa", "eng.testb"], ["train", "valid", "test"]),
        (["train", "dev", "test"], ["train", "valid", "test"]),
        (["twitter2017_train.txt", "twitter2017_valid.txt"], ["train", "valid"]),
        (["train_data.txt", "dev_data.txt"], ["train", "valid"]),
        (["train.iob2", "test.tsv"], ["train", "test"]),
        (["weiboNER.conll.train", "weiboNER.conll.dev"], ["train", "valid"]),
    ],
)
def test_renamed_as_the_message_says_they_are_read(tmp_path, names, splits):
    for name in names:
        (tmp_path / name).write_text(WORDS)
    with pytest.raises(UserError) as caught:
        load_folder(tmp_path)
    assert sorted(renamed(tmp_path, str(caught.value))) == sorted(names)
    assert list(load_folder(tmp_path)) == splits


def test_two_files_that_would_be_one_split_are_not_renamed(tmp_path):
    for name in ("a_train.txt", "b_train.txt"):
        (tmp_path / name).write_text(WORDS)
    message = str(no_split(tmp_path, SPLITS))
    assert "rename" not in message
    assert "it holds a_train.txt, b_train.txt" in message


def test_folders_in_place_of_files_and_around_them(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.txt").write_text(WORDS)
    assert "train is a folder; a split is one file, train.txt" in str(no_split(tmp_path, SPLITS))
    shutil.rmtree(tmp_path / "train")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dev.txt").write_text(WORDS)
    said = f"no data file in it, but in {tmp_path / 'data'}; give that."
    assert said in str(no_split(tmp_path, SPLITS))


def test_what_is_converted_is_named_with_its_command(tmp_path, run_cli):
    rows = [{"tokens": ["Anna", "ran"], "tags": ["B-PER", "O"]}]
    for name in ("train.json", "valid.json"):
        (tmp_path / name).write_text(json.dumps(rows))
    told = run_cli("data", "check", tmp_path)
    assert told.code == 1
    assert f"convert it: `mmseq data import json {tmp_path} DIR`" in told.out.replace("\n", " ")
    assert run_cli("data", "import", "json", tmp_path, tmp_path / "out").code == 0
    assert list(load_folder(tmp_path / "out")) == ["train", "valid"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.conllu", "if it holds columns, name it a.conll"),
        ("a", "if it holds columns, name it a.conll"),
        ("a.tsv", "name it a.conll; a table: `mmseq data import csv`"),
        ("a.csv", "convert it: `mmseq data import csv a.csv DIR`"),
        ("a.json", "convert it: `mmseq data import json a.json DIR`"),
        ("a.docx", "rename the file, or convert it"),
    ],
)
def test_a_file_with_another_ending(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        reader_of(type(tmp_path)(name))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["a.TXT", "a.Conll", "a.JSONL"])
def test_endings_in_capitals(tmp_path, name):
    assert reader_of(tmp_path / name).name == ("jsonl" if name.endswith("L") else "conll")


@pytest.mark.parametrize("split", ["valid", "test"])
def test_splits_without_tags_are_a_problem_as_they_are_in_training(tmp_path, run_cli, split):
    (tmp_path / "train.txt").write_text(WORDS)
    (tmp_path / f"{split}.txt").write_text("Anna\nran\n")
    done = run_cli("data", "check", tmp_path, "--json")
    assert done.code == 1
    assert json.loads(done.out)["problems"] == [
        f"{split}: 1 of 1 sentences have no tags; the first is {tmp_path / split}.txt:1; add them, "
        "or call the file otherwise and tag it by `mmseq predict RUN --input FILE`."
    ]
    # By itself it may be there to be tagged.
    assert run_cli("data", "check", tmp_path / f"{split}.txt").code == 0


def test_urls_keep_their_slashes_wherever_they_are_written(tmp_path, run_cli):
    names = ["http://a.b/c.jpg", "s3://b/c.jpg", "file:///tmp/c.jpg", "C:\\c.jpg"]
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(
            json.dumps({"tokens": [str(n)], "tags": ["O"], "images": [name]}) + "\n"
            for n, name in enumerate(names)
        )
    )
    shown = run_cli("data", "show", path)
    assert [line.split("pictures: ")[1] for line in shown.out.splitlines()[::2]] == [
        f"{name} (missing)" for name in names
    ]
    printed = run_cli("data", "show", path, "--json").out.splitlines()
    assert [json.loads(line)["images"] for line in printed] == [[name] for name in names]
    out = tmp_path / "out"
    run_cli("data", "split", path, "--output", out, "--shares", "1,0,1")
    lines = [line for f in sorted(out.glob("*.jsonl")) for line in f.read_text().splitlines()]
    assert sorted(json.loads(line)["images"][0] for line in lines) == sorted(names)


def test_a_picture_in_base64_is_named_as_one(tmp_path, run_cli):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"tokens": ["a"], "tags": ["O"], "images": "iVBORw0KGgo" * 30}))
    shown = run_cli("data", "check", path, "--json").out
    assert "holds the picture itself (base64); write it to a file" in shown
    assert max(map(len, run_cli("data", "show", path).out.splitlines())) < 300


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("train.json", '[{"id": 1, "data": {"text": "a"}, "annotations": []}]', "label-studio"),
        ("train.json", '[{"text": "a", "_input_hash": 1}]', "prodigy"),
        ("train.json", '[{"tokens": ["a"]}]', "json"),
        ("train.csv", "text_snippet,entity_annotations\na,[]\n", "autogluon"),
        ("train.csv", "text,spans\na,[]\n", "csv"),
    ],
)
def test_the_format_of_a_tool_is_told_by_what_its_files_hold(tmp_path, name, text, form):
    (tmp_path / name).write_text(text)
    assert f"`mmseq data import {form} {tmp_path} DIR`" in str(no_split(tmp_path, SPLITS))


def test_files_of_other_splits_are_not_renamed(tmp_path):
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).write_text(WORDS)
    told = str(no_split(tmp_path, ("valid",)))
    assert told.startswith(f"{tmp_path}: no data file (it holds test.txt, train.txt); ")
    assert "rename" not in told
    (tmp_path / "my_valid.txt").write_text(WORDS)
    assert "rename my_valid.txt to valid.txt." in str(no_split(tmp_path, ("valid",)))
