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


def test_the_cost_model_prints_the_tables_of_the_page(capsys):
    script = BENCHMARKS / "cost_model.py"
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    page = (BENCHMARKS / "SCALING.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in printed if line.startswith("|") and line not in page] == []


def test_a_ring_by_hand():
    ring = runpy.run_path(str(BENCHMARKS / "cost_model.py"))["ring"]
    # 4 GPUs, 1.2 GB within a machine: 2 x 3 steps of 0.3 GB at 300 GB/s, and of 5 us.
    assert ring(1.2e9, 4, 1e9, 2) == pytest.approx(6 * (1e-3 + 5e-6))
    # 16 are two machines: the slower of both ways.
    assert ring(1.6e9, 16, 1e9, 1) == pytest.approx(15 * (0.1 + 5e-6))


@pytest.mark.parametrize("plan", sorted(BENCHMARKS.rglob("*.toml")), ids=lambda path: path.stem)
def test_plans_are_whole(plan):
    check_plan(plan)
