"""Published figures: the file, and when ours may be subtracted from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from mmseq.errors import UserError
from mmseq.tables.grid import grid
from mmseq.tables.layout import Layout, LayoutRow
from mmseq.tables.published import find_published, read_published
from mmseq.tables.table import build

FILE = f"""# Figures
[data.tweets]
title = "Tweets 1"
test_sha256 = "{"a" * 64}"
gold = {{ default = 4 }}

[data.films]
title = "Films"

[sources.lee]
citation = "Lee (2020), Journal."
url = "https://example.org/lee"

[sources.log]
citation = "The authors' log"

[[figures]]
system = "a"
data = "tweets"
precision = 81.0
recall = 83.5
f1 = 82.25
source = "lee"
note = "Table 2"

[[figures]]
system = "a"
data = "tweets"
f1 = 79.5
source = "log"

[[figures]]
system = "b"
data = "films"
f1 = 60.0
source = "lee"
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "figures.toml"
    path.write_text(FILE)
    return path


def table(path, results, *, published_data="tweets", **options):
    rows = tuple(LayoutRow(name, published=name) for name in ("a", "b", "c"))
    layout = Layout(rows=rows, published=str(path), published_data=published_data)
    return build(results, layout, **options)


def cells(made):
    """The published column."""
    text = grid(made)
    return [row[text.headings.index(HEADING)] for row in text.rows]


HEADING = ("published P / R / F1", "ours - published")


def test_ours_less_published_on_the_same_test_file(path, make_result):
    results = [
        make_result("a", 1, f1=80.0, precision=80.0, recall=80.0),
        make_result("a", 2, f1=83.0, precision=84.0, recall=85.0),
    ]
    made = table(path, results)
    # Means 82, 82.5, 81.5 less 81, 83.5, 82.25.
    assert made.rows[0].published[0].differences(made.rows[0].measured) == {
        "precision": 1.0,
        "recall": -1.0,
        "f1": -0.75,
    }
    assert cells(made)[0] == ("81.00 / 83.50 / 82.25 [1]", "+1.00 / -1.00 / -0.75")


def test_a_second_source_stands_below_the_table_with_its_citation(path, make_result):
    caption = grid(table(path, [make_result("a", 1, f1=80.0)])).caption
    assert "a: also published on Tweets 1: F1 79.50 [2], ours - published +0.50." in caption
    assert caption[-2:] == (
        "[1] Lee (2020), Journal. https://example.org/lee",
        "[2] The authors' log.",
    )


def test_another_test_file_has_no_difference(path, make_result):
    made = table(path, [make_result("a", 1, sha256="b" * 64)])
    assert made.rows[0].published[0].differences(made.rows[0].measured) == {
        "precision": None,
        "recall": None,
        "f1": None,
    }
    assert cells(made)[0] == ("81.00 / 83.50 / 82.25 [1]", "other data: Tweets 1")


def test_another_reading_has_no_difference(path, make_result):
    made = table(path, [make_result("a", 1)], variant="strict")
    assert cells(made)[0][1] == "other reading: Tweets 1"


def test_the_same_file_with_a_dropped_type_has_no_difference(path, make_result):
    made = table(path, [make_result("a", 1, gold=3)])
    assert cells(made)[0][1] == "other gold count: Tweets 1"


def test_a_data_set_without_a_known_checksum_is_never_the_same(path, make_result):
    result = make_result("b", 1, sha256="")
    made = table(path, [result], published_data="films")
    assert cells(made)[1] == ("– / – / 60.00 [1]", "other data: Films")


def test_the_test_file_decides_before_the_layout(path, make_result):
    made = table(path, [make_result("a", 1)], published_data="films")
    assert [b.data for b in made.rows[0].published] == ["Tweets 1", "Tweets 1"]
    assert cells(made)[1] == ("– / – / 60.00 [1]", "other data: Films")


def test_systems_without_results_stand_with_their_published_figures(path):
    made = table(path, [])
    assert [cell[:1] for cell in cells(made)] == [("81.00 / 83.50 / 82.25 [1]",), (), ()]
    assert [row[1] for row in grid(made).rows] == [("no results",)] * 3


def test_the_validation_split_is_other_data(path, make_result):
    made = table(path, [make_result("a", 1)], split="valid")
    assert cells(made)[0][1] == "other data: Tweets 1"


def test_a_layout_naming_an_unknown_published_data_set_is_told(path, make_result):
    with pytest.raises(UserError, match="'tweet'.*'tweets'"):
        table(path, [make_result("a", 1)], published_data="tweet")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('data = "films"', 'data = "film"', "figures.3: Unknown data 'film'"),
        ('source = "log"', 'source = "blog"', "figures.2: Unknown source 'blog'"),
        ("f1 = 60.0", "f1 = 600.0", "figures.3.f1: "),
        ("f1 = 60.0", "F1 = 60.0", "figures.3.f1: Field required"),
        ("recall = 83.5", "recal = 83.5", "figures.1.recal: "),
        (f'"{"a" * 64}"', '"abc"', "data.tweets.test_sha256: "),
        ("[sources.lee]", "[source.lee]", "source: "),
        ("[sources.lee]", "[sources.leigh]", "figures.1: Unknown source 'lee'"),
        ("# Figures", "# Figures\n[", "not valid TOML"),
    ],
)
def test_a_broken_file_is_one_line_with_the_place(path, old, new, message):
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(UserError) as told:
        read_published(path)
    line = str(told.value)
    assert line.startswith(f"{path}: ")
    assert message in line
    assert "\n" not in line


def test_names_are_registered_or_files(path):
    assert find_published(str(path)) == path
    assert find_published("multimodal-ner-twitter").name == "twitter.toml"
    with pytest.raises(UserError, match="'multimodal-ner-twitter'"):
        find_published("multimodal-ner-twiter")


def test_figures_of_a_system_come_in_the_order_of_the_file(path):
    published = read_published(Path(path))
    assert [figure.f1 for figure in published.of("a", "tweets")] == [82.25, 79.5]
    assert published.data_of("a" * 64) == "tweets"
    assert published.data_of("") == ""


def test_rows_that_differ_each_have_the_published_value(path, make_result):
    other = replace(make_result("a", 2, f1=84.0), versions={"torch": "2.7.0"})
    made = table(path, [make_result("a", 1, f1=80.0), other])
    assert [cell[1].split(" / ")[-1] for cell in cells(made)[:2]] == ["-2.25", "+1.75"]
