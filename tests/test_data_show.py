"""`mmseq data show`: sentences as they were read."""

import json

import pytest
from PIL import Image

CONLL = """IMGID:17_06_1
Kevin\tB-PER
Durant\tI-PER
enters\tO
Oracle\tB-LOC

IMGID:17_06_2
x\u200b\tO
Lima\tB-LOC
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "17_06_1.jpg")
    path = tmp_path / "some.txt"
    path.write_text(CONLL, encoding="utf-8")
    return path


def test_line_pictures_words_and_tags_are_shown(file, run_cli):
    shown = run_cli("data", "show", file)
    assert shown.code == 0
    assert shown.out.splitlines() == [
        f"{file}:2  17_06_1  pictures: 17_06_1.jpg",
        "  Kevin/B-PER Durant/I-PER enters Oracle/B-LOC",
        f"{file}:8  17_06_2  pictures: 17_06_2.jpg (missing)",
        "  x\\u200b Lima/B-LOC",
    ]


def test_json_is_a_file_that_is_read_alike(file, run_cli):
    shown = run_cli("data", "show", file, "--json")
    first, second = (json.loads(line) for line in shown.out.splitlines())
    assert first == {
        "id": "17_06_1",
        "line": 2,
        "tokens": ["Kevin", "Durant", "enters", "Oracle"],
        "tags": ["B-PER", "I-PER", "O", "B-LOC"],
        "images": ["17_06_1.jpg"],
    }
    assert second["tokens"] == ["x\u200b", "Lima"]
    again = file.with_suffix(".jsonl")
    again.write_text(shown.out, encoding="utf-8")
    records = [json.loads(s) for s in run_cli("data", "show", again, "--json").out.splitlines()]
    assert [r | {"line": 0} for r in records] == [first | {"line": 0}, second | {"line": 0}]


def test_tags_of_another_scheme_come_as_bio(tmp_path, run_cli):
    file = tmp_path / "old.txt"
    file.write_text("New\tI-LOC\nYork\tI-LOC\nParis\tB-LOC\nis\tO\n", encoding="utf-8")
    shown = run_cli("data", "show", file, "--scheme", "iob1", "--json")
    assert json.loads(shown.out)["tags"] == ["B-LOC", "I-LOC", "B-LOC", "O"]


def test_further_fields_are_shown_and_do_not_hide_the_sentence(tmp_path, run_cli):
    file = tmp_path / "some.jsonl"
    file.write_text('{"tokens": ["a"], "caption": "two dogs", "line": 7}\n', encoding="utf-8")
    record = json.loads(run_cli("data", "show", file, "--json").out)
    assert record.pop("id") == "some-1"
    assert record == {"line": 1, "tokens": ["a"], "images": [], "caption": "two dogs"}


def test_the_first_sentences_alone_and_how_many_are_left(file, run_cli):
    shown = run_cli("data", "show", file, "--first", "1")
    assert len(shown.out.splitlines()) == 3
    assert shown.out.splitlines()[-1] == "1 more sentence."


@pytest.mark.parametrize(("name", "word"), [("", "is a folder"), ("sone.txt", "some.txt")])
def test_what_is_not_a_file_is_one_line(file, run_cli, name, word):
    shown = run_cli("data", "show", file.parent / name if name else file.parent)
    assert shown.code == 2
    (line,) = shown.err.splitlines()
    assert word in line
