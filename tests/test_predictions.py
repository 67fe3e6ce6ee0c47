import pytest

from mmseq import UserError
from mmseq.contracts.example import Example
from mmseq.data.splits import load_file
from mmseq.runs.predictions import read_predictions, write_predictions

SENTENCES = [
    Example(("so", "tired"), ("O", "O"), id="1"),
    Example(("Café", "Oslo"), ("O", "B-LOC"), id="2"),
]


def test_what_is_written_is_read(tmp_path):
    write_predictions(tmp_path, "test", SENTENCES, [("O", "B-PER"), ("O", "B-LOC")])
    found = read_predictions(tmp_path, "test")
    assert found.tokens == [("so", "tired"), ("Café", "Oslo")]
    assert found.gold == [("O", "O"), ("O", "B-LOC")]
    assert found.tags == [("O", "B-PER"), ("O", "B-LOC")]


def test_the_file_is_a_data_file_of_predicted_tags(tmp_path):
    write_predictions(tmp_path, "test", SENTENCES, [("O", "B-PER"), ("O", "B-LOC")])
    split = load_file(tmp_path / "predictions" / "test.jsonl")
    assert [e.tags for e in split.examples] == [("O", "B-PER"), ("O", "B-LOC")]
    assert [e.id for e in split.examples] == ["1", "2"]


def test_missing_and_damaged_files_are_told_with_their_line(tmp_path):
    with pytest.raises(UserError, match=r"test\.jsonl: missing"):
        read_predictions(tmp_path, "test")
    write_predictions(tmp_path, "test", SENTENCES, [("O", "O"), ("O", "O")])
    path = tmp_path / "predictions" / "test.jsonl"
    path.write_text(path.read_text() + '{"tokens": ["a"], "gold": ["O"], "tags": ["O", "O"]}\n')
    with pytest.raises(UserError, match=r"test\.jsonl:3: .*1 words, 1 and 2 tags"):
        read_predictions(tmp_path, "test")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=r"test\.jsonl:3: damaged"):
        read_predictions(tmp_path, "test")
