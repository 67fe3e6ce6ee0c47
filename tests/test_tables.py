"""Rows of a table: what is averaged, what never is, and what is said of it."""

import json
import re
from dataclasses import replace

import pytest

from mmseq.errors import UserError
from mmseq.scoring.significance import difference, holm
from mmseq.tables.grid import grid, seeds_text, signed
from mmseq.tables.groups import group
from mmseq.tables.layout import Layout, LayoutRow, layout_of
from mmseq.tables.spread import Spread
from mmseq.tables.table import build


def table(results, **options):
    layout = options.pop("layout", None) or layout_of(results)
    return build(results, layout, **options)


def test_mean_sd_least_and_greatest_by_hand():
    # Mean (80 + 82 + 87) / 3 = 83; squares 9 + 1 + 16 = 26, over n - 1 = 2: 13.
    f1 = Spread.of([80.0, 82.0, 87.0])
    assert (f1.mean, f1.low, f1.high) == (83.0, 80.0, 87.0)
    assert f1.sd == pytest.approx(13**0.5)


def test_one_value_has_no_standard_deviation():
    assert Spread.of([80.0]).sd is None


def test_a_row_is_a_systems_seeds_on_a_data_set(make_result):
    results = [
        make_result("a", 2, f1=82.0, precision=90.0, seconds={"training": 61.0, "all": 71.0}),
        make_result("b", 1, f1=70.0),
        make_result("a", 1, f1=80.0, precision=86.0, seconds={"training": 59.0, "all": 69.0}),
    ]
    first, second = table(results).rows
    assert (first.layout.system, first.group.seeds) == ("a", (1, 2))
    assert (second.layout.system, second.group.seeds) == ("b", (1,))
    assert first.measured.scores["f1"].values == (80.0, 82.0)
    assert first.measured.scores["precision"].mean == 88.0
    assert first.measured.scores["recall"].mean == 81.0
    assert first.measured.seconds["training"].mean == 60.0
    assert first.measured.seconds["all"].mean == 70.0
    assert first.measured.parameters == {"all": 22_700_000, "trained": 1500}


def test_each_reading_has_its_own_scores_and_gold_count(make_result):
    results = [make_result("a", 1, f1=80.0, gold=10)]
    for variant, f1, gold in (("default", 80.0, 10), ("strict", 79.0, 9)):
        made = table(results, variant=variant)
        assert made.rows[0].measured.scores["f1"].mean == f1
        assert made.data[0].gold == gold
    caption = grid(table(results, variant="strict")).caption
    assert caption[0] == f"tweets: test split, 4 sentences, 9 gold entities, sha256 {'a' * 12}."
    assert "strict IOB2" in caption[1]


def test_a_reading_that_older_results_lack_is_told(make_result):
    with pytest.raises(UserError, match="a, tweets, seed 1: .*'repaired'"):
        table([make_result("a", 1)], variant="repaired")


def test_types_have_their_spread_and_support(make_result):
    made = table(
        [make_result("a", seed, f1=f1) for seed, f1 in ((1, 80.0), (2, 84.0))], per_type=True
    )
    types = made.rows[0].measured.per_type
    assert {name: found.support for name, found in types.items()} == {"LOC": 1, "PER": 3}
    assert types["LOC"].scores["f1"].values == (82.0, 86.0)
    assert types["PER"].scores["f1"].values == (78.0, 82.0)
    rows = grid(made).rows
    assert [cells[0][0] for cells in rows] == ["a", "  LOC", "  PER"]
    assert rows[1][1] == ("1 gold",)


def test_a_type_that_one_seed_neither_has_nor_predicts_counts_as_zero_there(make_result):
    whole, other = make_result("a", 1, f1=80.0), make_result("a", 2, f1=80.0)
    types = dict(other.scores["test"]["per_type"])
    del types["LOC"]
    other = replace(other, scores={"test": {**other.scores["test"], "per_type": types}})
    found = table([whole, other], per_type=True).rows[0].measured.per_type
    assert found["LOC"].scores["f1"].values == (82.0, 0.0)


def test_types_are_refused_where_the_reading_has_none(make_result):
    with pytest.raises(UserError, match="per type .*'strict'"):
        table([make_result("a", 1)], variant="strict", per_type=True)


CHANGES = {
    "versions": ({"torch": "2.7.0"}, "torch 2.7.0"),
    "config": ({"train": {"epochs": 9}}, "train.epochs 9"),
    "parameters": ({"all": 5, "trained": 1500}, "parameters (all) 5"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_what_differs_by_more_than_the_seed_is_never_averaged(make_result, field):
    value, told = CHANGES[field]
    results = [make_result("a", 1, f1=80.0), make_result("a", 2, f1=90.0)]
    other = replace(results[1], **{field: {**getattr(results[1], field), **value}})
    if field == "config":
        other = replace(other, config={**other.config, "train": {"seed": 2, "epochs": 9}})
    made = table([results[0], other])
    assert [row.measured.scores["f1"].values for row in made.rows] == [(80.0,), (90.0,)]
    assert told in made.rows[1].name
    (note,) = made.notes
    assert "a on tweets: 2 rows, never averaged" in note


@pytest.mark.parametrize("split", ["train", "valid"])
def test_other_training_or_validation_files_make_another_row(make_result, split):
    results = [make_result("a", 1), make_result("a", 2)]
    splits = {**results[1].splits, split: {**results[1].splits[split], "sha256": "0" * 64}}
    made = table([results[0], replace(results[1], splits=splits)])
    assert f"{split} sha256 00000000" in made.rows[1].name


def test_other_pictures_make_another_row(make_result):
    one, other = make_result("a", 1), make_result("a", 2)
    pictures = {**other.splits["test"], "images_sha256": "1" * 64}
    made = table([one, replace(other, splits={**other.splits, "test": pictures})])
    assert "test images_sha256 11111111" in made.rows[1].name


def test_another_test_file_is_another_data_set_though_its_name_is_the_same(make_result):
    made = table([make_result("a", 1), make_result("a", 2, sha256="b" * 64)])
    assert [row.group.seeds for row in made.rows] == [(1,), (2,)]
    assert [made.label(data) for data in made.data] == [
        "tweets aaaaaaaa, 4 gold",
        "tweets bbbbbbbb, 4 gold",
    ]
    # The systems are told apart by their data; no row says in what it differs.
    assert [row.name for row in made.rows] == ["a", "a"]
    assert "data" in [heading[0] for heading in grid(made).headings]


def test_dropping_a_type_makes_another_data_set_of_the_same_file(make_result):
    made = table([make_result("a", 1, gold=4), make_result("a", 2, gold=3)])
    assert [(data.sha256, data.gold) for data in made.data] == [("a" * 64, 4), ("a" * 64, 3)]


def test_places_interpreters_and_kept_checkpoints_make_no_other_row(make_result):
    one, other = make_result("a", 1), make_result("a", 2, data="copy", versions={"torch": "2.6.0"})
    config = {
        "data": {"path": "/there/copy", "image_folder": "/there/pictures", "features": "off"},
        "train": {"seed": 2, "epochs": 2, "keep_last": True},
    }
    made = table([one, replace(other, config=config)])
    assert [row.group.seeds for row in made.rows] == [(1, 2)]
    assert made.notes == ()
    assert made.data[0].name == "tweets"


def test_a_seed_that_is_there_twice_counts_once(make_result):
    groups, notes = group(
        [make_result("a", 1, f1=80.0), make_result("a", 1, f1=90.0)], "test", "default"
    )
    assert [r.scores["test"]["f1"] for r in groups[0].results] == [80.0]
    assert notes == ["a on tweets: seed 1 is there twice; the first is used."]


def test_many_differences_are_counted(make_result):
    other = make_result("a", 2)
    config = {"train": {"seed": 2, "epochs": 2}, "fusion": dict.fromkeys("abcde", 1)}
    groups, _ = group([make_result("a", 1), replace(other, config=config)], "test", "default")
    assert groups[1].differs == "fusion.a 1, fusion.b 1, fusion.c 1 and 2 more"


def test_systems_trained_on_other_files_are_told(make_result):
    other = make_result("b", 1)
    splits = {**other.splits, "train": {**other.splits["train"], "sha256": "9" * 64}}
    (note,) = table([make_result("a", 1), replace(other, splits=splits)]).notes
    assert note == "tweets: training files differ (sha256): a: eeeeeeee; b: 99999999."


def test_seconds_of_unequal_threads_are_told(make_result):
    made = table([make_result("a", 1), make_result("a", 2, threads=4)])
    (note,) = made.notes
    assert note.startswith("Runs with 1, 4 threads stand together: seconds differ by that, and")


def test_runs_without_the_split_are_left_out_and_told(make_result):
    whole, unscored = make_result("a", 1), make_result("a", 2)
    made = table([whole, replace(unscored, scores={"valid": unscored.scores["valid"]})])
    assert made.rows[0].group.seeds == (1,)
    assert made.notes == ("Left out, no scores of the split 'test': a on tweets seed 2.",)


def test_no_run_with_the_split_is_an_error(make_result):
    result = replace(make_result("a", 1), scores={"valid": {}})
    with pytest.raises(UserError, match="split 'test'.* valid"):
        table([result])


def test_a_layout_gives_rows_order_and_names_what_is_absent(make_result):
    rows = (
        LayoutRow("c", "System C", preset="not-there"),
        LayoutRow("b", "System B", preset="bert-crf"),
        LayoutRow("a", "System A"),
    )
    made = table([make_result("a", 1), make_result("x", 1)], layout=Layout("Title", rows))
    text = grid(made)
    assert [cells[0][0] for cells in text.rows] == ["System C", "System B", "System A"]
    assert [cells[1][0] for cells in text.rows] == ["not installed", "no results", "1"]
    assert made.notes == ("Left out, no systems of this table: x (runs: 1).",)
    assert text.title == "Title"


def counts(correct):
    one = {"correct": correct, "predicted": [2] * 40, "gold": [2] * 40}
    return {"test": one, "valid": one}


def test_rows_are_tested_against_the_baseline_on_shared_seeds_with_holm(make_result):
    right = {"base": [1, 0, 1, 2] * 10, "near": [1, 0, 2, 1] * 10, "far": [2, 2, 1, 2] * 10}
    results = [
        make_result(system, seed, counts=counts(row))
        for system, row in right.items()
        for seed in (1, 2, 3)
        if (system, seed) != ("far", 3)
    ]
    made = table(results, layout=layout_of(results, baseline="base"))
    base, near, far = (row.comparison for row in made.rows)
    assert base is None
    by_seed = {(r.system, r.seed): r.counts_of("test") for r in results}
    pairs = [
        difference([by_seed[s, i] for i in seeds], [by_seed["base", i] for i in seeds])
        for s, seeds in (("near", (1, 2, 3)), ("far", (1, 2)))
    ]
    assert [near.difference, far.difference] == pairs
    assert [near.p, far.p] == holm([max(pair.p_bootstrap, pair.p_randomisation) for pair in pairs])
    assert (far.seeds, far.family) == ((1, 2), 2)
    # Of 80 entities 40 and 70 are right of 80 predicted: F1 50 and 87.5.
    assert far.difference.effect == pytest.approx(37.5)
    assert "far on tweets: tested on the seeds that both have: 1, 2." in made.notes
    text = grid(made)
    assert ("F1 - base", "p (Holm)") in text.headings
    cell = text.rows[2][text.headings.index(("F1 - base", "p (Holm)"))]
    assert cell[0].startswith("+37.50 [")
    assert any("Holm's correction over 2 comparisons" in line for line in text.caption)


@pytest.mark.parametrize(
    ("seeds", "changes", "reason"),
    [
        ((2,), {}, "no seed .*'base'"),
        ((1,), {"sha256": "b" * 64}, "'base' .*same test file"),
        ((1,), {"counts": {}}, "without counts"),
    ],
)
def test_what_cannot_be_tested_is_said_and_not_tested(make_result, seeds, changes, reason):
    results = [make_result("base", 1), *(make_result("a", seed, **changes) for seed in seeds)]
    made = table(results, layout=layout_of(results, baseline="base"))
    assert not any(row.comparison for row in made.rows)
    assert any(re.match(f"a on tweets: not tested: .*{reason}", note) for note in made.notes)
    assert "F1 - base" not in [heading[0] for heading in grid(made).headings]


def test_a_baseline_with_two_configurations_is_no_baseline(make_result):
    other = make_result("base", 2, versions={"torch": "2.7.0"})
    results = [make_result("base", 1), other, make_result("a", 1)]
    made = table(results, layout=layout_of(results, baseline="base"))
    assert any("the baseline 'base' has 2 rows there" in note for note in made.notes)


def test_other_readings_are_not_tested(make_result):
    results = [make_result("base", 1), make_result("a", 1)]
    made = table(results, layout=layout_of(results, baseline="base"), variant="strict")
    assert [row.comparison for row in made.rows] == [None, None]
    assert "Not tested" in made.notes[0]


def test_no_output_calls_the_highest_mean_best(make_result):
    results = [make_result("a", 1, f1=80.0), make_result("b", 1, f1=90.0)]
    text = json.dumps([grid(table(results)).rows, grid(table(results)).caption]).lower()
    assert not any(word in text for word in ("better", "best", "outperform", "**", "textbf"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "strickt"}, "variant 'strickt'. Did you mean 'strict'"),
        ({"layout": Layout(rows=(LayoutRow("a"),), baseline="b")}, "Unknown baseline system 'b'"),
        ({"layout": Layout(rows=(LayoutRow("a"),), published="nowhere")}, "No published figures"),
    ],
)
def test_unknown_names_are_told(make_result, options, message):
    with pytest.raises(UserError) as told:
        table([make_result("a", 1)], **options)
    assert message in str(told.value)


def test_seeds_are_written_as_ranges():
    assert seeds_text([5, 1, 2, 3]) == "1-3, 5"
    assert seeds_text([7]) == "7"


def test_a_difference_that_rounds_to_nothing_has_no_minus():
    assert signed(-0.001) == "+0.00"
    assert signed(-1.234) == "-1.23"
    assert signed(None) == "–"
