"""What goes wrong inside a callback is told with its name; the others are closed all the same."""

import errno

import pytest

import mmseq
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback, EpochEvent
from mmseq.errors import ComponentError, UserError
from mmseq.registry.plugins import registry
from mmseq.training.callbacks import Listeners

SOURCE = """
import mmseq


@mmseq.hookimpl
def register_components(add):
    add.callback("shaky", "mmseq_shaky.parts:Shaky")
"""
CALLBACK = """
import mmseq


class Shaky(mmseq.Callback):
    def __init__(self, *, fault: str = "") -> None:
        self.fault = fault
        self.at("constructor")

    def at(self, place):
        if self.fault == place:
            raise RuntimeError(f"no {place}")

    def on_start(self, folder, resumed_step):
        self.at("on_start")

    def wants_cosines(self, step):
        self.at("wants_cosines")
        return False

    def on_step(self, event):
        self.at("on_step")
        return event.step if self.fault == "number" else None

    def on_epoch(self, event):
        self.at("on_epoch")
        return True if self.fault == "true" else None

    def on_end(self, folder):
        self.at("on_end")

    def close(self):
        self.at("close")

    def state(self):
        self.at("state")
        return {"set": {"seen": {1}}, "list": [1]}.get(self.fault, {})
"""
RAISED = ["on_start", "wants_cosines", "on_step", "on_epoch", "on_end", "close", "state"]
FAULTS = {
    "constructor": ".*constructor: RuntimeError: no constructor",
    **{place: rf".* {place}: RuntimeError: no {place}" for place in RAISED},
    "number": ": on_step .*1; .*reason",
    "true": ": on_epoch .*True; .*reason",
    "set": r": .*state .*JSON \(TypeError: .*set",
    "list": ": .*state .*list.*dict",
}
EPOCH = EpochEvent(1, 6, preparing=False, losses={"main": 0.5}, valid=None, best_epoch=1)


@pytest.mark.parametrize(("fault", "line"), FAULTS.items(), ids=FAULTS)
def test_a_fault_is_told_with_callback_distribution_and_method(
    echo_config, site, tmp_path, fault, line
):
    site.add("shaky", SOURCE, version="0.4", parts=CALLBACK)
    config = echo_config((), **{"callbacks.shaky.fault": fault, "train.epochs": 1})
    with pytest.raises(ComponentError, match=f"^callback 'shaky' of mmseq-shaky 0.4{line}"):
        mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))


class Failing(Callback):
    """Raises `error` after an epoch, and another when it is closed."""

    def __init__(self, error=None):
        self.error = error

    def on_epoch(self, event):
        if self.error is not None:
            raise self.error

    def close(self):
        raise OSError("not open")

    def load_state(self, state):
        raise KeyError("count")


class Closed(Callback):
    closed = 0

    def close(self):
        self.closed += 1


def test_what_fails_when_it_is_closed_hides_no_error_and_closes_the_others(echo_config, tmp_path):
    callbacks = {"failing": Failing(ZeroDivisionError("by 0")), "closed": Closed()}
    config = echo_config((), **{"train.epochs": 1})
    with pytest.raises(ComponentError) as caught:
        mmseq.train(
            config, output=tmp_path / "run", reporter=Reporter(quiet=True), callbacks=callbacks
        )
    title = "callback 'failing' (Failing, given to mmseq.train)"
    assert str(caught.value).startswith(title)
    assert "on_epoch: ZeroDivisionError: by 0" in str(caught.value)
    (note,) = caught.value.__notes__
    assert note.startswith(title)
    assert "close: OSError: not open" in note
    assert callbacks["closed"].closed == 1


def test_of_several_that_cannot_be_closed_the_first_is_told_and_the_others_noted():
    callbacks = {"a": Failing(), "closed": Closed(), "b": Failing()}
    with pytest.raises(ComponentError, match="^callback 'a' .*close: ") as caught:
        Listeners(callbacks, {}).close()
    assert [note.partition(" (")[0] for note in caught.value.__notes__] == ["callback 'b'"]
    assert callbacks["closed"].closed == 1


@pytest.mark.parametrize(
    "error", [UserError("no such port"), KeyboardInterrupt(), OSError(errno.ENOSPC, "no space")]
)
def test_what_is_not_the_callbacks_fault_passes_unchanged(error):
    with pytest.raises(type(error)) as caught:
        Listeners({"failing": Failing(error)}, {}).tell(EPOCH)
    assert caught.value is error


def test_a_state_that_cannot_be_taken_up_is_told():
    with pytest.raises(ComponentError, match="load_state: KeyError: 'count'"):
        Listeners({"failing": Failing()}, {}).load_states({})


class Stopping(Callback):
    def __init__(self, reason):
        self.reason = reason

    def on_epoch(self, event):
        return self.reason


def test_the_first_reason_to_stop_counts():
    answers = dict(enumerate([None, "", "it is late", "it is Monday"]))
    callbacks = {str(name): Stopping(reason) for name, reason in answers.items()}
    assert Listeners(callbacks, {}).tell(EPOCH) == "it is late"
    assert Listeners({"quiet": Stopping(None)}, {}).tell(EPOCH) == ""


def test_one_that_says_it_never_stops_may_not_stop():
    class Quiet(Callback):
        steers = False

        def on_epoch(self, event):
            return "enough" if event.epoch == 2 else None

    listeners = Listeners({"quiet": Quiet()}, {})
    events = [EpochEvent(n, n, False, {}, None, 0) for n in (1, 2)]
    assert listeners.tell(events[0]) == ""
    with pytest.raises(ComponentError, match=r"'quiet'.*on_epoch asks to stop \('enough'\)"):
        listeners.tell(events[1])


def test_those_that_only_log_say_that_they_never_stop():
    steering = {e.name: e.load().steers for e in registry().entries("callback")}
    own = ("history", "conflict", "tensorboard", "wandb", "mlflow")
    assert [steering[name] for name in own] == [False] * 5
    assert steering["early-stopping"]
