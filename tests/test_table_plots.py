"""The strip plot and the learning curves: what is drawn, where, and that it repeats."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from mmseq.errors import UserError
from mmseq.tables.drawing import render_figure
from mmseq.tables.layout import Layout, LayoutRow
from mmseq.tables.learning_curves import learning_curves
from mmseq.tables.strip_plot import strip_plot
from mmseq.tables.table import build

FIGURES = """
[data.tweets]
title = "Tweets"
test_sha256 = "{sha256}"

[sources.lee]
citation = "Lee (2020)"

[[figures]]
system = "a"
data = "tweets"
f1 = 85.5
source = "lee"

[[figures]]
system = "c"
data = "tweets"
f1 = 79.0
source = "lee"
"""


def table(results, path=None, sha256="a" * 64, title=""):
    if path is not None:
        path.write_text(FIGURES.format(sha256=sha256))
    rows = tuple(LayoutRow(name, f"System {name}", name) for name in ("a", "b", "c"))
    return build(results, Layout(title, rows, str(path or ""), "tweets" if path else ""))


@pytest.fixture
def results(make_result):
    return [
        *(make_result("a", seed, f1=f1) for seed, f1 in ((1, 80.0), (2, 84.0), (3, 82.0))),
        make_result("b", 1, f1=70.0),
    ]


def lines(axes):
    """Every upright line as (F1, middle): means and published values."""
    segments = [
        s for c in axes.collections if isinstance(c, LineCollection) for s in c.get_segments()
    ]
    return sorted((float(s[0, 0]), float(s[:, 1].mean())) for s in segments)


def points(axes):
    found = [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]
    return [np.asarray(offsets) for offsets in found]


def test_every_seed_is_a_point_and_the_mean_a_line(results):
    (axes,) = strip_plot(table(results)).axes
    first, second = points(axes)
    assert first[:, 0].tolist() == [80.0, 84.0, 82.0]
    assert np.abs(first[:, 1] - 0).max() < 0.4
    assert second.tolist() == [[70.0, 1.0]]
    assert lines(axes) == [(70.0, 1.0), (82.0, 0.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["System a", "System b"]


def test_equal_seeds_are_seen_apart(make_result):
    (axes,) = strip_plot(table([make_result("a", seed, f1=80.0) for seed in (1, 2, 3)])).axes
    assert len({tuple(point) for point in points(axes)[0]}) == 3


def test_axes_say_split_reading_gold_count_and_data(results):
    (axes,) = strip_plot(table(results)).axes
    assert axes.get_xlabel() == "test F1 (seqeval default, 4 gold entities)"
    assert axes.get_title() == "tweets (test sha256 aaaaaaaaaaaa)"
    strict = build(results, Layout(rows=(LayoutRow("a"), LayoutRow("b"))), variant="strict")
    assert strip_plot(strict).axes[0].get_xlabel() == "test F1 (strict IOB2, 3 gold entities)"


def test_the_published_value_is_a_line_where_the_data_are_the_same(results, tmp_path):
    figure = strip_plot(table(results, tmp_path / "f.toml"))
    (axes,) = figure.axes
    # Of a system without results too.
    assert lines(axes) == [(70.0, 1.0), (79.0, 2.0), (82.0, 0.0), (85.5, 0.0)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one seed", "mean", "published"]


def test_the_published_value_of_other_data_is_not_drawn(results, tmp_path):
    figure = strip_plot(table(results, tmp_path / "f.toml", sha256="b" * 64))
    assert lines(figure.axes[0]) == [(70.0, 1.0), (82.0, 0.0)]
    (legend,) = figure.legends
    assert "published" not in [text.get_text() for text in legend.get_texts()]


def test_each_data_set_has_a_panel(results, make_result):
    other = make_result("a", 1, f1=50.0, sha256="b" * 64, data="films")
    first, second = strip_plot(table([*results, other])).axes
    assert [axes.get_title().split()[0] for axes in (first, second)] == ["tweets", "films"]
    assert points(second)[0].tolist() == [[50.0, 0.0]]


def test_no_results_are_no_plot(tmp_path):
    with pytest.raises(UserError, match="results to plot"):
        strip_plot(table([], tmp_path / "f.toml"))


def drawn(axes):
    return [
        (line.get_linewidth(), line.get_color(), line.get_xydata().tolist()) for line in axes.lines
    ]


def test_curves_are_one_thin_line_a_seed_and_their_mean(results):
    figure = learning_curves(table(results))
    (axes,) = figure.axes
    found = drawn(axes)
    a = [line for line in found if line[1] == found[0][1]]
    # The fixture's validation F1 is f1 - 1 after epoch 1 and f1 after epoch 2.
    assert [points for width, _, points in a if width < 1] == [
        [[1, 79.0], [2, 80.0]],
        [[1, 83.0], [2, 84.0]],
        [[1, 81.0], [2, 82.0]],
    ]
    assert [points for width, _, points in a if width > 2] == [[[1, 81.0], [2, 82.0]]]
    assert len(found) == 4 + 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["System a", "System b"]
    assert [line.get_color() for line in legend.get_lines()] == [found[0][1], found[-1][1]]
    assert axes.get_ylabel() == "validation F1\n(seqeval default, 4 gold entities)"
    assert axes.get_title() == "tweets (valid sha256 ffffffffffff)"


def test_the_mean_goes_as_far_as_all_seeds(make_result):
    long = [{"epoch": e, "losses": {}, "valid_f1": 60.0 + e} for e in (1, 2, 3)]
    results = [make_result("a", 1, curve=long), make_result("a", 2, f1=80.0)]
    (axes,) = learning_curves(table(results)).axes
    (mean,) = [points for width, _, points in drawn(axes) if width > 2]
    # (61 + 79) / 2 and (62 + 80) / 2
    assert mean == [[1, 70.0], [2, 71.0]]


def test_runs_without_validation_have_no_curve(make_result):
    empty = [{"epoch": 1, "losses": {}, "valid_f1": None}]
    with pytest.raises(UserError, match="validation split"):
        learning_curves(table([make_result("a", 1, curve=empty)]))
    (axes,) = learning_curves(table([make_result("a", 1, curve=empty), make_result("b", 1)])).axes
    assert len(axes.lines) == 2


def test_many_systems_have_looks_of_their_own(make_result):
    names = [f"s{i}" for i in range(20)]
    results = [make_result(name, 1) for name in names]
    made = build(results, Layout(rows=tuple(LayoutRow(name) for name in names)))
    means = [line for line in learning_curves(made).axes[0].lines if line.get_linewidth() > 2]
    assert len({(line.get_color(), str(line.get_linestyle())) for line in means}) >= 7 * 2
    assert len({(line.get_color(), line._unscaled_dash_pattern) for line in means}) == 20


@pytest.mark.parametrize("draw", [strip_plot, learning_curves])
def test_pictures_repeat_byte_for_byte(results, tmp_path, draw):
    made = table(results, tmp_path / "f.toml", title="A title $of$ text")
    png, svg = (render_figure(draw(made), form) for form in ("png", "svg"))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert (render_figure(draw(made), "png"), render_figure(draw(made), "svg")) == (png, svg)
    texts = [t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"System a", "A title $of$ text"} <= set(texts)


def test_a_run_without_a_validation_split_beside_one_with(make_result):
    whole = make_result("a", 1)
    without = replace(
        make_result("b", 1),
        curve=[{"epoch": 1, "losses": {}, "valid_f1": None}],
        splits={k: v for k, v in whole.splits.items() if k != "valid"},
        scores={"test": whole.scores["test"]},
    )
    (axes,) = learning_curves(table([without, whole])).axes
    assert len(axes.lines) == 2
