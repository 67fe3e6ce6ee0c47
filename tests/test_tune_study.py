"""The study's storage, its draws, and when it stops a trial; scores made up, nothing trained."""

import sqlite3

import pytest

from mmseq.config.config import Config
from mmseq.tune.parameter import Choices, Parameter, Range
from mmseq.tune.search import Method
from mmseq.tune.space import Space
from mmseq.tune.study import Study, differences

LISTS = ([1, 2], [3])
PARAMETERS = (
    Parameter("train.learning_rate", Range(1e-5, 1e-1, log=True)),
    Parameter("train.batch_size", Range(8, 64, step=8, whole=True)),
    Parameter("train.warmup", Range(0.0, 0.5, step=0.2)),
    Parameter("fusion.name", Choices(("gate", "concat"))),
    Parameter("data.splits", Choices(LISTS)),
)


@pytest.fixture
def study(tmp_path):
    """`study(…)` opens the same file each time, as a new process would."""
    opened = []

    def call(method=Method(), seed=1, name="study.db", begun=None, parameters=PARAMETERS):  # noqa: B008
        space = Space(Config.from_layers(), parameters)
        opened.append(Study(tmp_path / name, space, method, seed, begun or {}))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


def score_of(settings):
    """Best at a rate of 1e-3 with the fusion `concat`."""
    from math import log10

    return (
        90
        - 10 * abs(log10(settings["train.learning_rate"]) + 3)
        + 5 * (settings["fusion.name"] == "concat")
    )


def carry_out(study, trials):
    found = []
    for _ in range(trials):
        trial = study.ask()
        settings = study.settings(trial)
        study.tell_finished(trial, score_of(settings), {})
        found.append(settings)
    return found


def test_settings_lie_in_their_ranges_and_are_what_the_file_names(study):
    for settings in carry_out(study(), 12):
        assert 1e-5 <= settings["train.learning_rate"] <= 1e-1
        assert settings["train.batch_size"] in range(8, 65, 8)
        # 0.5 is no step of 0.2 from 0.
        assert min(abs(settings["train.warmup"] - w) for w in (0.0, 0.2, 0.4)) < 1e-9
        assert settings["fusion.name"] in ("gate", "concat")
        assert settings["data.splits"] in LISTS


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_study_opened_anew_for_each_trial_draws_what_an_unbroken_one_does(study, sampler):
    method = Method(sampler=sampler, random_trials=4)
    whole = carry_out(study(method, name="whole.db"), 8)
    broken = [settings for _ in range(8) for settings in carry_out(study(method), 1)]
    assert broken == whole
    assert carry_out(study(method, seed=2, name="other.db"), 3) != whole[:3]
    rates = {settings["train.learning_rate"] for settings in whole}
    assert len(rates) == 8


def test_a_trial_killed_while_its_settings_are_drawn_gets_the_same(study):
    method = Method(random_trials=3)
    whole = carry_out(study(method, name="whole.db"), 5)
    first = study(method)
    carry_out(first, 4)
    trial = first.ask()
    # Drawn up to the second parameter.
    few = Space(first.space.base, PARAMETERS[:2])
    first.space, all_of_them = few, first.space
    first.settings(trial)
    first.space = all_of_them
    again = study(method)
    (trial,) = again.under_way()
    assert trial.number == 4
    assert again.settings(trial) == whole[4]


def test_tpe_finds_better_settings_than_random_draws(study):
    """15 draws each after the same 5: its mean is the better one."""
    means = {}
    for sampler in ("tpe", "random"):
        method = Method(sampler=sampler, random_trials=5)
        found = carry_out(study(method, name=f"{sampler}.db"), 20)
        means[sampler] = sum(score_of(settings) for settings in found[5:]) / 15
    assert means["tpe"] > means["random"] + 1


def finished(study, curve):
    trial = study.ask()
    study.settings(trial)
    for epoch, f1 in enumerate(curve, 1):
        assert study.hear(trial, epoch, f1, len(curve)) == ""
    study.tell_finished(trial, max(curve), {})


def test_a_trial_below_the_median_after_as_many_epochs_stops(study):
    one = study(Method(prune_after_trials=3, prune_after_epochs=1))
    for curve in ([10, 40, 50], [20, 50, 60], [30, 60, 70]):
        finished(one, curve)
    trial = one.ask()
    # The first epoch is every trial's; after two the median is 50.
    assert one.hear(trial, 1, 1.0, 3) == ""
    assert one.hear(trial, 2, 49.0, 3) == (
        "pruned: its validation F1 is below the median of earlier trials"
    )
    one.tell_finished(trial, 49.0, {})
    other = one.ask()
    assert one.hear(other, 1, 55.0, 3) == ""
    # What counts is the best so far.
    assert one.hear(other, 2, 10.0, 3) == ""
    # After the last epoch there is nothing to save.
    assert one.hear(other, 3, 11.0, 3) == ""
    one.tell_finished(other, 55.0, {})
    states = [(t.state.name, t.value) for t in one.trials()]
    assert states[3:] == [("PRUNED", 49.0), ("COMPLETE", 55.0)]
    assert one.best().number == 2


def test_nothing_stops_before_enough_trials_or_without_a_pruner(study):
    for name, method in (
        ("few.db", Method(prune_after_trials=4)),
        ("none.db", Method(pruner="none", prune_after_trials=1)),
    ):
        one = study(method, name=name)
        for curve in ([10, 40, 50], [20, 50, 60], [30, 60, 70]):
            finished(one, curve)
        trial = one.ask()
        assert [one.hear(trial, epoch, 0.0, 3) for epoch in (1, 2, 3)] == ["", "", ""]


def test_epochs_done_again_are_answered_as_before(study):
    method = Method(prune_after_trials=1)
    one = study(method)
    finished(one, [50, 60, 70, 80])
    trial = one.ask()
    answers = [one.hear(trial, epoch, f1, 4) for epoch, f1 in ((1, 55.0), (2, 61.0), (3, 10.0))]
    assert [bool(answer) for answer in answers] == [False, False, True]
    again = study(method)
    (trial,) = again.under_way()
    repeated = [again.hear(trial, epoch, f1, 4) for epoch, f1 in ((1, 55.0), (2, 61.0), (3, 10.0))]
    assert repeated == answers
    again.tell_finished(trial, 61.0, {})
    assert again.trials()[1].value == 10.0
    assert again.trials()[1].intermediate_values == {1: 55.0, 2: 61.0, 3: 10.0}


def test_of_equally_good_trials_the_first_is_the_best(study):
    one = study()
    for f1 in (50.0, 60.0, 60.0):
        one.tell_finished(one.ask(), f1, {})
    one.tell_failed(one.ask(), "out of memory")
    assert one.best().number == 1
    assert one.trials()[3].user_attrs["error"] == "out of memory"


def test_no_trial_no_best(study):
    assert study().best() is None


def test_the_file_is_a_study_of_optuna(study, tmp_path):
    """Its own tools can read it."""
    one = study()
    carry_out(one, 2)
    one.close()
    with sqlite3.connect(tmp_path / "study.db") as connection:
        rows = connection.execute("select study_name from studies").fetchall()
        values = connection.execute("select count(*) from trial_values").fetchone()
    connection.close()
    assert rows == [("mmseq",)]
    assert values == (2,)


def test_differences_are_told_by_place():
    then = {"a": {"x": 1, "y": 2}, "b": 3}
    assert differences(then, {"a": {"x": 1, "y": 5}, "c": 4}) == (
        "a.y (2, now 5), b (3, now none), c (none, now 4)"
    )
    many = {str(n): n for n in range(7)}
    assert differences({}, many).endswith("3 (none, now 3) and 3 more")
