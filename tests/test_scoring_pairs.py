"""Reading two files of anybody's: formats, schemes, and what is told where they do not agree."""

import json
import re

import pytest

from mmseq.errors import UserError
from mmseq.scoring.pairs import read_pair

GOLD = "IMGID:1\nRome\tB-LOC\ncalls\tO\n\nIMGID:2\nKevin\tB-PER\nDurant\tI-PER\n"


@pytest.fixture
def pair(tmp_path):
    """`pair(GOLD, "…")`: read, of two CoNLL files with these contents."""

    def read(gold, predicted, **options):
        for name, text in (("gold.txt", gold), ("predicted.txt", predicted)):
            (tmp_path / name).write_text(text, encoding="utf-8")
        return read_pair(tmp_path / "gold.txt", tmp_path / "predicted.txt", **options)

    return read


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_formats_and_schemes_may_differ(tmp_path):
    gold, predicted = tmp_path / "gold.txt", tmp_path / "predicted.jsonl"
    gold.write_text(GOLD)
    predicted.write_text(
        lines(
            {"tokens": ["Rome", "calls"], "tags": ["S-LOC", "O"]},
            {"tokens": ["Kevin", "Durant"], "tags": ["B-PER", "E-PER"], "gold": ["O", "O"]},
        )
    )
    pair = read_pair(gold, predicted)
    assert (pair.gold.scheme, pair.predicted.scheme) == ("bio", "bioes")
    assert pair.tags[0] == pair.tags[1] == [("B-LOC", "O"), ("B-PER", "I-PER")]
    assert [s.pictures for s in pair.sentences()] == [1, 1]


def test_three_columns_are_read_by_the_last(pair):
    found = pair("Rome\tB-LOC\n", "Rome B-LOC O\n")
    assert found.tags == ([("B-LOC",)], [("O",)])


def test_iob1_is_read_when_named(pair):
    gold, predicted = "New\tI-LOC\nYork\tI-LOC\nOslo\tB-LOC\n", "New\tB-LOC\nYork\tI-LOC\nOslo\tO\n"
    tags = pair(gold, predicted, scheme="iob1").tags
    assert tags == ([("B-LOC", "I-LOC", "B-LOC")], [("B-LOC", "I-LOC", "O")])


def test_types_are_renamed_in_every_file(pair, tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("Oslo\tB-GPE\n")
    found = pair(
        "Rome\tB-LOC\nAlps\tB-NAT\n",
        "Rome\tB-GPE\nAlps\tO\n",
        train=train,
        mapping={"GPE": "LOC", "NAT": "O"},
    )
    assert found.tags == ([("B-LOC", "O")], [("B-LOC", "O")])
    assert found.train.examples[0].tags == ("B-LOC",)


@pytest.mark.parametrize(
    ("predicted", "told"),
    [
        (
            GOLD.replace("Durant", "Durand"),
            r"G:7: 'Durant' .*P:7: 'Durand' \(word 2 of sentence 2\)",
        ),
        (
            # A sentence is left out: the first word of the next stands in its place.
            "Kevin\tB-PER\nDurant\tI-PER\n",
            r"G:2: 'Rome' .*P:1: 'Kevin' \(word 1 of sentence 1\)",
        ),
        (
            # Cut short, as by a window that is too small.
            "Rome\tB-LOC\n\nKevin\tB-PER\nDurant\tI-PER\n",
            "G:3: 'calls' is word 2 of sentence 1, .*word 1 at P:1",
        ),
        (
            GOLD + "Nets\tO\n",
            "P:8: 'Nets' is word 3 of sentence 2, .*word 2 at G:7",
        ),
        (
            "Rome\tB-LOC\ncalls\tO\n",
            "G:6: sentence 2 .*P:2",
        ),
        (
            GOLD + "\nBye\tO\n",
            "P:9: sentence 3 .*G:7",
        ),
    ],
)
def test_the_first_difference_names_both_lines(pair, tmp_path, predicted, told):
    with pytest.raises(UserError) as caught:
        pair(GOLD, predicted)
    places = {"G": tmp_path / "gold.txt", "P": tmp_path / "predicted.txt"}
    for letter, path in places.items():
        told = told.replace(f"{letter}:", f"{path}:")
    assert re.match(f"{told}.*same words", str(caught.value))


def test_words_that_look_alike_are_told_apart(pair):
    # é as one character, and as e with a combining accent.
    with pytest.raises(UserError, match=r"'caf\\xe9' but .*'cafe\\u0301'"):
        pair("caf\u00e9\tO\n", "cafe\u0301\tO\n")


def test_a_jsonl_sentence_is_named_by_its_line(tmp_path):
    gold, predicted = tmp_path / "gold.txt", tmp_path / "predicted.jsonl"
    gold.write_text(GOLD)
    records = [{"tokens": ["Rome", "calls"], "tags": ["O", "O"]}]
    predicted.write_text(lines(*records, {"tokens": ["Kevin", "D"], "tags": ["O", "O"]}))
    with pytest.raises(UserError) as caught:
        read_pair(gold, predicted)
    assert f"{gold}:7: 'Durant' but {predicted}:2: 'D' (word 2 of sentence 2)" in str(caught.value)


@pytest.mark.parametrize(
    ("predicted", "options", "words"),
    [
        ("Rome\ncalls\n\nKevin\nDurant\n", [], ["predicted.txt:1: ", "no tags"]),
        ("Rome\tLOC\n", [], ["predicted.txt:1: 'LOC' is not a tag"]),
        ("", [], ["predicted.txt: holds no sentence"]),
        (GOLD, ["--map", "PRE=LOC"], ["'PRE'", "'PER'"]),
        (GOLD, ["--map", "PER"], ["--map PER: ", "--map OLD=NEW"]),
        (GOLD, ["--scheme", "bioe"], ["'bioe' is not one of"]),
        (GOLD, ["--train", "absent.txt"], ["No data file absent.txt"]),
        (GOLD.replace("B-LOC", "S-LOC"), ["--scheme", "bio"], ["predicted.txt:2", "--scheme"]),
    ],
)
def test_bad_input_is_one_line(run_cli, tmp_path, predicted, options, words):
    (tmp_path / "gold.txt").write_text(GOLD)
    (tmp_path / "predicted.txt").write_text(predicted)
    result = run_cli("score", tmp_path / "gold.txt", tmp_path / "predicted.txt", *options)
    assert result.code == 2
    assert result.out == ""
    for word in words:
        assert word in result.err
    assert "Error: " in result.err.splitlines()[-1]


def test_a_missing_file_a_folder_and_an_unknown_ending_are_named(run_cli, tmp_path):
    gold = tmp_path / "gold.txt"
    gold.write_text(GOLD)
    (tmp_path / "predicted.out").write_text(GOLD)
    for predicted, words in (
        (tmp_path / "gould.txt", f"No data file {tmp_path / 'gould.txt'}: did you mean {gold}?"),
        (tmp_path, f"{tmp_path}: is a folder; give a file."),
        (tmp_path / "predicted.out", "predicted.out: no reader for this ending"),
    ):
        result = run_cli("score", gold, predicted)
        assert result.code == 2
        (line,) = result.err.splitlines()
        assert line.startswith("Error: ")
        assert words in line
