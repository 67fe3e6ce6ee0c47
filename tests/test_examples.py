"""The scripts and plans in examples/benchmarks that other tests do not run."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from mmseq.testing import check_plan

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"


def test_shuffled_pictures_are_the_same_pictures_on_other_sentences(tmp_path, monkeypatch):
    records = [{"id": str(i), "tokens": ["a"], "images": [f"{i}.jpg"] * (i % 3)} for i in range(60)]
    source, target = tmp_path / "test.jsonl", tmp_path / "shuffled.jsonl"
    source.write_text("\n".join(map(json.dumps, records)) + "\n")
    script = BENCHMARKS / "shuffle_pictures.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(source), str(target)])
    runpy.run_path(str(script), run_name="__main__")
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [len(r["images"]) for r in found] == [len(r["images"]) for r in records]

    def names(rows):
        return sorted(name for row in rows for name in row["images"])

    assert names(found) == names(records)
    moved = sum(a["images"] != b["images"] for a, b in zip(found, records, strict=True))
    assert moved > 30
    assert [r["tokens"] for r in found] == [r["tokens"] for r in records]


@pytest.mark.parametrize("plan", sorted(BENCHMARKS.rglob("*.toml")), ids=lambda path: path.stem)
def test_plans_are_whole(plan):
    check_plan(plan)
