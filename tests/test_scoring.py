"""`mmseq score` on a pair of files whose counts are worked out by hand."""

import hashlib
import json
from pathlib import Path

import pytest

from mmseq.scoring.metrics import score, variants

REAL = Path(__file__).parents[2] / "shared" / "data"

# What the sentence shows; gold tags; predicted tags; gold, predicted, correct entities by the
# default reading, and by the strict one, where an orphan I- is none.
CASES = [
    ("orphan begins the gold", "I-PER I-PER O", "B-PER I-PER O", (1, 1, 1), (0, 1, 0)),
    ("orphan after O, predicted", "O B-PER", "O I-PER", (1, 1, 1), (1, 0, 0)),
    ("orphan in both", "O I-LOC I-LOC", "O I-LOC I-LOC", (1, 1, 1), (0, 0, 0)),
    ("orphan after another type, gold", "B-PER I-LOC", "B-PER B-LOC", (2, 2, 2), (1, 2, 1)),
    ("the same, predicted", "B-PER B-LOC", "B-PER I-LOC", (2, 2, 2), (2, 1, 1)),
    ("orphan after an orphan", "I-PER I-LOC", "I-PER I-LOC", (2, 2, 2), (0, 0, 0)),
    ("orphan, then B- of its type", "I-PER B-PER", "I-PER I-PER", (2, 1, 0), (1, 0, 0)),
    ("orphan of the wrong type", "B-LOC I-LOC", "I-PER I-PER", (1, 1, 0), (1, 0, 0)),
    ("no entity runs over the end of a sentence:", "B-PER", "B-PER", (1, 1, 1), (1, 1, 1)),
    ("  the next begins with an orphan", "I-PER", "B-PER", (1, 1, 1), (0, 1, 0)),
    ("type changes inside", "B-PER I-PER I-PER", "B-PER I-PER I-LOC", (1, 2, 0), (1, 1, 0)),
    ("type changes and back", "B-PER I-LOC I-PER", "B-PER O O", (3, 1, 1), (1, 1, 1)),
    ("type changes throughout", "B-PER I-PER", "B-LOC I-LOC", (1, 1, 0), (1, 1, 0)),
    ("neighbours of a type melt", "B-LOC B-LOC", "B-LOC I-LOC", (2, 1, 0), (2, 1, 0)),
    ("neighbours of a type", "B-LOC I-LOC B-LOC", "B-LOC I-LOC B-LOC", (2, 2, 2), (2, 2, 2)),
    ("one is split in two", "B-PER I-PER", "B-PER B-PER", (1, 2, 0), (1, 2, 0)),
    ("borders and type differ", "B-PER I-PER O", "O B-LOC I-LOC", (1, 1, 0), (1, 1, 0)),
    ("missed and spurious", "B-ORG O", "O B-ORG", (1, 1, 0), (1, 1, 0)),
    ("nothing", "O O", "O O", (0, 0, 0), (0, 0, 0)),
]
# The columns of CASES summed: 26 gold, 24 predicted, 14 correct; strictly 17, 16, 6.
DEFAULT = {
    "precision": pytest.approx(100 * 14 / 24),
    "recall": pytest.approx(100 * 14 / 26),
    "f1": pytest.approx(100 * 28 / 50),
    "gold": 26,
    "predicted": 24,
    "correct": 14,
}
STRICT = {
    "precision": pytest.approx(100 * 6 / 16),
    "recall": pytest.approx(100 * 6 / 17),
    "f1": pytest.approx(100 * 12 / 33),
    "gold": 17,
    "predicted": 16,
    "correct": 6,
}


def conll(tags):
    lines = [f"w{i}\t{tag}" for i, tag in enumerate(tags.split())]
    return "".join(f"{line}\n" for line in [*lines, ""])


@pytest.fixture
def files(tmp_path):
    gold, predicted = tmp_path / "gold.txt", tmp_path / "predicted.conll"
    gold.write_text("".join(conll(case[1]) for case in CASES))
    predicted.write_text("".join(conll(case[2]) for case in CASES))
    return gold, predicted


def scored(run_cli, *arguments):
    result = run_cli("score", *arguments, "--json")
    assert result.code == 0, result.err
    assert result.err == ""
    return json.loads(result.out)


@pytest.mark.parametrize(
    ("gold", "predicted", "default", "strict"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_each_case_by_hand(gold, predicted, default, strict):
    rows = variants(score([gold.split()], [predicted.split()]))
    counts = {name: (r["gold"], r["predicted"], r["correct"]) for name, r in rows.items()}
    assert counts == {"default": default, "strict": strict, "repaired": default}


def test_all_variants_of_the_hand_made_files_side_by_side(run_cli, files):
    found = scored(run_cli, *files)
    assert found["variants"] == {"default": DEFAULT, "strict": STRICT, "repaired": DEFAULT}
    # An orphan is an entity more by default: 26 - 17 and 24 - 16.
    assert found["orphans"] == {"gold": 9, "predicted": 8}
    assert found["sentences"] == 19


def test_relaxed_scores_and_errors_of_the_hand_made_files(run_cli, files):
    found = scored(run_cli, *files)
    # Right type, other borders: "type changes inside", "orphan, then B-", "melt", "split".
    # Right borders, other type: "orphan of the wrong type", "type changes throughout".
    # Missed: one each in "orphan, then B-", "melt" and the last but one, two in "and back".
    # Spurious: one each in "type changes inside", "split" and the last but one.
    errors = {"correct": 14, "boundaries": 4, "type": 2, "both": 1, "missed": 5, "spurious": 3}
    assert found["errors"] == errors
    correct = {"boundaries": 14 + 2, "type": 14 + 4, "overlap": 14 + 4 + 2 + 1}
    for name, number in correct.items():
        assert found["relaxed"][name] == {
            "precision": pytest.approx(100 * number / 24),
            "recall": pytest.approx(100 * number / 26),
            "f1": pytest.approx(100 * number / 25),
            "gold": 26,
            "predicted": 24,
            "correct": number,
        }


def test_files_are_told_by_their_checksums(run_cli, files):
    found = scored(run_cli, *files, "--train", files[0])
    for name, path in zip(("gold", "predicted", "train"), (*files, files[0]), strict=True):
        assert found["data"][name] == {
            "path": str(path),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "scheme": "bio",
            "sentences": 19,
        }


def test_the_tables_name_variants_gold_counts_orphans_and_checksums(run_cli, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    result = run_cli("score", *files)
    assert result.code == 0, result.err
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.out.splitlines()]
    rows = {row[0]: row[1:] for row in rows if row}
    # 14/24, 14/26, 28/50; 6/16, 6/17, 12/33.
    default, strict = ["58.33", "53.85", "56.00", "26"], ["37.50", "35.29", "36.36", "17"]
    assert rows["default"][1:5] == rows["repaired"][1:5] == default
    assert rows["strict"][1:5] == strict
    assert "seqeval default" in rows["default"][0]
    assert "strict IOB2" in rows["strict"][0]
    # Of 26 gold and 24 predicted entities.
    assert rows["right type, wrong borders"] == ["4", "15.38", "16.67"]
    assert rows["missed"] == ["5", "19.23", ""]
    assert rows["spurious"] == ["3", "", "12.50"]
    assert "9 orphan I- in gold, 8 in predicted" in result.out
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in result.out


def test_files_without_orphans_get_no_word_on_them(run_cli, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\tB-X\n")
    result = run_cli("score", path, path)
    assert result.code == 0, result.err
    assert "orphan I- in" not in result.out


def test_a_type_in_brackets_is_shown_as_it_is(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    path = tmp_path / "a.txt"
    path.write_text("a\tB-[work]\n")
    assert "│ [work] │" in run_cli("score", path, path).out


@pytest.mark.skipif(not (REAL / "twitter2015").is_dir(), reason="needs shared/data/twitter2015")
def test_twitter_2015_has_5207_gold_entities_by_default_and_5072_strictly(run_cli):
    test = REAL / "twitter2015" / "test.txt"
    found = scored(run_cli, test, test, "--train", REAL / "twitter2015" / "train.txt")
    gold = {name: row["gold"] for name, row in found["variants"].items()}
    assert gold == {"default": 5207, "strict": 5072, "repaired": 5207}
    assert [row["f1"] for row in found["variants"].values()] == [100.0] * 3
    assert found["orphans"] == {"gold": 135, "predicted": 135}
    names = found["groups"]["name"]
    assert names["seen"]["gold"] + names["unseen"]["gold"] == 5207
    assert found["data"]["gold"]["sha256"] == hashlib.sha256(test.read_bytes()).hexdigest()
