"""`mmseq data check` of one file."""

import json

import pytest
from PIL import Image

from mmseq.datacheck.checking import check_folder

TRAIN = "IMGID:ok\nRome\tB-LOC\ncalls\tO\n\nIMGID:gone\nHi\tO\n"
TEST = "IMGID:ok\nRome\tO\ncalls\tO\n\nBye\tB-PER\n"


@pytest.fixture
def data(tmp_path):
    (tmp_path / "train.txt").write_text(TRAIN)
    (tmp_path / "test.txt").write_text(TEST)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "ok.jpg")
    return tmp_path


def test_one_file_is_checked_alone(data):
    report = check_folder(data / "test.txt")
    assert (report["folder"], report["file"]) == (str(data), str(data / "test.txt"))
    assert list(report["splits"]) == ["test"]
    assert (report["shared"], report["notes"], report["problems"]) == ({}, [], [])
    test = report["splits"]["test"]
    assert (test["sentences"], test["words"], test["entities"]) == (2, 3, {"PER": 1})
    # The same as of this file in its folder.
    assert test == check_folder(data)["splits"]["test"]
    assert test["pictures"]["files"] == 1


def test_pictures_of_one_file_are_beside_it_or_where_it_is_said(data, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "tweets.txt").write_text(TRAIN)
    missing = check_folder(elsewhere / "tweets.txt")["splits"]["tweets"]["pictures"]
    assert (missing["distinct"], missing["files"]) == (2, 0)
    there = check_folder(elsewhere / "tweets.txt", image_folder=data / "images")
    assert there["splits"]["tweets"]["pictures"]["files"] == 1


@pytest.mark.parametrize(
    ("file", "name", "problems"),
    [
        ("train.jsonl", "train", ["train: 1 of 2 sentences have no tags"]),
        ("trn.jsonl", "train", ["train: 1 of 2 sentences have no tags"]),
        ("val.jsonl", "valid", []),
        ("eval.jsonl", "eval", []),
        ("mine.2017.jsonl", "mine.2017", []),
    ],
)
def test_one_file_is_held_to_what_its_name_says(tmp_path, file, name, problems):
    lines = ['{"tokens": ["a"], "tags": ["O"]}', '{"tokens": ["b"]}']
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    report = check_folder(tmp_path / file)
    assert list(report["splits"]) == [name]
    assert report["splits"][name]["untagged"]["count"] == 1
    assert [line.partition(", from")[0] for line in report["problems"]] == problems


def test_open_words_of_one_file_are_a_fault_where_its_name_says_so(tmp_path):
    for name in ("train", "test", "mine"):
        (tmp_path / f"{name}.txt").write_text("Anna\tB-PER\nran\t?\n")
    assert check_folder(tmp_path / "train.txt")["problems"] == []
    assert check_folder(tmp_path / "mine.txt")["problems"] == []
    (problem,) = check_folder(tmp_path / "test.txt")["problems"]
    assert "test.txt:2: the tag of 'ran' is open" in problem


def test_the_command_checks_one_file_with_the_exit_codes_of_a_folder(data, run_cli):
    done = run_cli("data", "check", data / "test.txt")
    assert done.code == 0, done.err
    assert f"Data in {data / 'test.txt'}" in done.out.replace("\n", " ")
    assert "train" not in done.out
    (data / "mine.txt").write_text("a O\nb X\n")
    done = run_cli("data", "check", data / "mine.txt", "--json")
    assert done.code == 1
    (problem,) = json.loads(done.out)["problems"]
    assert problem.startswith(f"{data / 'mine.txt'}:2: ")
    (data / "notes.rtf").write_text("a O\n")
    done = run_cli("data", "check", data / "notes.rtf")
    assert done.code == 1
    assert "no reader for this ending" in done.out
    done = run_cli("data", "check", data / "tset.txt")
    assert done.code == 2
    assert f"No data folder or file {data}/tset.txt: did you mean {data}/test.txt?" in done.err
