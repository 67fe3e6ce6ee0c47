"""Plans: what is in them, and all that can be wrong with one, told at once."""

import pytest

from mmseq import UserError
from mmseq.bench.plan import (
    DataSet,
    Override,
    Plan,
    Problems,
    System,
    find_plan,
    parse_seeds,
    read_plan,
    with_flags,
)


def read(tmp_path, text):
    """(plan, problems) of a plan file."""
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    problems = Problems()
    return read_plan(path, problems), problems.lines


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("1-5", (1, 2, 3, 4, 5)),
        ("7", (7,)),
        (3, (3,)),
        ([2, 1], (2, 1)),
        ("1,3,7-9", (1, 3, 7, 8, 9)),
        (["0-1", 5], (0, 1, 5)),
        (" 1 - 2 ", (1, 2)),
    ],
)
def test_seeds_are_numbers_and_ranges(given, seeds):
    problems = Problems()
    assert parse_seeds(given, problems) == seeds
    assert problems.lines == []


@pytest.mark.parametrize("given", ["5-1", "a", "1-", "-1", [1.5], "1-99999999", "4000000000", ""])
def test_what_is_no_seed_is_a_problem(given):
    problems = Problems()
    assert parse_seeds(given, problems) == ()
    assert len(problems.lines) == 1
    assert "write 1-5 or 1,3,7" in problems.lines[0]


def test_a_seed_named_twice_is_a_problem():
    problems = Problems()
    assert parse_seeds("1-3,2", problems) == (1, 2, 3)
    assert problems.lines == ["seeds: 2 is there twice; name it once."]


def test_a_plan_with_everything(tmp_path):
    plan, problems = read(
        tmp_path,
        """
        title = "A table"
        data = ["sample", "../twitter", {path = "d", name = "ours", images = "pictures"}]
        seeds = "1-2"
        offline = true
        presets = ["bert-crf"]
        baseline = "one"
        published = "some-figures"
        published_data = "twitter2017"
        [set]
        "train.epochs" = 3
        [[systems]]
        name = "one"
        preset = "bert-crf"
        title = "One"
        published = "bert"
        optional = true
        [systems.set]
        "train.batch_size" = 16
        [[systems]]
        name = "two"
        config = "two.toml"
        [[overrides]]
        name = "slow"
        set = {"train.learning_rate" = 1e-4}
        """,
    )
    assert problems == []
    assert plan == Plan(
        title="A table",
        systems=(
            System("one", "bert-crf", None, "One", {"train.batch_size": 16}, "bert", True),
            System("two", "", tmp_path / "two.toml", "two"),
            System("bert-crf", "bert-crf", title="bert-crf", published="bert-crf"),
        ),
        data=(
            DataSet("sample", "sample"),
            DataSet("twitter", str(tmp_path.parent / "twitter")),
            DataSet("ours", str(tmp_path / "d"), str(tmp_path / "pictures")),
        ),
        seeds=(1, 2),
        settings={"train.epochs": 3},
        overrides=(Override("slow", {"train.learning_rate": 1e-4}),),
        offline=True,
        baseline="one",
        published="some-figures",
        published_data="twitter2017",
    )


def test_every_mistake_of_a_plan_is_told(tmp_path):
    _, problems = read(
        tmp_path,
        """
        sedes = "1-5"
        seeds = "9-1"
        offline = "yes"
        data = [3, {name = "x"}, {path = "d", pictures = "p"}]
        systems = ["mine"]
        [[overrides]]
        nam = "slow"
        """,
    )
    for expected in (
        "the plan has no key 'sedes'. Did you mean 'seeds'?",
        "the plan: offline = 'yes' is not of the right type.",
        "seeds: '9-1' is not a seed or a range",
        "data: 3 is not a folder",
        "data: {'name': 'x'} has no path.",
        "data has no key 'pictures'.",
        "systems: 'mine' is not a table; write [[systems]].",
        "[[overrides]] has no key 'nam'. Did you mean 'name'?",
    ):
        assert any(line.startswith(expected) for line in problems), expected


def test_a_plan_from_any_editor(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes('\ufeffdata = ["Müller"]\r\ntitle = """a\r\nb"""\r\n'.encode())
    problems = Problems()
    plan = read_plan(path, problems)
    assert problems.lines == []
    assert (plan.data[0].name, plan.title) == ("Müller", "a\nb")


def test_a_system_needs_a_name(tmp_path):
    _, problems = read(tmp_path, '[[systems]]\nname = "a/b"\n[[systems]]\nconfig = "x.toml"')
    assert [line.split(" must")[0] for line in problems] == [
        "[[systems]]: the name 'a/b'",
        "[[systems]]: the name ''",
    ]


def test_flags_take_the_place_of_systems_data_and_seeds_and_add_settings():
    problems = Problems()
    plan = Plan(
        systems=(System("A", "bert-crf"), System("B", "bert-softmax")),
        data=(DataSet("d", "d"),),
        seeds=(1, 2),
        settings={"train.epochs": 3, "train.batch_size": 8},
    )
    changed = with_flags(
        plan,
        presets=["bert-softmax", "other"],
        data=["sample"],
        seeds="4",
        settings={"train.epochs": 1},
        problems=problems,
    )
    # A preset that the plan has keeps the plan's name for it.
    assert [(s.name, s.preset) for s in changed.systems] == [
        ("B", "bert-softmax"),
        ("other", "other"),
    ]
    assert changed.data == (DataSet("sample", "sample"),)
    assert changed.seeds == (4,)
    assert changed.settings == {"train.epochs": 1, "train.batch_size": 8}
    assert with_flags(plan, problems=problems) == plan
    assert problems.lines == []


def test_a_plan_is_a_file_or_a_registered_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("", encoding="utf-8")
    assert find_plan(str(path)) == path
    with pytest.raises(UserError, match="plan 'mine': .*TOML"):
        find_plan("mine")


def test_a_plugin_registers_a_plan(site, run_cli):
    source = """
        import mmseq

        @mmseq.hookimpl
        def register_components(add):
            add.plan("both", "mmseq_x:both.toml")
        """.replace("\n        ", "\n")
    package = site.add("x", source)
    text = '# Two systems.\nseeds = "1-2"\n'
    (package / "both.toml").write_text(text, encoding="utf-8")
    assert find_plan("both") == package / "both.toml"
    with pytest.raises(UserError, match="plan 'both'"):
        find_plan("boht")
    assert run_cli("show", "plan", "both").out == text
    listed = run_cli("list", "plan").out
    assert "both" in listed
    assert "Two systems." in listed


def test_a_folder_called_sample_is_no_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problems = Problems()
    plan = with_flags(Plan(), data=["./sample", "sample"], problems=problems)
    assert [d.path for d in plan.data] == [str(tmp_path / "sample"), "sample"]
