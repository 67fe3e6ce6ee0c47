"""`mmseq data import`: small files in the exact form of each format, counted by hand."""

import json

import pytest

from mmseq.cli.data_import import import_data
from mmseq.data.importing.formats import FORMATS
from mmseq.data.splits import load_folder


def rows(folder, split="train"):
    lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def pairs(row):
    """Word/tag with O left out: what a person compares."""
    tags = row.get("tags") or ["O"] * len(row["tokens"])
    return " ".join(w if t == "O" else f"{w}/{t}" for w, t in zip(row["tokens"], tags, strict=True))


@pytest.fixture
def bring(tmp_path, run_cli):
    """`bring("csv", {"a.csv": "…"}, "--column", …)`: the result, and the folder that was made."""

    def call(form, files, *options, source=None):
        folder = tmp_path / "source"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = text if isinstance(text, bytes) else text.encode()
            path.write_bytes(data)
        given = source or [folder / name for name in files][:1]
        done = run_cli("data", "import", form, *given, tmp_path / "out", *options)
        assert not list(tmp_path.glob(".out-*"))
        if done.code:
            assert not (tmp_path / "out").exists()
            assert len(done.err.splitlines()) == 1, done.err
        else:
            load_folder(tmp_path / "out")
        return done, tmp_path / "out"

    return call


def test_the_help_lists_what_there_is():
    listed = import_data.help or ""
    assert [name for name in FORMATS if f"  {name}  " not in listed] == []


# doccano


def test_doccano(bring):
    lines = [
        '{"id": 11, "text": "Anna lives in Oslo.", "label": [[0, 4, "PER"], [14, 18, "LOC"]]}',
        '{"id": 12, "text": "Nothing here", "label": [], "Comments": []}',
        '{"id": 13, "text": "Bob", "label": [[0, 3, "PER"]], "meta": {"image": "x", "by": "T"}}',
    ]
    done, out = bring("doccano", {"admin.jsonl": "\n".join(lines)})
    assert [pairs(row) for row in rows(out)] == [
        "Anna/B-PER lives in Oslo/B-LOC .",
        "Nothing here",
        "Bob/B-PER",
    ]
    assert [row["id"] for row in rows(out)] == ["11", "12", "13"]
    assert rows(out)[2]["images"] == ["x"]
    assert rows(out)[2]["by"] == "T"
    assert done.out.splitlines()[:3] == [
        "train.jsonl: 3 sentences, 8 words",
        "Entities: 3 (LOC 1, PER 2)",
        "3 texts with 3 spans, cut into words by 'tweet'",
    ]


def test_doccano_with_relations(bring):
    record = {
        "id": 1,
        "text": "Anna lives in Oslo.",
        "Comments": [],
        "entities": [
            {"id": 7, "label": "PER", "start_offset": 0, "end_offset": 4},
            {"id": 8, "label": "LOC", "start_offset": 14, "end_offset": 18},
        ],
        "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "lives in"}],
    }
    done, out = bring("doccano", {"all.json": json.dumps([record, record])})
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER lives in Oslo/B-LOC ."] * 2
    assert "Left out: relations: 2" in done.out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "Anna", "annotations": [{"label": 3, "start_offset": 0, "end_offset": 4}]}',
         "its type is the number 3; export the names"),
        ('{"text": "Anna", "label": [[0, 9, "PER"]]}', "does not fit into the text of 4"),
        ('{"text": "Anna", "label": [[0, "4", "PER"]]}', 'its end is "4"'),
        ('{"text": "Anna", "label": [[0, 4]]}', "write [start, end, type]"),
        ('{"text": "Anna", "label": [], "labels": []}', "--column spans=label"),
        ('{"text": "Anna"}', "not an entry of doccano"),
        ('{"text": 3, "label": []}', "'text' is 3; make it a string"),
        ('{"text": "Anna", "label": [[0, 4, "-PER"]]}', "without hyphens at its ends"),
        ('{"text": "Anna", "label": [], "relations": 1}', "'relations' is 1; make it a list"),
        ("[1]", "not a JSON object"),
        ('{"text": "Anna"', "not JSON"),
    ],
)  # fmt: skip
def test_what_doccano_does_not_write_is_one_line_with_its_place(bring, line, words):
    ok = '{"text": "Bob", "label": []}\n'
    done, _ = bring("doccano", {"a.jsonl": ok + line + "\n"})
    assert done.code == 2
    assert "a.jsonl:2: " in done.err
    assert words in done.err


# Label Studio


def task(text, *results, **more):
    made = [{"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}]
    return {"id": 5, "data": {"text": text}, "annotations": made} | more


def region(start, end, text, *labels):
    value = {"start": start, "end": end, "text": text, "labels": list(labels)}
    return {"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def test_label_studio(bring):
    tasks = [
        task(
            "Anna lives in Oslo",
            region(0, 4, "Anna", "PER"),
            region(14, 18, "Oslo", "LOC"),
            {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
            {"type": "choices", "value": {"choices": ["good"]}},
        ),
        {"id": 6, "data": {"text": "not yet"}, "annotations": []},
        task("gone", annotations=[{"was_cancelled": True, "result": []}]),
        task(
            "Anna ran",
            annotations=[
                {"result": []},
                {"result": [region(0, 4, "Anna", "PER")], "ground_truth": True},
            ],
        ),
        task("\U0001f600 Anna", region(3, 7, "Anna", "PER")),
    ]
    done, out = bring("label-studio", {"export.json": json.dumps(tasks, indent=1)})
    assert [pairs(row) for row in rows(out)] == [
        "Anna/B-PER lives in Oslo/B-LOC",
        "Anna/B-PER ran",
        "\U0001f600 Anna/B-PER",
    ]
    for line in (
        "Left out: relations: 1",
        "Left out: results that are no spans of text: 1",
        "Left out: further annotations of one text: 1",
        "Left out: entries (not annotated): 1",
        "Left out: entries (cancelled): 1",
        "Texts whose spans count emoji as two characters, which is taken into account: 1",
    ):
        assert line in done.out


def test_label_studio_min_with_pictures_under_their_uploaded_names(bring):
    spans = [{"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}]
    small = [
        {
            "id": 1,
            "text": "Anna",
            "image": "/data/upload/1/ab-1.jpg",
            "label": spans,
            "lead_time": 2,
        },
        {"id": 2, "text": "ran", "image": "/data/local-files/?d=in/2%20b.png"},
        {"id": 3, "text": "off", "image": "https://host/3.jpg"},
    ]
    done, out = bring(
        "label-studio",
        {"export.json": json.dumps(small), "images/ab-1.jpg": b"1", "in/2 b.png": b"2"},
    )
    assert [row["images"] for row in rows(out)] == [
        ["ab-1.jpg"],
        ["in/2 b.png"],
        ["https://host/3.jpg"],
    ]
    assert (out / "images" / "in" / "2 b.png").read_bytes() == b"2"
    assert "Pictures: 2 in images/, mentions of URLs, which are not fetched: 1" in done.out


# Prodigy


def test_prodigy(bring):
    entries = [
        {
            "text": "Anna's in Oslo",
            "_input_hash": 1,
            "_task_hash": 2,
            "tokens": [
                {"text": "Anna", "start": 0, "end": 4, "id": 0, "ws": False},
                {"text": "'s", "start": 4, "end": 6, "id": 1, "ws": True},
                {"text": "in", "start": 7, "end": 9, "id": 2, "ws": True},
                {"text": "Oslo", "start": 10, "end": 14, "id": 3, "ws": False},
            ],
            "spans": [
                {"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "PER"},
                {"start": 10, "end": 14, "token_start": 3, "token_end": 3, "label": "LOC"},
            ],
            "relations": [{"head": 0, "child": 3, "label": "IN"}],
            "_view_id": "ner_manual",
            "answer": "accept",
            "_timestamp": 3,
            "meta": {"source": "x"},
        },
        {"text": "No", "spans": [], "answer": "reject"},
        {"text": "No", "spans": [], "answer": "ignore"},
        {"text": "Bob ran", "spans": [{"start": 0, "end": 3, "label": "PER"}],
         "image": "data:image/png;base64,aGVsbG8="},
    ]  # fmt: skip
    done, out = bring("prodigy", {"db.jsonl": "".join(json.dumps(e) + "\n" for e in entries)})
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER 's in Oslo/B-LOC", "Bob/B-PER ran"]
    name = rows(out)[1]["images"][0]
    assert name.endswith(".png")
    assert (out / "images" / name).read_bytes() == b"hello"
    assert rows(out)[0]["meta"] == {"source": "x"}
    assert not any(key.startswith("_") for row in rows(out) for key in row)
    assert "Left out: relations: 1" in done.out
    assert "Left out: entries (the answer is 'reject'): 1" in done.out
    assert "Left out: entries (the answer is 'ignore'): 1" in done.out


# brat

BRAT = "Anna lives in Oslo.\nIn New\nYork she ran.\n"
ANN = """T1\tPER 0 4\tAnna
T2\tLOC 14 18\tOslo
T3\tLOC 23 31\tNew York
T4\tPER 32 35;37 40\tshe ran
R1\tlives-in Arg1:T1 Arg2:T2
A1\tSure T1
#1\tAnnotatorNotes T1\ta note
*\tEquiv T2 T3
"""


def test_brat(bring, tmp_path):
    files = {"c/dev/a.txt": BRAT, "c/dev/a.ann": ANN, "c/b.txt": "Bob", "c/b.ann": "",
             "c/no.txt": "x"}  # fmt: skip
    done, out = bring("brat", files, source=[tmp_path / "source" / "c"])
    assert [pairs(row) for row in rows(out, "valid")] == [
        "Anna/B-PER lives in Oslo/B-LOC .",
        "In New/B-LOC York/I-LOC she ran .",
    ]
    assert [(row["id"], row["document"]) for row in rows(out, "valid")] == [
        ("a-1", "a"),
        ("a-2", "a"),
    ]
    assert [pairs(row) for row in rows(out)] == ["Bob"]
    for line in (
        "Left out: relations: 2",
        "Left out: attributes: 1",
        "Left out: notes: 1",
        "Left out: spans in several pieces: 1",
        "Left out: entries (no .ann file beside the .txt): 1",
    ):
        assert line in done.out


def test_a_line_break_of_windows_is_two_characters_as_brat_counts(bring):
    done, out = bring("brat", {"a.txt": "Anna\r\nran Oslo", "a.ann": "T1\tLOC 10 14\tOslo\r\n"})
    assert [pairs(row) for row in rows(out)] == ["Anna", "ran Oslo/B-LOC"]


@pytest.mark.parametrize(
    ("ann", "words"),
    [
        ("T1\tPER 0 9\tAnna", "does not fit into the text of 4 characters"),
        ("T1\tPER 0 3\tAnna", "the file says 'Anna'"),
        ("T1 PER 0 4 Anna", "write T1, a tab"),
        ("Q1\tPER 0 4", "not an annotation of brat"),
    ],
)
def test_what_brat_does_not_write_is_one_line(bring, ann, words):
    done, _ = bring("brat", {"a.txt": "Anna", "a.ann": ann})
    assert done.code == 2
    assert "a.ann" in done.err
    assert words in done.err


# AutoGluon


def test_autogluon(bring):
    text = """text_snippet,image,entity_annotations
"Anna lives","1.jpg;2.jpg","[{""entity_group"": ""PER"", ""start"": 0, ""end"": 4}]"
"New York, now",,"[{""entity_group"": ""B-LOC"", ""start"": 0, ""end"": 3},
 {""entity_group"": ""I-LOC"", ""start"": 4, ""end"": 8}]"
nothing,,[]
"""
    done, out = bring("autogluon", {"test.csv": text, "images/1.jpg": b"1"})
    assert [pairs(row) for row in rows(out, "test")] == [
        "Anna/B-PER lives",
        "New/B-LOC York/I-LOC , now",
        "nothing",
    ]
    assert [row["images"] for row in rows(out, "test")] == [["1.jpg", "2.jpg"], [], []]
    assert "Pictures: 1 in images/, mentions of missing ones: 1" in done.out


# CSV


def test_csv_with_a_text_a_row_and_names_of_its_own(bring):
    text = 'tweet;marked;photo\n"Anna; here";"[[0, 4, ""PER""]]";1.jpg\nran;;\n'
    done, out = bring(
        "csv", {"a.csv": text},
        "--column", "text=tweet", "--column", "spans=marked", "--column", "image=photo",
    )  # fmt: skip
    assert done.code == 0
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER ; here", "ran"]
    assert [row["images"] for row in rows(out)] == [["1.jpg"], []]


def test_csv_with_words_and_tags_in_cells(bring):
    text = "\ufefftokens\tner_tags\n['Anna', 'ran']\t\"[1, 0]\"\nin Oslo\t0 2\n"
    done, out = bring("csv", {"a.tsv": text}, "--tag-names", "O,B-PER,B-LOC")
    assert done.code == 0
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER ran", "in Oslo/B-LOC"]


KAGGLE = """Sentence #,Word,POS,Tag
Sentence: 1,Anna,NNP,B-PER
,ran,VBD,O
,",",",",O
Sentence: 2,In,IN,O
,Oslo,NNP,B-LOC
"""


def test_csv_with_a_word_a_row(bring):
    done, out = bring("csv", {"a.csv": KAGGLE})
    assert [(row["id"], pairs(row)) for row in rows(out)] == [
        ("Sentence: 1", "Anna/B-PER ran ,"),
        ("Sentence: 2", "In Oslo/B-LOC"),
    ]
    assert "Entities: 2 (LOC 1, PER 1)" in done.out


def test_csv_with_blank_rows_between_and_without_a_header(bring):
    text = "Anna,B-PER\nran,O\n,\nOslo,B-LOC\n"
    done, out = bring("csv", {"a.csv": text}, "--column", "word=1", "--column", "tag=2")
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER ran", "Oslo/B-LOC"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\nx,y\n", (), "no text and no words among the fields (a, b)"),
        ("text,n\nx,y\n", (), "no spans among the fields"),
        ("text,sentence,spans\nx,y,[]\n", (), "'text' and 'sentence' may both be the text"),
        ("text,spans\nx\n", (), "a.csv:2: 1 cells, but the first row has 2"),
        ('text,spans\n"x,[]\n', (), "a.csv:2: not CSV"),
        ("word,tag\nAnna,O\n", (), "no column says which sentence a word is of"),
        ("text,spans\nx,[]\n", ("--column", "text=txt"), "Did you mean 'text'?"),
        ("text,spans\nx,[]\n", ("--column", "txt=text"), "Unknown role 'txt'"),
        ("tokens,tags\na b,O\n", (), "a.csv:2: 2 'tokens' but 1 'tags'"),
        ("tokens,tags\na,1\n", ("--tag-names", "O"), "but --tag-names has 1 names"),
        ("", (), "holds no row"),
        ("text,spans\n", (), "no sentence in it"),
    ],
)
def test_tables_that_cannot_be_read_are_one_line(bring, text, options, words):
    done, _ = bring("csv", {"a.csv": text}, *options)
    assert done.code == 2
    assert words in done.err


# JSON


@pytest.mark.parametrize(
    "text",
    [
        '[{"tokens": ["Anna", "ran"], "ner_tags": ["B-PER", "O"]}]',
        '{"tokens": ["Anna", "ran"], "tags": ["B-PER", "O"]}\n',
        '{"version": 1, "data": [{"words": ["Anna", "ran"], "labels": ["B-PER", "O"]}]}',
        '{\n"data": [\n{"words": ["Anna", "ran"], "labels": ["B-PER", "O"]}\n]\n}',
        '[["Anna ran", {"entities": [[0, 4, "PER"]]}]]',
        '[{"text": "Anna ran", "spans": [{"start": 0, "end": 4, "label": "PER"}]}]',
        '[{"text": "Anna ran", "entities": [{"type": "PER", "start": 0, "end": 1, "start_char": 0, '
        '"end_char": 4}]}]',
    ],
)
def test_json_in_its_shapes(bring, text):
    _, out = bring("json", {"a.json": text})
    assert [pairs(row) for row in rows(out)] == ["Anna/B-PER ran"]


def test_numbers_for_tags_need_names(bring):
    text = '[{"tokens": ["Anna", "ran"], "ner_tags": [1, 0]}]'
    done, _ = bring("json", {"a.json": text})
    assert "--tag-names O,B-PER,I-PER" in done.err
    _, out = bring("json", {"a.json": text}, "--tag-names", "O,B-PER,I-PER")
    assert pairs(rows(out)[0]) == "Anna/B-PER ran"


def test_tags_stay_as_they_are_and_odd_ones_are_told(bring, tmp_path, run_cli):
    text = '[{"tokens": ["Anna", "ran"], "tags": ["B-PER", null]}]'
    _, out = bring("json", {"a.json": text})
    assert rows(out)[0]["tags"] == ["B-PER", None]
    (tmp_path / "b.json").write_text('[{"tokens": ["Anna", "ran"], "tags": ["PER", "O"]}]')
    done = run_cli("data", "import", "json", tmp_path / "b.json", tmp_path / "b")
    assert rows(tmp_path / "b")[0]["tags"] == ["PER", "O"]
    assert "Sentences whose tags are no BIO or BIOES" in done.out
    assert "b.json:1: 'PER'" in done.out
    (tmp_path / "c.json").write_text('[{"tokens": ["A", "B", "C"], "tags": ["B-X", "E-X", "S-X"]}]')
    done = run_cli("data", "import", "json", tmp_path / "c.json", tmp_path / "c")
    assert "Entities: 2 (X 2)" in done.out


def test_large_arrays_are_read_an_entry_at_a_time_with_their_lines(bring):
    entries = [{"tokens": ["w" * 700, str(n)], "tags": ["O", "B-X"]} for n in range(500)]
    body = ",\n".join(json.dumps(e, indent=1) for e in entries)
    done, out = bring("json", {"a.json": f"[\n{body}\n]\n"})
    assert [row["tokens"] for row in rows(out)] == [e["tokens"] for e in entries]
    (out / "train.jsonl").unlink()
    for path in [*out.iterdir()]:
        path.unlink()
    out.rmdir()
    # An entry has 10 lines.
    broken = body.replace('"499"', "499")
    done, _ = bring("json", {"a.json": f"[\n{broken}\n]\n"})
    assert f"a.json:{2 + 499 * 10}: 'tokens', entry 2 is 499" in done.err
    done, _ = bring("json", {"a.json": f"[\n{body}\n"})
    assert "ends inside its array" in done.err
