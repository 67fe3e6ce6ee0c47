"""The contract of a callback, checked with the events of a real run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmseq.contracts.callback import Callback, EpochEvent, RunAhead, StepEvent
from mmseq.testing.subject import Subject
from mmseq.testing.tiny_run import EPOCHS, tiny_run


def check_callback(component: type[Callback] | str, **options: Any) -> None:
    """Check a callback, a class or a registered name, with `options` of its constructor.

    It gets the events of a tiny real run, once whole and once broken off and resumed, in
    copies of the run folder. Raises `mmseq.testing.ContractError` for a broken contract,
    `mmseq.UserError` for a wrong name or option.
    """
    subject = Subject("callback", component, options)
    steers = getattr(subject.cls, "steers", None)
    right = "True, or False where it never asks to stop"
    subject.require(type(steers) is bool, "steers", f"it is {steers!r}", right)
    with subject.running("close without on_start", "having nothing to close is not an error"):
        subject.build().close()
    for ahead in (RunAhead(True, EPOCHS, ("task",)), RunAhead(False, 1, ())):
        with subject.running("idle"):
            reason = subject.build().idle(ahead)
        good = reason is None or (isinstance(reason, str) and bool(reason))
        right = "None, or in words why it will do nothing"
        subject.require(good, "idle", f"it gives {reason!r}", right)
    with TemporaryDirectory() as folder:
        _Check(subject, Path(folder)).run()


class _Check:
    def __init__(self, subject: Subject, home: Path) -> None:
        self.subject, self.home = subject, home

    def run(self) -> None:
        events = tiny_run().events
        half = next(
            i + 1
            for i, event in enumerate(events)
            if isinstance(event, EpochEvent) and event.epoch == EPOCHS // 2
        )
        whole = self.begun("whole", 0)
        expected = self.told(whole, events)
        self.ended(whole, "whole")
        broken = self.begun("resumed", 0)
        reasons = self.told(broken, events[:half])
        state = self.state(broken)
        with self.subject.running("close of a run that is broken off"):
            broken.close()
        resumed = self.begun("resumed", events[half - 1].step, state)
        right = "the same as before it was saved: load_state restores what state gives"
        same = self.state(resumed) == state
        self.subject.require(same, "state (saved and loaded again)", "it differs", right)
        reasons += self.told(resumed, events[half:])
        self.ended(resumed, "resumed")
        found = f"it asks to stop with {reasons}, without a break with {expected}"
        right = "the same: what it counts from event to event is in its state"
        self.subject.require(reasons == expected, "state (a resumed run)", found, right)

    def begun(self, name: str, step: int, state: dict[str, Any] | None = None) -> Any:
        """A new callback whose training has begun."""
        subject = self.subject
        folder = self.home / name
        if not folder.exists():
            shutil.copytree(tiny_run().folder, folder)
        callback = subject.build()
        if step:
            # A checkpoint of a run that had not this callback has no state of it.
            with subject.running("load_state({})", "what is not there keeps its start"):
                subject.build().load_state({})
            with subject.running("load_state"):
                callback.load_state(state or {})
        with subject.running("on_start"):
            callback.on_start(folder, step)
        return callback

    def told(self, callback: Any, events: Sequence[StepEvent | EpochEvent]) -> list[str | None]:
        """Its answers to events."""
        subject = self.subject
        reasons = []
        for event in events:
            what = "on_step" if isinstance(event, StepEvent) else "on_epoch"
            if isinstance(event, StepEvent):
                self.asked(callback, event.step)
            before = deepcopy(event)
            with subject.running(f"{what} of step {event.step}"):
                reason = getattr(callback, what)(event)
            subject.require(event == before, what, "it changes the event", "it only reads")
            good = reason is None or (isinstance(reason, str) and bool(reason))
            right = "None, or a reason to stop, such as 'the loss has risen'"
            subject.require(good, what, f"it gives {reason!r}", right)
            found = f"it asks to stop ({reason!r}), and its class says steers = False"
            right = "steers = True: whether it is there decides a run's figures"
            subject.require(reason is None or callback.steers, what, found, right)
            reasons.append(reason)
        return reasons

    def asked(self, callback: Any, step: int) -> None:
        contract = f"wants_cosines({step})"
        answers = [callback.wants_cosines(step), self.subject.build().wants_cosines(step)]
        right = "True or False, by the options and the step alone: every process is asked"
        good = all(type(answer) is bool for answer in answers) and answers[0] == answers[1]
        self.subject.require(good, contract, f"a used and a new one say {answers}", right)

    def state(self, callback: Any) -> dict[str, Any]:
        with self.subject.running("state"):
            state = callback.state()
        right = "a dict of strings, numbers, lists and dicts, with strings as keys"
        with self.subject.running("state (kept as JSON)", right):
            kept = json.loads(json.dumps(state))
        self.subject.require(kept == state, "state (kept as JSON)", f"{state} changes", right)
        return dict(kept)

    def ended(self, callback: Any, name: str) -> None:
        with self.subject.running("on_end"):
            callback.on_end(self.home / name)
        with self.subject.running("close"):
            callback.close()
