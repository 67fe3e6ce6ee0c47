import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from mmseq.data.splits import load_folder
from mmseq.datacheck.checking import check_folder, percentiles
from mmseq.datacheck.rendering import render
from mmseq.scoring.metrics import score

REAL = Path(__file__).parents[2] / "shared" / "data"

TRAIN = """IMGID:ok
Rome\tB-LOC
calls\tO

IMGID:gone
Kevin\tI-PER
Durant\tI-PER
Oracle\tI-ORG
Arena\tI-ORG

IMGID:tiny
Rome\tB-LOC
calls\tO

IMGID:bad
Hi\tO
"""
TEST = """IMGID:ok
Rome\tO
calls\tO

Bye\tB-PER
"""


@pytest.fixture
def data(tmp_path):
    (tmp_path / "train.txt").write_text(TRAIN)
    (tmp_path / "test.txt").write_text(TEST)
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (32, 32)).save(images / "ok.jpg")
    Image.new("RGB", (2, 2)).save(images / "tiny.png")
    (images / "bad.jpg").write_bytes(b"not a picture")
    return tmp_path


def printed(report):
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    render(report, console)
    return console.file.getvalue()


def test_counts_by_hand(data):
    report = check_folder(data, subwords=lambda tokens: 10 * len(tokens))
    assert report["problems"] == []
    train = report["splits"]["train"]
    assert (train["scheme"], train["sentences"], train["words"]) == ("bio", 4, 9)
    assert train["entities"] == {"LOC": 2, "ORG": 1, "PER": 1}
    assert train["untagged"] == {"count": 0, "first": []}
    # Lengths 1 2 2 4: half of the sentences have at most 2 words, 90 % at most 4.
    assert train["length"]["words"] == {"50": 2, "90": 4, "95": 4, "99": 4, "max": 4}
    assert train["length"]["subwords"]["max"] == 40
    assert json.loads(json.dumps(report)) == report


def test_orphans_and_what_each_reading_makes_of_them(data):
    orphans = check_folder(data)["splits"]["train"]["orphans"]
    assert orphans == {
        "count": 2,
        "first": [
            {"where": f"{data / 'train.txt'}:6", "word": "Kevin", "tag": "I-PER"},
            {"where": f"{data / 'train.txt'}:8", "word": "Oracle", "tag": "I-ORG"},
        ],
        "gold": {"default": 4, "strict": 2, "repaired": 4},
    }


def test_duplicates_within_and_across(data):
    report = check_folder(data)
    train, test = data / "train.txt", data / "test.txt"
    repeated = {"count": 1, "first": [[f"{train}:2", f"{train}:12"]]}
    assert report["splits"]["train"]["duplicates"] == repeated
    assert report["splits"]["test"]["duplicates"]["count"] == 0
    assert report["shared"] == {
        "train-test": {
            "sentences": {"count": 1, "first": [[f"{train}:2", f"{test}:2"]]},
            "pictures": {
                "count": 1,
                "first": [[str(data / "images" / "ok.jpg"), f"{train}:2", f"{test}:2"]],
            },
        }
    }


def test_pictures_that_cannot_be_used(data):
    report = check_folder(data)
    pictures = report["splits"]["train"]["pictures"]
    assert (pictures["referenced"], pictures["distinct"], pictures["sentences_without"]) == (
        4,
        4,
        0,
    )
    for kind, name, line in (
        ("missing", "gone.jpg", 6),
        ("tiny", "tiny.png", 12),
        ("unreadable", "bad.jpg", 16),
    ):
        (found,) = pictures[kind]["first"]
        assert pictures[kind]["count"] == 1
        assert found["where"] == f"{data / 'train.txt'}:{line}"
        assert found["path"] == str(data / "images" / name)
        assert found["reason"]
    test = report["splits"]["test"]["pictures"]
    assert (test["referenced"], test["sentences_without"]) == (1, 1)


def test_only_the_first_five_places_are_named(data):
    (data / "train.txt").write_text("a\tI-X\n\n" * 7)
    train = check_folder(data)["splits"]["train"]
    assert (train["orphans"]["count"], len(train["orphans"]["first"])) == (7, 5)
    assert (train["duplicates"]["count"], len(train["duplicates"]["first"])) == (6, 5)
    assert "train: orphan I- tags: 7. " in printed(check_folder(data))


def test_a_broken_split_is_a_problem_and_the_rest_is_checked(data):
    (data / "train.txt").write_text("a\tO\nb\n")
    report = check_folder(data, mapping={"NONE": "X"}, image_folder=data / "imges")
    assert list(report["splits"]) == ["test"]
    first, second, third = report["problems"]
    assert first.startswith("No picture folder")
    assert first.endswith(f"did you mean {data / 'images'}?")
    assert second.startswith(f"{data / 'train.txt'}:2: no tag")
    assert third.startswith("Cannot map type 'NONE'")
    text = printed(report)
    assert all(f"Problem: {problem}" in text for problem in report["problems"])


def test_nothing_to_check(tmp_path):
    (tmp_path / "empty").mkdir()
    (problem,) = check_folder(tmp_path / "empty")["problems"]
    assert "no data file (it is empty)" in problem
    report = check_folder(tmp_path / "absent")
    assert len(report["problems"]) == 1
    assert printed(report) == f"Problem: {report['problems'][0]}\n"


def test_sentences_without_tags_and_other_schemes(tmp_path):
    lines = [{"tokens": ["a"]}, {"tokens": ["b", "c"], "tags": ["B-X", "E-X"]}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    train = check_folder(tmp_path)["splits"]["train"]
    assert train["scheme"] == "bioes"
    assert train["untagged"] == {"count": 1, "first": [f"{tmp_path / 'train.jsonl'}:1"]}
    assert train["entities"] == {"X": 1}


def test_mapping_applies_to_what_is_counted(data):
    report = check_folder(data, mapping={"LOC": "PLACE", "ORG": "O"})
    assert report["splits"]["train"]["entities"] == {"PER": 1, "PLACE": 2}


def test_types_that_the_training_split_lacks_are_counted(tmp_path):
    (tmp_path / "train.txt").write_text("a\tB-PER\n")
    (tmp_path / "valid.txt").write_text("a\tO\nb\tB-PER\n\nc\tO\nd\tI-LOC\ne\tB-LOC\n")
    (tmp_path / "test.txt").write_text("a\tB-PER\n")
    report = check_folder(tmp_path)
    assert (report["unknown"], report["problems"]) == ({"valid": {"LOC": 2}}, [])
    line = "valid: entities of types that the training split does not know count as missed: LOC 2"
    assert line in printed(report)
    assert check_folder(tmp_path, mapping={"LOC": "PER"})["unknown"] == {}
    # Without tags, or without training data, there is nothing to compare with.
    (tmp_path / "train.txt").write_text("a\n")
    report = check_folder(tmp_path)
    assert report["unknown"] == {}
    assert report["problems"] == [
        "train: 1 of 1 sentences have no tags, from which training learns; the first is "
        f"{tmp_path / 'train.txt'}:1."
    ]
    (tmp_path / "train.txt").unlink()
    assert check_folder(tmp_path)["unknown"] == {}


def test_a_training_split_of_open_words_alone_is_a_problem(tmp_path):
    (tmp_path / "train.txt").write_text("a\t?\nb\t?\n\nc\t?\n")
    (problem,) = check_folder(tmp_path)["problems"]
    assert problem.startswith(f"train: {tmp_path / 'train.txt'}: every word is open ('?')")


def test_percentiles_are_the_lengths_so_many_sentences_do_not_exceed():
    expected = {"50": 50, "90": 90, "95": 95, "99": 99, "max": 100}
    assert percentiles(list(range(100, 0, -1))) == expected
    assert percentiles([3]) == dict.fromkeys(["50", "90", "95", "99", "max"], 3)


def test_the_table_names_every_figure_and_place(data):
    text = printed(check_folder(data, subwords=len))
    headings = ("entities (strict IOB2)", "orphan I- tags", "subwords: 50/90/95/99 %/max", "  tiny")
    for heading in headings:
        assert heading in text
    assert f"{data / 'train.txt'}:6 Kevin I-PER" in text
    assert "train-test: sentences in both: 1." in text


@pytest.mark.skipif(not (REAL / "twitter2015").is_dir(), reason="needs shared/data/twitter2015")
def test_twitter_2015():
    report = check_folder(REAL / "twitter2015")
    found = {name: split["orphans"] for name, split in report["splits"].items()}
    assert {name: f["count"] for name, f in found.items()} == {
        "train": 186,
        "valid": 53,
        "test": 135,
    }
    assert found["test"]["gold"] == {"default": 5207, "strict": 5072, "repaired": 5207}
    tags = [e.tags for e in load_folder(REAL / "twitter2015")["test"].examples]
    scores = score(tags, tags)
    assert (scores["gold"], scores["strict"]["gold"], scores["f1"]) == (5207, 5072, 100.0)
    assert report["splits"]["test"]["pictures"]["missing"]["count"] == 3257


FIELDS = [
    # mood, caption, boxes, sizes, mixed
    (["Anna", "ran"], 1, "a cat", [[1, 2], [3, 4]], [5, 6], 1),
    (["in", "Oslo", "."], 2.5, None, [[1, 2], [3, 4], [5, -9]], [1, 2, 3], [1, 2]),
    (["x"], -2, "", [[1, 2]], [4], {"a": True}),
]


def test_further_fields_are_told_with_their_kind_and_where_one_is_missing_or_odd(tmp_path):
    names = ("mood", "caption", "boxes", "sizes", "mixed")
    file = tmp_path / "train.jsonl"
    lines = []
    for tokens, *values in FIELDS:
        own = dict(zip(names, values, strict=True))
        lines.append(json.dumps({"tokens": tokens, "tags": ["O"] * len(tokens), **own}) + "\n")
    file.write_text("".join(lines))
    report = check_folder(tmp_path)
    nothing = {"count": 0, "first": []}

    def found(form, low, high, sentences=3, missing=nothing, odd=nothing):
        bounds = {"low": low, "high": high}
        return {"form": form, **bounds, "sentences": sentences, "missing": missing, "odd": odd}

    second = {"count": 1, "first": [f"{file}:2"]}
    assert report["splits"]["train"]["fields"] == {
        "boxes": found("2 numbers a word", -9, 5),
        "caption": found("text", None, None, 2, missing=second),
        "mixed": found(
            "1 number a sentence", 1, 1, odd={"count": 2, "first": [f"{file}:2", f"{file}:3"]}
        ),
        "mood": found("1 number a sentence", -2, 2.5),
        # As many numbers as words in every sentence.
        "sizes": found("1 number a word", 1, 6),
    }
    assert json.loads(json.dumps(report)) == report
    (tmp_path / "valid.jsonl").write_text('{"tokens": ["b"], "tags": ["O"], "mood": [1, 2]}\n')
    told = printed(check_folder(tmp_path)).splitlines()
    (row,) = (line for line in told if "field mood: 1 number a sentence" in line)
    assert [cell.strip() for cell in row.split("│")[2:4]] == ["3", "1 (2 numbers a sentence)"]
    below = told[told.index(row) + 1]
    assert [cell.strip() for cell in below.split("│")[1:4]] == [
        "its numbers",
        "-2 to 2.5",
        "1 to 2",
    ]
    assert f"train: sentences without field 'caption': 1. {file}:2" in told
    assert f"train: sentences with another field 'mixed': 2. {file}:2; {file}:3" in told


def test_files_that_exist_and_pages_behind_the_first_are_counted(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    pages = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    pages[0].save(images / "scan.tif", save_all=True, append_images=pages[1:])
    pages[0].save(images / "one.png")
    rows = [["scan.tif", "one.png"], ["scan"], ["gone.png"], ["https://a.example/b.jpg"]]
    lines = [json.dumps({"tokens": ["a"], "tags": ["O"], "images": row}) for row in rows]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    report = check_folder(tmp_path)
    pictures = report["splits"]["train"]["pictures"]
    counts = {name: pictures[name] for name in ("referenced", "distinct", "files")}
    assert counts == {"referenced": 5, "distinct": 4, "files": 2}
    place = {"where": f"{tmp_path / 'train.jsonl'}:1", "path": str(images / "scan.tif")}
    assert pictures["frames"] == {"count": 1, "first": [{**place, "further": 2}], "further": 2}
    missing = [(found["path"], found["reason"]) for found in pictures["missing"]["first"]]
    assert missing == [
        (str(images / "gone.png"), "no such file"),
        ("https://a.example/b.jpg", "is a URL; download it and name the file"),
    ]
    assert "pages or frames not used" in printed(report)
