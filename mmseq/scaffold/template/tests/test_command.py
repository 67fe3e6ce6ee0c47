import json

import pytest
from click.testing import CliRunner
from mmseq import UserError

from mmseq_example.command import count_types, entity_types


@pytest.fixture
def run(tmp_path):
    """A run folder with the predictions for two test sentences."""
    (tmp_path / "predictions").mkdir()
    lines = [
        {"tags": ["B-PER", "I-PER", "O", "B-LOC"]},
        {"tags": ["B-PER", "B-PER", "O", "O"]},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "predictions" / "test.jsonl").write_text(text)
    return tmp_path


def test_types_are_counted_the_most_frequent_first(run):
    done = CliRunner().invoke(count_types, [str(run)])
    assert done.exit_code == 0
    counts = [line.split() for line in done.output.splitlines()]
    assert counts == [["3", "PER"], ["1", "LOC"], ["4", "entities"]]


def test_an_inner_tag_opens_an_entity_where_none_of_its_type_is_open():
    # LOC; then PER, which goes on; after O once more.
    assert entity_types(["B-LOC", "I-PER", "I-PER", "O", "I-PER"]) == ["LOC", "PER", "PER"]


def test_a_run_without_the_split_and_a_damaged_one_are_told(run):
    call = CliRunner().invoke(count_types, [str(run), "--split", "valid"])
    assert isinstance(call.exception, UserError)
    assert "valid.jsonl: No such file" in str(call.exception)
    (run / "predictions" / "test.jsonl").write_text('{"tags": ["O"]}\n{"tags"\n')
    call = CliRunner().invoke(count_types, [str(run)])
    assert isinstance(call.exception, UserError)
    assert "test.jsonl:2: damaged" in str(call.exception)
