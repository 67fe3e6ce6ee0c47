from mmseq import EpochEvent
from mmseq.testing import check_callback

from mmseq_example.callback import ExampleCallback


def epoch(f1, preparing=False):
    valid = None if f1 is None else {"f1": f1}
    return EpochEvent(epoch=1, step=1, preparing=preparing, losses={}, valid=valid, best_epoch=1)


def test_it_keeps_the_contract():
    # A target that the tiny run of the check reaches, in its second epoch.
    check_callback(ExampleCallback, target=0.0, epochs=2)


def test_it_stops_when_the_target_is_reached_so_often_in_a_row():
    callback = ExampleCallback(target=80.0, epochs=2)
    assert [callback.on_epoch(epoch(f1)) for f1 in (81.0, 79.9, 80.0)] == [None] * 3
    assert callback.on_epoch(epoch(85.25)) == "validation F1 is 85.25, and 80 was wanted"


def test_epochs_without_validation_or_of_preparation_do_not_count():
    callback = ExampleCallback(target=80.0)
    assert callback.on_epoch(epoch(None)) is None
    assert callback.on_epoch(epoch(90.0, preparing=True)) is None


def test_a_resumed_run_goes_on_counting():
    callback, resumed = (ExampleCallback(target=80.0, epochs=2) for _ in range(2))
    callback.on_epoch(epoch(90.0))
    resumed.load_state(callback.state())
    assert resumed.on_epoch(epoch(90.0)) is not None
