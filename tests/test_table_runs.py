"""`mmseq table` of run folders, and what it remembers of a bench."""

import json
import shutil

import pytest
from matplotlib.axes import Axes

from mmseq.bench.results import append, read
from mmseq.config.config import Config
from mmseq.tables.layout import Layout, LayoutRow, layout_of
from mmseq.tables.learning_curves import learning_curves
from mmseq.tables.remembered import joined, remember, remembered
from mmseq.tables.sources import read_sources
from mmseq.tables.table import build


@pytest.fixture(scope="module")
def trained(run_once, tiny_data, tiny_encoder):
    """A run of one epoch, text alone."""
    config = Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
        | {"fusion": {"name": "none"}},
        settings={"data.path": str(tiny_data), "train.device": "cpu", "train.epochs": 1},
    )
    return run_once(config)


@pytest.fixture
def runs(trained, tmp_path):
    """``runs/a-seed1``, ``a-seed2`` and ``b-seed1``; test F1 80, 84 and 70, b of another rate."""
    for name, seed, f1, rate in (
        ("a-seed1", 1, 80.0, "0.001"),
        ("a-seed2", 2, 84.0, "0.001"),
        ("b-seed1", 1, 70.0, "0.002"),
    ):
        folder = tmp_path / "runs" / name
        shutil.copytree(trained, folder)
        text = (folder / "config.toml").read_text(encoding="utf-8")
        assert "\nseed = 1\n" in text
        text = text.replace("\nseed = 1\n", f"\nseed = {seed}\n")
        text = text.replace("\nlearning_rate = 0.001\n", f"\nlearning_rate = {rate}\n")
        (folder / "config.toml").write_text(text, encoding="utf-8")
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        metrics["test"]["f1"] = f1
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return tmp_path / "runs"


def rows(run_cli, *arguments):
    done = run_cli("table", *arguments, "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)["rows"]


def test_runs_that_differ_by_the_seed_alone_share_a_row(run_cli, runs):
    found = rows(run_cli, *sorted(runs.iterdir()))
    assert [(row["system"], row["seeds"], row["f1"]["mean"]) for row in found] == [
        ("a", [1, 2], 82.0),
        ("b", [1], 70.0),
    ]
    assert {row["data"] for row in found} == {"tiny-data"}


def test_a_folder_of_runs_is_all_of_them_but_the_unfinished(run_cli, runs):
    (runs / "b-seed1" / "metrics.json").unlink()
    found = run_cli("table", runs, "--format", "json")
    assert [row["system"] for row in json.loads(found.out)["rows"]] == ["a"]
    assert found.err == f"{runs}: left out, not finished: b-seed1.\n"


def test_runs_are_called_as_they_are_named(run_cli, runs):
    found = rows(run_cli, f"mine={runs / 'a-seed1'}", f"theirs={runs / 'b-seed1'}")
    assert [row["system"] for row in found] == ["mine", "theirs"]


def test_run_folders_and_results_stand_in_one_table(run_cli, runs, make_result, tmp_path):
    append(tmp_path / "bench" / "results.jsonl", make_result("x", 1))
    found = rows(run_cli, tmp_path / "bench", runs / "b-seed1")
    there = [(row["system"], row["data"]) for row in found if row["status"] == "measured"]
    assert there == [("x", "tweets"), ("b", "tiny-data")]


def test_the_same_run_twice_counts_once(run_cli, runs):
    (row,) = rows(run_cli, runs / "a-seed1", runs / "a-seed1" / "..", "--split", "test")[:1]
    assert row["seeds"] == [1, 2]


def test_runs_are_tested_against_a_baseline(run_cli, runs):
    found = rows(run_cli, runs, "--baseline", "b")
    # The predictions are the same: no difference.
    assert found[0]["comparison"]["effect"] == 0.0
    assert found[0]["comparison"]["seeds"] == [1]


def test_a_run_without_predictions_stands_in_the_table_untested(run_cli, runs):
    shutil.rmtree(runs / "a-seed1" / "predictions")
    done = run_cli("table", runs / "a-seed1", runs / "b-seed1", "--baseline", "b")
    assert done.code == 0, done.err
    assert "not tested: results without counts" in done.out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("empty", "empty: holds no results.jsonl and no finished run."),
        ("unfinished", "unfinished: not a finished run: metrics.json is missing."),
        ("x=none.jsonl", "leave 'x=' out"),
        (
            "damaged",
            "damaged/metrics.json: damaged: data is missing; restore the file, or train",
        ),
    ],
)
def test_what_is_no_run_is_one_line(run_cli, tmp_path, trained, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("unfinished", "damaged"):
        (tmp_path / name).mkdir()
        shutil.copy(trained / "config.toml", tmp_path / name)
    (tmp_path / "damaged" / "metrics.json").write_text("{}")
    done = run_cli("table", source)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_curves_of_a_run_folder_have_whole_epochs(run_cli, runs, tmp_path):
    done = run_cli("table", runs, "--curves", tmp_path / "c.svg")
    assert done.code == 0, done.err
    assert "<svg" in (tmp_path / "c.svg").read_text()
    reading, layout = read_sources([str(runs)])
    assert ticks(learning_curves(build(reading.results, layout)).axes[0]) == [1]


def ticks(axes: Axes):
    """Those that are seen."""
    low, high = axes.get_xlim()
    return [tick for tick in axes.get_xticks() if low <= tick <= high]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 7, 25])
def test_epochs_on_axes_are_whole(make_result, epochs):
    curve = [{"epoch": e, "losses": {}, "valid_f1": 50.0} for e in range(1, epochs + 1)]
    results = [make_result("a", 1, curve=curve)]
    shown = ticks(learning_curves(build(results, layout_of(results))).axes[0])
    assert shown
    assert all(tick == int(tick) for tick in shown)
    assert 1 <= shown[-1] <= epochs + 1


def test_title_rows_and_baseline_of_a_bench_are_remembered(run_cli, make_result, tmp_path):
    for system, f1 in (("a", 80.0), ("b", 70.0)):
        append(tmp_path / "results.jsonl", make_result(system, 1, f1=f1))
    assert remembered(tmp_path) is None
    layout = Layout("Two systems", (LayoutRow("b", "B-title"), LayoutRow("a", "A-title")))
    remember(tmp_path, Layout(layout.title, layout.rows, baseline="a"))
    for source in (tmp_path, tmp_path / "results.jsonl"):
        done = run_cli("table", source)
        assert done.code == 0, done.err
        assert done.out.startswith("Two systems\n")
        assert "F1 - A-title" in done.out
        assert done.out.index("\nB-title") < done.out.index("\nA-title")
    other = run_cli("table", tmp_path, "--baseline", "b").out
    assert "F1 - B-title" in other
    assert "F1 - " not in run_cli("table", tmp_path, "--baseline", "none").out


def test_systems_that_the_bench_did_not_have_are_shown_all_the_same(run_cli, make_result, tmp_path):
    for system in ("a", "later"):
        append(tmp_path / "results.jsonl", make_result(system, 1))
    remember(tmp_path, Layout("One", (LayoutRow("a", "A"),)))
    assert [row["title"] for row in rows(run_cli, tmp_path)] == ["A", "later"]


@pytest.mark.parametrize(
    ("keys", "value", "wrong"),
    [
        ((), [], "it is no table"),
        (("rows",), None, "rows: None is no list"),
        (("rows", 0, "system"), [10**30], "rows.0.system: a list is no string"),
        (("rows", 0), {"title": "a"}, "rows.0.system is missing"),
        (("published",), {"a": ""}, "published: a table is no string"),
    ],
)
def test_a_damaged_layout_is_one_line(run_cli, make_result, tmp_path, keys, value, wrong):
    append(tmp_path / "results.jsonl", make_result("a", 1))
    remember(tmp_path, Layout("One", (LayoutRow("a"),)))
    file = tmp_path / "layout.json"
    held = [json.loads(file.read_text())]
    inner = held
    place = (0, *keys)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    file.write_text(json.dumps(held[0]))
    told = run_cli("table", tmp_path)
    assert told.code == 2
    assert told.err == f"Error: {file}: damaged: {wrong}; delete it, or name a --plan.\n"


def test_a_layout_may_hold_more_than_is_known(run_cli, make_result, tmp_path):
    append(tmp_path / "results.jsonl", make_result("a", 1))
    rows = [{"system": "a", "title": "A", "further": 1}]
    (tmp_path / "layout.json").write_text(json.dumps({"rows": rows, "further": {}}))
    assert "\nA " in run_cli("table", tmp_path).out


def test_a_remembered_baseline_without_a_row_is_none():
    """Of two benches the first title and the first baseline that there is."""
    one = Layout("One", (LayoutRow("a"),), baseline="gone")
    two = Layout("Two", (LayoutRow("a", "other"), LayoutRow("b")), baseline="b")
    found = joined([one, two], Layout(rows=(LayoutRow("c"),)))
    assert (found.title, found.baseline) == ("One", "b")
    assert [row.name for row in found.rows] == ["a", "b", "c"]
    assert joined([one], Layout()).baseline == ""


def test_published_figures_that_are_gone_are_said(run_cli, make_result, tmp_path):
    append(tmp_path / "results.jsonl", make_result("a", 1))
    remember(tmp_path, Layout("One", (LayoutRow("a"),), published="gone.toml"))
    done = run_cli("table", tmp_path)
    assert done.code == 0
    assert "Published figures left out: No published figures 'gone.toml'" in done.err


def test_a_damaged_memory_is_one_line(run_cli, make_result, tmp_path):
    append(tmp_path / "results.jsonl", make_result("a", 1))
    (tmp_path / "layout.json").write_text('{"rows": [{"sistem": "a"}]}')
    done = run_cli("table", tmp_path)
    assert done.code == 2
    assert "layout.json: damaged" in done.err


def test_averages_of_the_types(run_cli, make_result, tmp_path):
    """LOC 82 with one gold entity, PER 78 with three: mean 80, weighted (82 + 3 * 78) / 4 = 79.
    The second seed is 4 higher in all. These results are of before averages were written down.
    """
    for seed, f1 in ((1, 80.0), (2, 84.0)):
        append(tmp_path / "results.jsonl", make_result("a", seed, f1=f1))
    assert "macro" not in read([tmp_path]).results[0].scores["test"]
    (row,) = rows(run_cli, tmp_path, "--averages")
    assert row["macro"]["f1"]["values"] == [80.0, 84.0]
    assert row["weighted"]["f1"]["values"] == [79.0, 83.0]
    assert "per_type" not in row
    assert "macro" not in rows(run_cli, tmp_path)[0]
    shown = run_cli("table", tmp_path, "--averages").out
    line = next(line for line in shown.splitlines() if line.startswith("  weighted"))
    # sd of 79 and 83: the root of 8.
    assert line.split()[:3] == ["weighted", "4", "gold"]
    assert "81.00 ± 2.83" in line
    assert "weighted: types by gold entities" in shown


def test_averages_are_of_the_default_reading(run_cli, make_result, tmp_path):
    append(tmp_path / "results.jsonl", make_result("a", 1))
    done = run_cli("table", tmp_path, "--averages", "--variant", "strict")
    assert done.code == 2
    assert "leave out --per-type and --averages" in done.err
