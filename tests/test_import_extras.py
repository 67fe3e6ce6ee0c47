"""`mmseq data import` of what packages of extras write: spaCy's files, Hugging Face's folders."""

import io
import json
import sys

import pytest
from PIL import Image

from mmseq.data.splits import load_folder


def rows(folder, split="train"):
    lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def spacy():
    return pytest.importorskip("spacy", reason="the extra spacy is not installed")


@pytest.fixture
def datasets():
    return pytest.importorskip("datasets", reason="the extra datasets is not installed")


@pytest.mark.filterwarnings("default")
def test_spacy(spacy, tmp_path, run_cli):
    from spacy.tokens import Doc, DocBin, Span

    nlp = spacy.blank("en")
    first = nlp("Anna doesn't live in New York.\nShe ran.")
    assert [token.text for token in first][6:9] == ["York", ".", "\n"]
    first.ents = [Span(first, 0, 1, "PER"), Span(first, 5, 7, "LOC")]
    for token in first:
        token.is_sent_start = token.i in (0, 9)
    partly = Doc(nlp.vocab, ["Bob", "met", "Eve"])
    partly.set_ents([Span(partly, 0, 1, "PER")], outside=[partly[1:2]], default="missing")
    bare = Doc(nlp.vocab, ["x"])
    DocBin(docs=[first, partly, bare], store_user_data=True).to_disk(tmp_path / "dev.spacy")
    done = run_cli("data", "import", "spacy", tmp_path / "dev.spacy", tmp_path / "out")
    assert done.code == 0, done.err
    found = rows(tmp_path / "out", "valid")
    assert [list(zip(row["tokens"], row["tags"], strict=True)) for row in found] == [
        [("Anna", "B-PER"), ("does", "O"), ("n't", "O"), ("live", "O"), ("in", "O"),
         ("New", "B-LOC"), ("York", "I-LOC"), (".", "O")],
        [("She", "O"), ("ran", "O"), (".", "O")],
        [("Bob", "B-PER"), ("met", "O"), ("Eve", None)],
    ]  # fmt: skip
    assert [row["id"] for row in found] == ["dev-1-1", "dev-1-2", "dev-2"]
    assert [row.get("document") for row in found] == ["dev-1", "dev-1", None]
    assert "Left out: entries (not annotated): 1" in done.out


@pytest.mark.filterwarnings("default")
def test_a_damaged_spacy_file_is_one_line(spacy, tmp_path, run_cli):
    (tmp_path / "a.spacy").write_bytes(b"not a DocBin")
    done = run_cli("data", "import", "spacy", tmp_path / "a.spacy", tmp_path / "out")
    assert done.code == 2
    assert "a.spacy: cannot be read as a DocBin" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def png(colour):
    file = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.filterwarnings("default")
def test_datasets(datasets, tmp_path, run_cli, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(names),
            "pos_tags": datasets.Sequence(datasets.Value("int32")),
            "image": datasets.Image(),
        }
    )
    red, blue = png("red"), png("blue")
    table = {
        "id": ["a", "b", "c"],
        "tokens": [["Anna", "Lee", "ran"], ["so"], ["Bob"]],
        "ner_tags": [[1, 2, 0], [0], [1]],
        "pos_tags": [[1, 2, 3], [4], [5]],
        "image": [{"bytes": red, "path": None}, None, {"bytes": blue, "path": "x/b.png"}],
    }
    whole = datasets.Dataset.from_dict(table, features=features)
    both = datasets.DatasetDict({"train": whole, "validation": whole.select([2])})
    both.save_to_disk(str(tmp_path / "saved"))
    done = run_cli("data", "import", "datasets", tmp_path / "saved", tmp_path / "out")
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert [(row["id"], row["tokens"], row["tags"], row["images"]) for row in rows(out)] == [
        ("a", ["Anna", "Lee", "ran"], ["B-PER", "I-PER", "O"], ["1.png"]),
        ("b", ["so"], ["O"], []),
        ("c", ["Bob"], ["B-PER"], ["b.png"]),
    ]
    assert rows(out)[0]["pos_tags"] == [1, 2, 3]
    assert (out / "images" / "1.png").read_bytes() == red
    assert [row["images"] for row in rows(out, "valid")] == [["b.png"]]
    assert sorted(path.name for path in (out / "images").iterdir()) == ["1.png", "b.png"]
    assert {name: len(split.examples) for name, split in load_folder(out).items()} == {
        "train": 3,
        "valid": 1,
    }
    one = run_cli("data", "import", "datasets", f"test={tmp_path / 'saved' / 'train'}",
                  tmp_path / "one")  # fmt: skip
    assert one.code == 0, one.err
    assert len(rows(tmp_path / "one", "test")) == 3


@pytest.mark.filterwarnings("default")
def test_texts_with_spans_in_a_data_set(datasets, tmp_path, run_cli):
    whole = datasets.Dataset.from_list(
        [{"text": "Anna ran", "entities": [{"start": 0, "end": 4, "label": "PER"}]},
         {"text": "so", "entities": []}]
    )  # fmt: skip
    whole.save_to_disk(str(tmp_path / "saved"))
    done = run_cli("data", "import", "datasets", tmp_path / "saved", tmp_path / "out")
    assert done.code == 0, done.err
    assert [row["tags"] for row in rows(tmp_path / "out")] == [["B-PER", "O"], ["O"]]


@pytest.mark.parametrize(
    ("form", "package", "name"), [("spacy", "spacy", "a.spacy"), ("datasets", "datasets", "d")]
)
def test_without_the_package_one_line_says_what_to_install(
    form, package, name, tmp_path, run_cli, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    source = tmp_path / name
    if form == "datasets":
        source.mkdir()
        (source / "state.json").write_text("{}")
    else:
        source.write_bytes(b"x")
    done = run_cli("data", "import", form, source, tmp_path / "out")
    assert done.code == 2
    assert f"pip install 'mmseq[{package}]'" in done.err


def test_a_folder_that_no_data_set_wrote_is_one_line(tmp_path, run_cli):
    (tmp_path / "d").mkdir()
    done = run_cli("data", "import", "datasets", tmp_path / "d", tmp_path / "out")
    assert done.code == 2
    assert "not a data set that `save_to_disk` wrote" in done.err
