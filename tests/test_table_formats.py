"""Rich, Markdown, LaTeX, CSV and JSON say the same of the same table."""

import csv
import io
import json
import re

import pytest
from rich.console import Console

from mmseq.tables.grid import grid
from mmseq.tables.latex import escaped, latex
from mmseq.tables.layout import Layout, LayoutRow
from mmseq.tables.markdown import markdown
from mmseq.tables.records import csv_text, json_text
from mmseq.tables.rich_table import plain_text, print_grid
from mmseq.tables.table import build

FIGURES = f"""
[data.tweets]
title = "Tweets"
test_sha256 = "{"a" * 64}"

[sources.lee]
citation = "Lee & Kim (2020)"

[[figures]]
system = "b"
data = "tweets"
f1 = 80.5
source = "lee"
"""


@pytest.fixture
def table(make_result, tmp_path):
    (tmp_path / "figures.toml").write_text(FIGURES)
    rows = (
        LayoutRow("a", "System_A"),
        LayoutRow("b", "System [B]", published="b"),
        LayoutRow("c", "System C", preset="not-there"),
    )
    layout = Layout("50 % of A & B", rows, str(tmp_path / "figures.toml"), "tweets", "a")
    results = [
        make_result("a", 1, f1=80.0),
        make_result("a", 2, f1=82.0),
        make_result("b", 1, f1=79.25),
        make_result("b", 2, f1=81.25),
    ]
    return build(results, layout, per_type=True)


STATED = (
    "tweets: test split, 4 sentences, 4 gold entities, sha256 aaaaaaaaaaaa.",
    "seqeval's default",
    "over seeds 1-2",
    "Holm's correction over 1 comparison.",
)


def test_text_has_every_figure_whole_and_says_what_it_is_of(table):
    text = plain_text(grid(table))
    # sd of 80 and 82 is 2 ** 0.5.
    for part in ("81.00 ± 1.41", "80.00–82.00", "22.7 M", "1.5 k", "60.0 ± 0.0", "not installed"):
        assert part in text
    assert "80.25 ± 1.41" in text
    # 80.25 - 80.5
    assert "-0.25" in text
    for part in STATED:
        assert part in text
    assert "…" not in text


def test_markdown_is_a_table_of_equal_columns(table):
    lines = markdown(grid(table)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert len(bars) == 1
    # A heading, a rule; A, B with two types each; C.
    assert len(rows) == 2 + 3 + 3 + 1
    assert "System \\[B\\]" in rows[5]
    assert "81.00 ± 1.41<br>80.00–82.00" in rows[2]
    assert lines[0] == "**50 % of A & B**"
    for part in STATED:
        assert part in "\n".join(lines)


def test_markdown_escapes_what_would_be_markup(make_result):
    made = build([make_result("a", 1)], Layout(rows=(LayoutRow("a", "*a*|_b_|`c`<d>"),)))
    assert r"\*a\*\|\_b\_\|\`c\`\<d\>" in markdown(grid(made))


def test_latex_is_ruled_by_booktabs_and_its_rows_are_even(table):
    text = latex(grid(table))
    lines = text.splitlines()
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert lines.count(rule) == 1
    (begin,) = [line for line in lines if line.startswith(r"\begin{tabular}")]
    columns = len(begin.removeprefix(r"\begin{tabular}{").removesuffix("}"))
    body = lines[lines.index(r"\toprule") + 1 : lines.index(r"\bottomrule")]
    ends = [line for line in body if line != r"\midrule"]
    assert all(line.endswith(r" \\") for line in ends)
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in ends} == {columns}
    assert not re.search(r"\\\\\s*\[", text), "a bracket after the end of a row is its option"
    assert re.sub(r"\\.", "", text).count("{") == re.sub(r"\\.", "", text).count("}")


def test_the_latex_caption_states_data_reading_seeds_tests_and_citation(table):
    (caption,) = [line for line in latex(grid(table)).splitlines() if r"\caption" in line]
    assert caption.startswith(r"\caption{50 \% of A \& B. ")
    for part in (*STATED, r"Lee \& Kim (2020)"):
        assert part in caption
    assert r"$\pm$" in caption


def test_latex_escapes_what_would_be_a_command():
    assert escaped("a_b & 5% $x$ #1 {y} ~ ^ \\z") == (
        r"a\_b \& 5\% \$x\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
    )
    assert escaped("-1.00 [-2.00, +0.50] 1-5 B-PER 1.00–2.00 p < 0.001 F1 - a") == (
        "$-$1.00 {[}$-$2.00, +0.50{]} 1-5 B-PER 1.00--2.00 p $<$ 0.001 F1 $-$ a"
    )


def test_csv_has_a_line_a_group_and_a_column_a_number(table):
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [row["system"] for row in rows] == ["a", "b", "c"]
    assert [row["status"] for row in rows] == ["measured", "measured", "not installed"]
    first, second, third = rows
    assert float(first["f1_mean"]) == 81.0
    assert float(first["f1_sd"]) == pytest.approx(2**0.5, rel=1e-15)
    assert (float(first["f1_min"]), float(first["f1_max"])) == (80.0, 82.0)
    assert first["f1_values"] == "80.0 82.0"
    assert (first["gold"], first["variant"], first["sha256"]) == ("4", "default", "a" * 64)
    assert first["seeds"] == "1 2"
    assert float(first["per_type_LOC_f1_mean"]) == 83.0
    assert first["per_type_PER_support"] == "3"
    assert float(first["seconds_training_mean"]) == 60.0
    assert first["parameters_all"] == "22700000"
    assert first["checksums_train_sha256"] == "e" * 64
    assert (float(second["published_f1"]), float(second["published_difference_f1"])) == (
        80.5,
        -0.25,
    )
    assert float(second["comparison_effect"]) == 0.0
    assert float(second["comparison_p_holm"]) == 1.0
    assert third["f1_mean"] == ""


def test_json_has_the_same_numbers_whole(table):
    content = json.loads(json_text(table))
    assert (content["split"], content["variant"], content["baseline"]) == ("test", "default", "a")
    first, second, third = content["rows"]
    assert first["f1"] == {
        "mean": 81.0,
        "sd": pytest.approx(2**0.5),
        "min": 80.0,
        "max": 82.0,
        "values": [80.0, 82.0],
    }
    assert first["per_type"]["LOC"]["support"] == 1
    assert first["checksums"]["test"]["sha256"] == "a" * 64
    assert second["published"][0]["difference"]["f1"] == -0.25
    assert second["published"][0]["citation"] == "Lee & Kim (2020)."
    assert second["comparison"]["seeds"] == [1, 2]
    assert (third["status"], "f1" in third) == ("not installed", False)
    assert content["sources"]["lee"]["citation"] == "Lee & Kim (2020)"


def test_one_seed_has_no_deviation_in_any_format(make_result):
    made = build([make_result("a", 1)], Layout(rows=(LayoutRow("a"),)))
    assert "±" not in plain_text(grid(made))
    assert "One seed a row" in plain_text(grid(made))
    assert json.loads(json_text(made))["rows"][0]["f1"]["sd"] is None
    assert next(csv.DictReader(io.StringIO(csv_text(made))))["f1_sd"] == ""


def test_data_sets_are_set_apart(make_result):
    results = [make_result("a", 1), make_result("a", 1, sha256="b" * 64, data="films")]
    made = build(results, Layout(rows=(LayoutRow("a"),)))
    assert grid(made).starts == {1}
    assert latex(grid(made)).count(r"\midrule") == 2
    assert [cells[1] for cells in grid(made).rows] == [("tweets",), ("films",)]


def test_a_narrow_terminal_breaks_no_number(table):
    file = io.StringIO()
    print_grid(grid(table), Console(file=file, width=60, soft_wrap=True, color_system=None))
    for number in ("80.00–82.00", "81.00", "1.41", "-0.25"):
        assert number in file.getvalue()
    assert "  LOC  " in file.getvalue()
