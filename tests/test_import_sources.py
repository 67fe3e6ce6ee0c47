"""`mmseq data import`: which files are read, which split they are, and their pictures."""

import json
import os

import pytest

from mmseq.data.importing.sources import split_named


def text(word, *images):
    return json.dumps({"tokens": [word], "tags": ["O"], "images": list(images)}) + "\n"


def images_of(folder, split="train"):
    lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["images"] for line in lines]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.json", "train"),
        ("val.jsonl", "valid"),
        ("my_dev.csv", "valid"),
        ("train-00000-of-00001", "train"),
        ("eng.testb", "test"),
        ("Twitter2015 TEST.txt", "test"),
        ("admin.jsonl", None),
        ("latest.json", None),
        ("train_test.json", None),
    ],
)
def test_what_a_name_says(name, split):
    assert split_named(name) == split


def test_files_of_a_folder_are_its_splits_and_several_are_put_together(source, tmp_path, run_cli):
    for name in ("test", "dev", "a", "b"):
        (source / f"{name}.jsonl").write_text(text(name))
    (source / "notes.txt").write_text("no")
    done = run_cli("data", "import", "json", source, tmp_path / "out")
    assert done.code == 0
    found = {
        path.name: [json.loads(line)["tokens"][0] for line in path.read_text().splitlines()]
        for path in (tmp_path / "out").glob("*.jsonl")
    }
    assert found == {"train.jsonl": ["a", "b"], "valid.jsonl": ["dev"], "test.jsonl": ["test"]}
    facts = json.loads((tmp_path / "out" / "import.json").read_text())
    assert facts["format"] == "json"
    assert facts["sentences"] == {"train": 2, "valid": 1, "test": 1}


def test_a_split_can_be_said(source, tmp_path, run_cli):
    for name in ("a", "b"):
        (source / f"{name}.jsonl").write_text(text(name))
    given = [f"valid={source / 'a.jsonl'}", source / "b.jsonl"]
    run_cli("data", "import", "json", *given, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        "train.jsonl",
        "valid.jsonl",
    ]


def test_pictures_are_found_by_any_ending_beside_the_file_and_in_images(source, tmp_path, run_cli):
    (source / "images" / "1.JPG").write_bytes(b"1")
    (source / "2.png").write_bytes(b"2")
    (source / "images" / "sub").mkdir()
    (source / "images" / "sub" / "3.png").write_bytes(b"3")
    names = ["1", "2.png", "images/1.JPG", "sub\\3.png", str(source / "images" / "sub" / "3.png")]
    (source / "a.jsonl").write_text(text("a", *names))
    done = run_cli("data", "import", "json", source / "a.jsonl", tmp_path / "out")
    assert images_of(tmp_path / "out") == [["1.JPG", "2.png", "1.JPG", "sub/3.png", "sub/3.png"]]
    assert "Pictures: 3 in images/" in done.out.splitlines()
    for path in (source / "images" / "1.JPG", source / "2.png"):
        path.unlink()
    assert (tmp_path / "out" / "images" / "1.JPG").read_bytes() == b"1"


def test_nothing_outside_the_folder_is_read(source, tmp_path, run_cli):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    os.symlink(secret, source / "images" / "link.png")
    names = ["../secret.png", str(secret), "link.png", "images/../../secret.png", "file:///x.png",
             "https://a.b/c.png", "C:\\x.png", "gone.png", "."]  # fmt: skip
    (source / "a.jsonl").write_text(text("a", *names))
    done = run_cli("data", "import", "json", source / "a.jsonl", tmp_path / "out")
    assert done.code == 0
    assert images_of(tmp_path / "out") == [names]
    assert not (tmp_path / "out" / "images").exists()
    assert (
        "Pictures: 0 in images/, mentions of missing ones: 1 (first: gone.png), mentions of ones "
        "outside the source's folder, which are not read: 6 (first: ../secret.png), mentions of "
        "URLs, which are not fetched: 2 (first: file:///x.png)"
    ) in done.out.splitlines()


def test_two_pictures_of_one_name_stay_two(source, tmp_path, run_cli):
    for part, content in (("train", b"1"), ("test", b"2"), ("dev", b"1")):
        (source / part / "images").mkdir(parents=True)
        (source / part / "images" / "a.png").write_bytes(content)
        (source / part / "all.jsonl").write_text(text(part, "a.png"))
    run_cli("data", "import", "json", source, tmp_path / "out")
    out = tmp_path / "out"
    assert images_of(out) == images_of(out, "valid") == [["a.png"]]
    assert images_of(out, "test") == [["2/a.png"]]
    assert (out / "images" / "2" / "a.png").read_bytes() == b"2"


def test_archives_folders_without_files_and_full_folders_are_refused(source, tmp_path, run_cli):
    (source / "export.zip").write_bytes(b"PK\x03\x04rest")
    out = tmp_path / "out"
    zipped = run_cli("data", "import", "doccano", source / "export.zip", out)
    assert zipped.code == 2
    assert "is a ZIP archive; unpack it" in zipped.err
    empty = run_cli("data", "import", "doccano", source, out)
    assert "no file that 'doccano' reads (.jsonl, .json, .json1): it holds export.zip" in empty.err
    gone = run_cli("data", "import", "doccano", source / "export.zi", out)
    assert "did you mean" in gone.err
    (source / "a.jsonl").write_text(text("a"))
    full = run_cli("data", "import", "json", source / "a.jsonl", source)
    assert "exists and is not empty" in full.err
    wrong = run_cli("data", "import", "docano", source, out)
    assert "Did you mean 'doccano'?" in wrong.err
    alone = run_cli("data", "import", "json", source)
    assert "Give a source and the new folder" in alone.err
    assert not out.exists()


def test_the_splitter_is_the_one_with_the_fewest_spans_in_words(source, tmp_path, run_cli):
    chinese = {"text": "王明去了北京。", "spans": [[0, 2, "PER"], [4, 6, "LOC"]]}
    (source / "a.json").write_text(json.dumps([chinese]), encoding="utf-8")
    done = run_cli("data", "import", "json", source / "a.json", tmp_path / "a")
    assert "cut into words by 'characters'" in done.out
    row = json.loads((tmp_path / "a" / "train.jsonl").read_text(encoding="utf-8"))
    assert row["tokens"] == list("王明去了北京。")
    assert row["tags"] == ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    own = run_cli(
        "data", "import", "json", source / "a.json", tmp_path / "b", "--splitter", "whitespace"
    )
    assert "(the words are cut there): 2 of 2" in own.out
    wrong = run_cli(
        "data", "import", "json", source / "a.json", tmp_path / "c", "--splitter", "spaces"
    )
    assert wrong.code == 2
    assert "Available: characters" in wrong.err


def test_what_is_imported_splits_and_is_read_back(source, tmp_path, run_cli):
    (source / "images" / "p.png").write_bytes(b"p")
    entries = [
        {
            "id": n,
            "text": f"Anna {n}",
            "label": [[0, 4, "PER"]],
            "image": "p.png" if n < 3 else None,
        }
        for n in range(10)
    ]
    (source / "a.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    run_cli("data", "import", "doccano", source, tmp_path / "a")
    done = run_cli("data", "split", tmp_path / "a" / "train.jsonl", "--output", tmp_path / "b")
    assert done.code == 0
    assert "8 groups" in done.out
    shown = run_cli("data", "show", tmp_path / "b" / "train.jsonl")
    assert "Anna/B-PER" in shown.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.jsonl", '{"text": "Anna ran", "label": [[0, 4, "PER"]]}\n'),
        ("train.txt", "Anna ran.\n"),
    ],
)
def test_what_is_to_be_imported_is_told_so_where_it_is_read(name, text, tmp_path, run_cli):
    (tmp_path / name).write_text(text)
    (tmp_path / "train.ann").write_text("T1\tPER 0 4\tAnna\n")
    told = run_cli("data", "check", tmp_path)
    assert told.code == 1
    assert "mmseq data import" in told.out + told.err
