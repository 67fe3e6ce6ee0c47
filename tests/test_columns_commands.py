"""`--columns` and `--scheme` on every command that reads tagged words, and what is kept of them."""

import json

import pytest

from mmseq.config.config import Config
from mmseq.data.splits import load_file
from mmseq.data.store import ExampleStore
from mmseq.datacheck.checking import check_folder
from mmseq.runs.identity import settings

INDEXED = (
    "1\tAnna\tB-PER\tO\n2\tran\tO\tO\n\n1\tThe\tO\tO\n2\tOslo\tB-ORG\tB-LOC\n3\tclub\tI-ORG\tO\n"
)
PLAIN = "Anna\tB-PER\nran\tO\n\nThe\tO\nOslo\tB-ORG\nclub\tI-ORG\n"
SPLITS = ("train", "valid", "test")
CHOSEN = ("--columns", "word=2,tag=3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three splits whose words stand in column 2."""
    place = tmp_path_factory.mktemp("indexed")
    for name in SPLITS:
        (place / f"{name}.txt").write_text(INDEXED)
    return place


@pytest.fixture(scope="module")
def run(folder, tiny_encoder, run_once):
    """A text-only run trained on it."""
    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "none"},
            "fusion": {"name": "none"},
        },
        settings={
            "data.path": str(folder),
            "data.columns": {"word": 2, "tag": 3},
            "train.epochs": 1,
            "train.device": "cpu",
        },
    )
    return run_once(config)


def test_data_check_counts_what_stands_in_the_columns(folder, run_cli):
    wrong = run_cli("data", "check", folder)
    assert wrong.code == 1
    problems = [line for line in wrong.out.splitlines() if line.startswith("Problem")]
    assert len(problems) == 3
    assert all("the first column counts the words" in line for line in problems)
    right = run_cli("data", "check", folder, *CHOSEN, "--json")
    assert right.code == 0
    report = json.loads(right.out)["splits"]["train"]
    assert (report["sentences"], report["words"]) == (2, 5)
    assert report["entities"] == {"ORG": 1, "PER": 1}
    (note,) = report["notes"]
    assert "column 4 holds tags, too" in note
    assert note in run_cli("data", "check", folder, *CHOSEN).out


def test_data_show_prints_the_words_and_says_what_is_not_read(folder, run_cli):
    shown = run_cli("data", "show", folder / "train.txt", *CHOSEN, "--json")
    assert json.loads(shown.out.splitlines()[1])["tokens"] == ["The", "Oslo", "club"]
    assert "column 4 holds tags, too" in shown.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("word", "--columns word: write --columns word=2,tag=3"),
        ("word=2,word=3", "write --columns"),
        ("word=2,tga=3", "Unknown column 'tga'. Did you mean 'tag'?"),
        ("word=x,tag=3", "no column is called 'x'"),
    ],
)
def test_what_is_no_choice_of_columns_is_one_line(folder, run_cli, text, reason):
    wrong = run_cli("data", "show", folder / "train.txt", "--columns", text)
    assert wrong.code == 2
    (line,) = wrong.err.splitlines()
    assert reason in line


def test_score_reads_the_columns_of_both_files_or_of_each(folder, tmp_path, run_cli):
    gold = folder / "test.txt"
    plain = tmp_path / "plain.txt"
    plain.write_text(PLAIN)
    same = run_cli("score", gold, gold, *CHOSEN, "--json")
    other = run_cli("score", gold, plain, *CHOSEN, "--columns", "word=1", "--json")
    inner = run_cli("score", gold, gold, *CHOSEN, "--columns", "word=2,tag=4", "--json")
    rows = [json.loads(result.out)["variants"]["default"] for result in (same, other, inner)]
    assert [(row["gold"], row["predicted"], row["f1"]) for row in rows] == [
        (2, 2, 100.0),
        (2, 2, 100.0),
        (2, 1, 0.0),
    ]
    wrong = run_cli("score", gold, gold, *CHOSEN, *CHOSEN, *CHOSEN)
    assert "once, or twice" in wrong.err


def test_a_run_keeps_its_columns_and_other_data_name_theirs(run, folder, tmp_path, run_cli):
    assert Config.from_file(run / "config.toml").data.columns == {"word": 2, "tag": 3}
    first = json.loads((run / "predictions" / "test.jsonl").read_text().splitlines()[0])
    assert first["tokens"] == ["Anna", "ran"]
    own = run_cli("evaluate", run, "--json")
    assert json.loads(own.out)["test"]["gold"] == 2
    wrong = run_cli("evaluate", run, folder)
    assert wrong.code == 2
    assert "--columns word=2,tag=3" in wrong.err
    right = run_cli("evaluate", run, folder, *CHOSEN, "--json")
    assert json.loads(right.out)["test"] == json.loads(own.out)["test"]
    types = tmp_path / "types.txt"
    types.write_text(PLAIN.replace("B-", "").replace("I-", ""))
    io = run_cli("evaluate", run, types, "--scheme", "io", "--json")
    assert json.loads(io.out)["test"] == json.loads(own.out)["test"]


def test_predict_reads_the_words_of_a_column(run, folder, run_cli):
    source = folder / "test.txt"
    assert "counts the words" in run_cli("predict", run, "--input", source).err
    for columns in ("word=2", "word=2,tag=0", "word=2,tag=1"):
        right = run_cli("predict", run, "--input", source, "--columns", columns)
        tokens = [json.loads(line)["tokens"] for line in right.out.splitlines()]
        assert tokens == [["Anna", "ran"], ["The", "Oslo", "club"]]
    wrong = run_cli("predict", run, "--input", source, "--format", "text", "--columns", "word=2")
    assert "no columns to choose" in wrong.err
    assert "--columns belongs to --input" in run_cli("predict", run, *CHOSEN, "--text", "a").err


def test_audit_takes_them(run, folder, run_cli):
    result = run_cli("audit", run, folder, *CHOSEN, "--scheme", "bio")
    assert "text-only run" in result.err


def test_columns_make_another_experiment_and_the_default_none():
    def of(**data):
        return settings({"data": {"path": "x", **data}}, seed=True)

    assert of() == of(columns={})
    assert of(columns={"word": 2, "tag": 3}) == {
        **of(),
        "data.columns.word": 2,
        "data.columns.tag": 3,
    }


def test_sentences_on_disk_are_kept_by_their_columns_with_what_is_said(folder, tmp_path):
    store = ExampleStore(tmp_path / "kept", least=0)
    file = folder / "train.txt"
    for columns in ({"word": 2, "tag": 3}, {"word": 2, "tag": 4}) * 2:
        kept = load_file(file, columns=columns, store=store)
        read = load_file(file, columns=columns)
        assert [e.tags for e in kept.examples] == [e.tags for e in read.examples]
        assert kept.notes == read.notes
        assert f"column {7 - columns['tag']} holds tags" in kept.notes[0]
    assert len(list((tmp_path / "kept").iterdir())) == 2


FAULTY = """\
a\tO
\tO

b\tper
c\tB-\u200bX
d\tO\tO

e\tB-X
\u200b\tI-X
 f\tO
g\u2011h\xa0i\tO

\tB-X

j\to
"""


def test_every_kind_of_fault_is_told_at_once_with_number_and_places(tmp_path):
    file = tmp_path / "train.txt"
    file.write_text(FAULTY)
    report = check_folder(tmp_path)
    assert report["problems"] == [
        f"{file}:2: no word before the tab; add the word (2 such: {file}:2, {file}:13).",
        f"{file}:6: 3 columns, but line 1 has 2; give every line the same columns.",
        f"{file}:4: 'per' is not a tag; write O, or B-, I- (BIOES: E-, S-) and a type, such as "
        f"B-PER; of types alone: scheme io (data.scheme, --scheme) (2 such: {file}:4, {file}:15).",
        f"{file}:5: 'B-\\u200bX' holds what cannot be seen (U+200B); write the tag anew.",
    ]
    # Sentences with a fault are left out; the others are looked at.
    (split,) = report["splits"].values()
    assert (split["sentences"], split["words"], split["entities"]) == (1, 4, {"X": 1})
    assert split["odd_words"] == {
        "unseen": {"count": 1, "first": [f"{file}:9 '\\u200b'"]},
        "spaced": {"count": 1, "first": [f"{file}:10 ' f'"]},
        "odd": {
            "U+00A0 no-break space": {"count": 1, "first": [f"{file}:11 'g\\u2011h\\xa0i'"]},
            "U+200B zero width space": {"count": 1, "first": [f"{file}:9 '\\u200b'"]},
        },
    }


def test_joiners_and_what_can_be_seen_are_not_odd(tmp_path):
    words = [
        "نمی\u200cخواهم",
        "क्\u200dष",
        "👩\u200d🚀",
        "❤\ufe0f",
        "🏴\U000e0067\U000e007f",
        "e\u0301",
    ]
    (tmp_path / "train.txt").write_text("".join(f"{word}\tO\n" for word in words))
    nothing = {"count": 0, "first": []}
    report = check_folder(tmp_path)
    assert report["splits"]["train"]["odd_words"] == {
        "unseen": nothing,
        "spaced": nothing,
        "odd": {},
    }
    assert report["problems"] == []


def test_faults_of_json_lines_are_told_at_once_too(tmp_path):
    file = tmp_path / "train.jsonl"
    lines = ['{"tokens": ["a", ""]}', '{"tokens": [" "]}', '{"tokens": ["a"]']
    file.write_text("\n".join([*lines, '{"tokens": ["b"], "tags": ["O"]}']))
    report = check_folder(tmp_path)
    first, second = report["problems"]
    assert first == (
        f'{file}:1: "tokens", entry 2: an empty word; remove it (2 such: {file}:1, {file}:2).'
    )
    assert second.startswith(f"{file}:3: not JSON")
    assert report["splits"]["train"]["sentences"] == 1
