"""results.jsonl: appended to, merged by key, and what a kill leaves behind."""

import json
from dataclasses import replace

import pytest

from mmseq import UserError
from mmseq.bench.results import Result, append, read

RESULT = Result(
    key="k1",
    system="gate",
    preset="",
    data="tiny",
    seed=1,
    settings={},
    config={},
    splits={"test": {"sha256": "0", "sentences": 2}},
    versions={"mmseq": "0.1.0"},
    scores={"test": {"precision": 50.0, "recall": 50.0, "f1": 50.0, "gold": 2, "predicted": 2}},
    counts={"test": {"correct": [1, 0], "predicted": [1, 1], "gold": [1, 1]}},
    curve=[],
    best_epoch=1,
    seconds={"training": 1.0, "all": 1.0},
    parameters={"all": 2, "trained": 1},
    threads=1,
    finished="2026-01-01T00:00:00+00:00",
)


def test_lines_are_appended_and_read_in_order(tmp_path):
    file = tmp_path / "deep" / "results.jsonl"
    append(file, RESULT)
    append(file, replace(RESULT, key="k2", seed=2))
    assert len(file.read_text().splitlines()) == 2
    reading = read([file])
    assert reading.results == [RESULT, replace(RESULT, key="k2", seed=2)]
    assert reading.notes == []
    # Correct 1, predicted 2, gold 2.
    assert reading.results[0].counts_of("test").f1 == 50.0


def test_files_of_several_machines_are_merged_each_experiment_once(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    append(one / "results.jsonl", RESULT)
    append(two / "results.jsonl", replace(RESULT, finished="later"))
    append(two / "results.jsonl", replace(RESULT, key="k2"))
    found = read([one, two]).results
    assert [r.key for r in found] == ["k1", "k2"]
    assert found[0].finished == RESULT.finished


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_a_half_written_last_line_is_dropped_and_said(tmp_path, cut):
    file = tmp_path / "results.jsonl"
    append(file, RESULT)
    append(file, replace(RESULT, key="k2"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - cut - 1])
    reading = read([file])
    assert [r.key for r in reading.results] == ["k1"]
    assert reading.notes == [f"{file}:2: half-written, dropped: its run will be done again."]
    # What is appended next is not lost with it.
    append(file, replace(RESULT, key="k3"))
    assert [r.key for r in read([file]).results] == ["k1", "k3"]


def test_a_last_line_that_lacks_only_its_end_is_whole(tmp_path):
    file = tmp_path / "results.jsonl"
    append(file, RESULT)
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    append(file, replace(RESULT, key="k2"))
    reading = read([file])
    assert ([r.key for r in reading.results], reading.notes) == (["k1", "k2"], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"key": "k1"}', "no system, preset"),
        ("[1, 2]", "no JSON object"),
        ("notes of mine", "Expecting value"),
    ],
)
def test_another_line_is_told_with_file_and_number(tmp_path, line, reason):
    file = tmp_path / "results.jsonl"
    append(file, RESULT)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(UserError, match=rf"results\.jsonl:2: .*{reason}"):
        read([file])


def test_counts_that_do_not_belong_together_are_no_result(tmp_path):
    file = tmp_path / "results.jsonl"
    append(file, RESULT)
    record = json.loads(file.read_text())
    record["counts"]["test"]["gold"] = [1]
    file.write_text(json.dumps(record) + "\n")
    with pytest.raises(UserError, match="numbers of sentences"):
        read([file])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"results\.jsonl: No such file"):
        read([tmp_path])
