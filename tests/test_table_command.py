"""`mmseq table`: files in, tables and plots out, one line for what is wrong."""

import csv
import io
import json
import sys

import pytest

import mmseq
from mmseq.bench.results import Result, append


@pytest.fixture
def bench(make_result, tmp_path):
    """Two folders of two machines, with a seed of each system in each."""
    for machine, seeds in (("one", (1, 2)), ("two", (2, 3))):
        for seed in seeds:
            for system, f1 in (("a", 80.0), ("b", 70.0)):
                append(
                    tmp_path / machine / "results.jsonl", make_result(system, seed, f1=f1 + seed)
                )
    return tmp_path


def test_results_of_several_machines_are_merged(run_cli, bench):
    result = run_cli("table", bench / "one", bench / "two" / "results.jsonl", "--format", "csv")
    assert result.code == 0, result.err
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [(row["system"], row["seeds"], row["f1_mean"]) for row in rows] == [
        ("a", "1 2 3", "82.0"),
        ("b", "1 2 3", "72.0"),
    ]


def test_half_written_lines_are_told_on_standard_error(run_cli, bench):
    with (bench / "one" / "results.jsonl").open("a") as file:
        file.write('{"key": "x", "sys')
    result = run_cli("table", bench / "one", "--format", "json")
    assert result.code == 0
    assert "results.jsonl:5: half-written, dropped" in result.err
    assert len(json.loads(result.out)["rows"]) == 2


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("t.md", "**Results**"),
        ("t.tex", "% \\usepackage{booktabs}"),
        ("t.csv", "system,title,"),
        ("t.json", "{\n"),
        ("t.txt", "Results"),
    ],
)
def test_the_ending_says_the_format(run_cli, bench, name, begins):
    result = run_cli("table", bench / "one", "--output", bench / name)
    assert (result.code, result.out) == (0, ""), result.err
    assert (bench / name).read_text().startswith(begins)


def test_the_flag_says_the_format_before_the_ending(run_cli, bench):
    assert run_cli("table", bench / "one", "--output", bench / "t.txt", "--format", "csv").code == 0
    assert (bench / "t.txt").read_text().startswith("system,title,")


def test_a_pipe_gets_every_figure_whole(run_cli, bench):
    result = run_cli("table", bench / "one", "--baseline", "b", "--per-type", "--split", "valid")
    assert result.code == 0, result.err
    assert "81.50 ± 0.71" in result.out
    assert "F1 - b" in result.out
    assert "tweets: valid split" in result.out
    assert "…" not in result.out


def test_plots_are_written_beside_the_table(run_cli, bench):
    files = [bench / name for name in ("strip.png", "curves.SVG")]
    result = run_cli("table", bench / "one", "--plot", files[0], "--curves", files[1])
    assert result.code == 0, result.err
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in files[1].read_bytes()
    assert "Results" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}/none"], "{}/none: No such file"),
        (["{}/empty.jsonl"], "{}/empty.jsonl: no results yet"),
        (["{}/damaged.jsonl"], "{}/damaged.jsonl:1: not a result"),
        ([], "Missing argument 'RESULTS"),
        (["{}/one", "--baseline", "c"], "baseline system 'c'"),
        (["{}/one", "--published", "multimodal-ner"], "TOML file"),
        (["{}/one", "--variant", "strickt"], "'strickt' is not one of"),
        (["{}/one", "--variant", "repaired"], "'repaired'"),
        (["{}/one", "--variant", "strict", "--per-type"], "per type"),
        (["{}/one", "--format", "html"], "'html' is not one of"),
        (["{}/one", "--output", "{}/empty.jsonl"], "--output {}/empty.jsonl: exists"),
        (["{}/one", "--output", "{}/absent/t.md"], "folder {}/absent"),
        (["{}/one", "--plot", "{}/a.pdf"], "--plot {}/a.pdf: "),
        (["{}/one", "--curves", "{}/curves"], "--curves {}/curves: "),
        (["{}/one", "--plot", "{}/" + "a" * 300 + ".png"], "(File name too long"),
    ],
)
def test_bad_input_is_one_line(run_cli, bench, arguments, words):
    (bench / "empty.jsonl").write_text("")
    (bench / "damaged.jsonl").write_text('{"key": 1}\n')
    result = run_cli("table", *(argument.format(bench) for argument in arguments))
    assert result.code == 2
    assert words.format(bench) in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not list(bench.glob("*.png"))


def test_without_matplotlib_the_extra_is_named_and_the_table_still_printed(
    bench, run_cli, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    done = run_cli("table", bench / "one", "--plot", bench / "a.png")
    assert done.code == 2
    assert "pip install 'mmseq[report]'" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert "Results" in done.out


def test_real_runs_make_a_table(tiny_encoder, tiny_data, tmp_path, run_cli):
    """What training writes is what a table reads: scores, counts, checksums, parameters."""
    from mmseq.config.config import Config
    from mmseq.console import Reporter
    from mmseq.runs.predictions import read_predictions
    from mmseq.scoring.counts import sentence_counts

    for seed in (1, 2):
        config = Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
            },
            settings={"data.path": str(tiny_data), "train.epochs": 2, "train.seed": seed},
        )
        run = mmseq.train(config, output=tmp_path / f"run-{seed}", reporter=Reporter(quiet=True))
        metrics = json.loads((run / "metrics.json").read_text())
        found = read_predictions(run, "test")
        append(
            tmp_path / "results.jsonl",
            Result(
                key=str(seed),
                system="text",
                preset="",
                data="tiny",
                seed=seed,
                settings={},
                config=config.tables(),
                splits=metrics["data"],
                versions=metrics["versions"],
                scores={"test": metrics["test"], "valid": metrics["valid"]},
                counts={"test": sentence_counts(found.gold, found.tags).to_json()},
                curve=[{"epoch": 1, "losses": {}, "valid_f1": metrics["valid"]["f1"]}],
                best_epoch=metrics["best_epoch"],
                seconds={"training": 1.0, "all": 1.0},
                parameters=metrics["parameters"],
                threads=1,
                finished="2026-01-01T00:00:00+00:00",
            ),
        )
    result = run_cli("table", tmp_path / "results.jsonl", "--format", "json", "--per-type")
    assert result.code == 0, result.err
    (row,) = json.loads(result.out)["rows"]
    assert row["seeds"] == [1, 2]
    assert row["f1"]["values"][1] == metrics["test"]["f1"]
    assert row["gold"] == metrics["test"]["gold"]
    assert row["sha256"] == metrics["data"]["test"]["sha256"]
    assert set(row["per_type"]) == set(metrics["test"]["per_type"])
