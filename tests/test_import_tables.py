"""`mmseq data import` of tables and JSON as others lay them out: sentences written down by hand."""

import json

import pytest
from PIL import Image


@pytest.fixture
def bring(tmp_path, run_cli):
    """`bring("csv", "a.csv", text, "--tag-names", …)`: sentences as `word/tag` strings, or the
    message that refused them.
    """

    def call(form, name, text, *options):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        out = tmp_path / "out"
        done = run_cli("data", "import", form, tmp_path / name, out, *options)
        if done.code:
            assert len(done.err.splitlines()) == 1
            return done.err
        lines = (out / "train.jsonl").read_text(encoding="utf-8").splitlines()
        return [shown(json.loads(line)) for line in lines]

    return call


def shown(row):
    tags = row.get("tags") or ["-"] * len(row["tokens"])
    return " ".join(f"{word}/{tag}" for word, tag in zip(row["tokens"], tags, strict=True))


ANNA = ["Anna/B-PER lives/O", "Oslo/B-LOC"]


@pytest.mark.parametrize(
    "text",
    [
        "sentence_id\twords\tlabels\n0\tAnna\tB-PER\n0\tlives\tO\n1\tOslo\tB-LOC\n",
        "Sentence #,Tokens,NER_Tag\n1,Anna,B-PER\n,lives,O\n2,Oslo,B-LOC\n",
        'sentence,word_labels\nAnna lives,"B-PER,O"\nOslo,B-LOC\n',
        "sentence,word_labels\nAnna lives,B-PER O\nOslo,B-LOC\n",
        "Sentence #,Sentence,POS,Tag\n1,Anna lives,\"['N','V']\",\"['B-PER', 'O']\"\n"
        "2,Oslo,['N'],['B-LOC']\n",
        "sep=;\nword;tag;sentence\nAnna;B-PER;1\nlives;O;1\nOslo;B-LOC;2\n",
        # Each document counts its sentences anew.
        "doc,sentence,word,tag\na,1,Anna,B-PER\na,1,lives,O\nb,1,Oslo,B-LOC\n",
    ],
)
def test_tables_of_words_and_of_sentences(bring, text):
    assert bring("csv", "a.csv", text) == ANNA


def test_a_row_that_cannot_be_told_names_both_ways(bring):
    message = bring("csv", "a.csv", "text,image\nAnna lives,1.jpg\n")
    assert "a.csv:2: no spans among the fields (text, image)" in message
    assert "--column spans=NAME" in message
    assert "--column tokens=text --column tags=NAME" in message


def test_lines_after_a_line_of_excel_are_counted_from_the_top(bring):
    assert "a.csv:3: 1 cells" in bring("csv", "a.csv", "sep=;\nword;tag\nAnna\n")


@pytest.mark.parametrize(
    ("records", "sentences"),
    [
        ([{"tokens": ["Anna", "lives"], "nerTags": ["B-PER", "O"]}], ["Anna/B-PER lives/O"]),
        ([{"sentence": ["Anna", "lives"], "labels": ["B-PER", "O"]}], ["Anna/B-PER lives/O"]),
        ([{"text": "Anna lives", "labels": ["B-PER", "O"]}], ["Anna/B-PER lives/O"]),
        ([{"tokens": ["a"], "tags": ["O"], "label": "x", "ner": [[0, 0, "PER"]]}], ["a/O"]),
        # Spans of characters in a text that is cut into words.
        (
            [{"text": "(Anna) lives", "tokens": ["(", "Anna", ")", "lives"],
              "entities": [{"start": 1, "end": 5, "label": "PER"}]}],
            ["(/O Anna/B-PER )/O lives/O"],
        ),
        # Types beside the entries, and an entry that was passed over.
        (
            {"classes": ["PER"],
             "annotations": [["Anna lives", {"entities": [[0, 4, "PER"]]}], None]},
            ["Anna/B-PER lives/O"],
        ),
    ],
)  # fmt: skip
def test_records(bring, records, sentences):
    assert bring("json", "a.json", json.dumps(records)) == sentences


@pytest.mark.parametrize("field", ["entities", "spans", "annotations"])
def test_annotations_of_words_that_are_no_tags_are_refused(bring, field):
    spans = [{"type": "PER", "start": 0, "end": 1}]
    message = bring("json", "a.json", json.dumps([{"tokens": ["Anna"], field: spans}]))
    assert f"words without tags, and '{field}' holds" in message
    assert "--column tags=NAME" in message


def test_numbers_that_pandas_made_fractions_or_text(bring):
    records = [{"tokens": ["Anna", "lives"], "tags": tags} for tags in ([1.0, 0.0], ["1", "0"])]
    names = ("--tag-names", "O,B-PER")
    assert bring("json", "a.json", json.dumps(records), *names) == ["Anna/B-PER lives/O"] * 2


def test_a_file_name_is_a_picture_where_it_ends_so(bring, tmp_path, run_cli):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    records = [{"tokens": ["a"], "tags": ["O"], "filename": f} for f in ("a.png", "a.txt", "b.png")]
    (tmp_path / "a.json").write_text(json.dumps(records))
    done = run_cli("data", "import", "json", tmp_path / "a.json", tmp_path / "out")
    assert "1 in images/, mentions of missing ones: 1 (first: b.png)" in done.out
    lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line)["images"] for line in lines] == [["a.png"], [], ["b.png"]]


@pytest.mark.parametrize(("start", "said"), [(12, "Oslo"), (11, "Oslo")])
def test_brat_texts_whose_line_breaks_became_two_characters(tmp_path, run_cli, start, said):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"Anna lives\r\nOslo\r\n")
    (folder / "a.ann").write_text(f"T1\tLOC {start} {start + 4}\t{said}\n")
    assert run_cli("data", "import", "brat", folder, tmp_path / "out").code == 0
    lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert [shown(json.loads(line)) for line in lines] == ["Anna/O lives/O", "Oslo/B-LOC"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xlsx", b"PK\x03\x04..", "is a workbook or document; save it as CSV"),
        ("a.jsonl", b"PK\x03\x04..", "is a ZIP archive; unpack it"),
        ("a.txt", b"\x1f\x8b\x08\x00", "is a gzip archive; unpack it"),
        ("a.parquet", b"PAR1..", "is a Parquet table; open it with the package datasets"),
        ("a.pkl", b"\x80\x04..", "is a pickle, which is never opened"),
        ("a.conll", b"%PDF-1.4", "is a PDF; give its text"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, run_cli, name, data, said):
    (tmp_path / name).write_bytes(data)
    assert said in run_cli("data", "import", "json", tmp_path / name, tmp_path / "out").err
    assert said in run_cli("data", "show", tmp_path / name, "--reader", "conll").err


@pytest.mark.parametrize(
    ("form", "name", "text"),
    [
        ("csv", "a.csv", "text,image\nAnna lives,\nOslo,\n"),
        ("json", "a.json", '[{"text": "Anna lives"}, {"text": "Oslo"}]'),
        ("prodigy", "a.jsonl", '{"text": "Anna lives"}\n{"text": "Oslo", "spans": []}\n'),
    ],
)
def test_texts_that_nobody_annotated_have_no_tags(bring, form, name, text):
    assert bring(form, name, text, "--column", "spans=") == ["Anna/- lives/-", "Oslo/-"]


def test_words_that_nobody_annotated(bring):
    text = '[{"tokens": ["Anna"], "entities": [1]}]'
    assert "without annotations: --column tags=)" in bring("json", "a.json", text)
    assert bring("json", "a.json", text, "--column", "tags=") == ["Anna/-"]


@pytest.mark.parametrize(
    "span",
    [
        {"Start": 0, "End": 4, "Label": "PER"},
        {"beginOffset": 0, "endOffset": 4, "type": "PER"},
        {"offset": 0, "length": 4, "category": "PER"},
        {"start_idx": 0, "end_idx": 4, "class": "PER"},
    ],
)
def test_spans_as_others_name_their_ends(bring, span):
    records = [{"text": "Anna lives", "entities": [span]}]
    assert bring("json", "a.json", json.dumps(records)) == ["Anna/B-PER lives/O"]


def test_a_span_without_ends_says_what_it_has(bring):
    records = [{"text": "Anna", "entities": [{"von": 0, "bis": 4, "type": "PER"}]}]
    message = bring("json", "a.json", json.dumps(records))
    assert "a.json:1: 'entities', entry 1 has 'von', 'bis', 'type'; name its first" in message


@pytest.mark.parametrize("form", ["prodigy", "label-studio"])
def test_spans_of_another_format_are_not_lost_in_silence(tmp_path, run_cli, form):
    lines = ['{"text": "Anna", "label": [[0, 4, "PER"]]}', '{"text": "Bo", "label": []}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    done = run_cli("data", "import", form, tmp_path / "a.jsonl", tmp_path / "out")
    assert f"or another FORMAT): 1 ({tmp_path / 'a.jsonl'}:1: 'label')" in done.out


def test_a_table_without_a_line_of_names(bring):
    text = "Anna,B-PER\nlives,O\n\nOslo,B-LOC\n"
    message = bring("csv", "a.csv", text)
    assert "a.csv:1: the first line holds the tag 'B-PER', no names" in message
    assert bring("csv", "a.csv", text, "--column", "word=1", "--column", "tag=2") == ANNA


@pytest.mark.parametrize("form", ["csv", "autogluon"])
def test_spans_with_prefixes_are_joined_whatever_the_format(bring, form):
    spans = [
        {"entity": "B-PER", "start": 0, "end": 4},
        {"entity": "I-PER", "start": 5, "end": 7},
        {"entity": "B-PER", "start": 8, "end": 10},
    ]
    cell = json.dumps(spans).replace('"', '""')
    text = f'text,entities\nAnna Li Bo,"{cell}"\n'
    assert bring(form, "a.csv", text) == ["Anna/B-PER Li/I-PER Bo/B-PER"]
