import json

import pytest

from mmseq.builtins.callbacks.history import Conflict, EarlyStopping, History
from mmseq.config.config import Config
from mmseq.contracts.callback import EpochEvent, StepEvent
from mmseq.errors import UserError


def step(number, epoch=1):
    return StepEvent(number, epoch, {"main": 1.5 / number}, {"main": 1.0}, {"head": 1e-3}, 0.25)


def epoch(number, f1=None, *, at=0, preparing=False):
    valid = None if f1 is None else {"f1": f1}
    return EpochEvent(number, at, preparing, {"main": 0.5}, valid, 1)


def wishes(callback, values):
    return [callback.on_epoch(epoch(i + 1, f1)) for i, f1 in enumerate(values)]


def test_early_stopping_by_hand():
    found = wishes(EarlyStopping(patience=2), [10.0, 12.0, 12.0, 13.0, 12.5, 13.0])
    assert found[:5] == [None] * 5
    assert found[5] == "validation F1 has not risen for 2 epochs"


def test_a_first_score_of_zero_is_a_rise():
    assert wishes(EarlyStopping(patience=1), [0.0, 0.0])[0] is None


def test_preparation_epochs_and_epochs_without_validation_do_not_count():
    callback = EarlyStopping(patience=1)
    assert callback.on_epoch(epoch(1, 50.0, preparing=True)) is None
    assert callback.on_epoch(epoch(2, 10.0)) is None
    assert callback.on_epoch(epoch(3)) is None
    assert callback.on_epoch(epoch(4, 9.0, preparing=True)) is None
    assert callback.on_epoch(epoch(5, 11.0)) is None
    assert callback.on_epoch(epoch(6, 11.0))


def test_early_stopping_goes_on_from_its_state():
    values = [10.0, 9.0, 9.5, 9.9]
    whole = wishes(EarlyStopping(patience=3), values)
    first, second = EarlyStopping(patience=3), EarlyStopping(patience=3)
    found = wishes(first, values[:2])
    second.load_state(json.loads(json.dumps(first.state())))
    assert found + wishes(second, values[2:]) == whole
    assert whole[-1]


def test_early_stopping_starts_afresh_from_an_empty_state():
    callback = EarlyStopping(patience=1)
    callback.load_state({})
    assert callback.state() == EarlyStopping(patience=1).state()


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("early-stopping", "patience", 0), ("history", "steps", -1), ("conflict", "steps", 0)],
)
def test_senseless_options_are_a_users_error(name, option, value):
    with pytest.raises(UserError, match=f"callback '{name}': {option} = {value}"):
        Config.from_layers(settings={f"callbacks.{name}.{option}": value})


def record(folder, steps, *, start=0, every=2, epoch_ends=(4, 8)):
    history = History(steps=every)
    history.on_start(folder, start)
    for number in steps:
        history.on_step(step(number))
        if number in epoch_ends:
            history.on_epoch(epoch(number // 4, 20.0 + number, at=number))
    return (folder / "history.jsonl").read_bytes()


def lines(data):
    return [(r["kind"], r["step"]) for r in map(json.loads, data.decode().splitlines())]


def test_history_has_a_line_every_few_steps_and_one_each_epoch(tmp_path):
    data = record(tmp_path, range(1, 9))
    expected = [("step", 2), ("step", 4), ("epoch", 4), ("step", 6), ("step", 8), ("epoch", 8)]
    assert lines(data) == expected
    first = json.loads(data.splitlines()[0])
    assert first == {
        "kind": "step",
        "step": 2,
        "epoch": 1,
        "losses": {"main": 0.75},
        "weights": {"main": 1.0},
        "learning_rates": {"head": 1e-3},
        "gradient_norm": 0.25,
    }
    assert json.loads(data.splitlines()[2])["valid"] == {"f1": 24.0}


def test_history_of_epochs_only(tmp_path):
    assert lines(record(tmp_path, range(1, 9), every=0)) == [("epoch", 4), ("epoch", 8)]


def test_equal_runs_give_equal_bytes(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    assert len({record(folder, range(1, 9)) for folder in folders}) == 1


@pytest.mark.parametrize("checkpoint", [0, 3, 4, 5, 8])
@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_resumed_run_gives_the_bytes_of_an_unbroken_one(tmp_path, checkpoint, cut):
    """Broken off after step 8, perhaps in the middle of a line; resumed from the checkpoint."""
    (tmp_path / "whole").mkdir()
    whole = record(tmp_path / "whole", range(1, 13), epoch_ends=(4, 8, 12))
    record(tmp_path, range(1, 9), epoch_ends=(4, 8) if checkpoint == 8 else (4,))
    if checkpoint < 8:
        path = tmp_path / "history.jsonl"
        path.write_bytes(path.read_bytes()[: -cut or None])
    data = record(tmp_path, range(checkpoint + 1, 13), start=checkpoint, epoch_ends=(4, 8, 12))
    assert data == whole


def test_a_new_run_empties_an_old_history(tmp_path):
    record(tmp_path, range(1, 9))
    assert lines(record(tmp_path, [1, 2])) == [("step", 2)]


def conflicts(folder, steps, *, start=0):
    conflict = Conflict(steps=3)
    conflict.on_start(folder, start)
    for number in steps:
        cosines = {"boundary": -0.5, "cluster": 0.125} if conflict.wants_cosines(number) else {}
        conflict.on_step(StepEvent(number, 1, {"main": 1.0}, {}, {}, 0.0, cosines))
    return (folder / "conflict.jsonl").read_bytes()


def test_conflict_asks_for_what_it_writes(tmp_path):
    data = conflicts(tmp_path, range(1, 8))
    cosines = {"boundary": -0.5, "cluster": 0.125}
    assert [json.loads(line) for line in data.splitlines()] == [
        {"step": 3, "epoch": 1, "cosines": cosines},
        {"step": 6, "epoch": 1, "cosines": cosines},
    ]


@pytest.mark.parametrize("checkpoint", [0, 3, 5, 6])
def test_a_resumed_log_of_conflicts_is_the_unbroken_one(tmp_path, checkpoint):
    (tmp_path / "whole").mkdir()
    whole = conflicts(tmp_path / "whole", range(1, 13))
    path = tmp_path / "conflict.jsonl"
    path.write_bytes(conflicts(tmp_path, range(1, 8)) + b'{"step": 9, "ep')
    assert conflicts(tmp_path, range(checkpoint + 1, 13), start=checkpoint) == whole


def test_only_conflict_wants_cosines():
    assert [step for step in range(1, 21) if Conflict().wants_cosines(step)] == [10, 20]
    assert not any(History().wants_cosines(step) for step in range(1, 21))
