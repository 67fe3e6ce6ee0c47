"""A run's callbacks: each is called in turn, and errors inside are reported with its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.config.config import Choice
from mmseq.contracts.callback import Callback, EpochEvent, StepEvent
from mmseq.errors import ComponentError, one_line
from mmseq.model import calls
from mmseq.model.guard import require


class Listeners:
    """Callbacks by name; one that is not of the config's `choices` was given from Python.

    They live in the main process, where they get the `events`. All processes ask them what they
    want to know, and take up their states.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callback],
        choices: Mapping[str, Choice],
        *,
        events: bool = True,
    ) -> None:
        self._callbacks = callbacks
        self._hearing = callbacks if events else {}
        self._titles = {name: _title(name, c, choices.get(name)) for name, c in callbacks.items()}

    def start(self, folder: Path, resumed_step: int) -> None:
        """Training begins, or is resumed."""
        for name, callback in self._hearing.items():
            calls.notify(self._titles[name], callback, "on_start", folder, resumed_step)

    def wanting_cosines(self, step: int) -> list[str]:
        """Names of those that read the cosines of that step."""
        return [
            name
            for name, callback in self._callbacks.items()
            if calls.notify(self._titles[name], callback, "wants_cosines", step)
        ]

    def tell(self, event: StepEvent | EpochEvent) -> str:
        """After a step or an epoch; the first reason to stop, empty: none has one."""
        method = "on_step" if isinstance(event, StepEvent) else "on_epoch"
        reasons = []
        for name, callback in self._hearing.items():
            reason = calls.notify(self._titles[name], callback, method, event)
            if reason is not None and not isinstance(reason, str):
                raise ComponentError(
                    f"{self._titles[name]}: {method} gives {reason!r}; give None, or a reason to "
                    "stop in words."
                )
            if reason and not callback.steers:
                raise ComponentError(
                    f"{self._titles[name]}: {method} asks to stop ('{reason}'), and its class says "
                    "steers = False; leave that out."
                )
            reasons.append(reason)
        return next((reason for reason in reasons if reason), "")

    def end(self, folder: Path) -> None:
        """Tell all that the run folder is whole."""
        for name, callback in self._hearing.items():
            calls.notify(self._titles[name], callback, "on_end", folder)

    def close(self, broken: BaseException | None = None) -> None:
        """Close all of them, each whatever becomes of the others. What fails first is raised at
        the end; what fails after that, or after training was `broken` off, is a note to it.
        """
        first: Exception | None = None
        for name, callback in self._hearing.items():
            try:
                calls.notify(self._titles[name], callback, "close")
            # A stranger's code may raise anything.
            except Exception as error:
                if known := broken or first:
                    known.add_note(str(error))
                else:
                    first = error
        if first is not None:
            raise first

    def states(self) -> dict[str, Any]:
        """What each wants kept, by name; `ComponentError` for what is not JSON."""
        states = {}
        for name, callback in self._callbacks.items():
            states[name] = calls.notify(self._titles[name], callback, "state")
            require(self._titles[name], "what state gives", states[name], dict)
            try:
                json.dumps(states[name])
            except (TypeError, ValueError, RecursionError) as error:
                raise ComponentError(
                    f"{self._titles[name]}: what state gives cannot be kept as JSON "
                    f"({one_line(error)}); give strings, numbers, lists and dicts, with strings as "
                    "keys."
                ) from error
        return states

    def load_states(self, states: Mapping[str, Any]) -> None:
        """Give each its own state, and an empty one to those that had none."""
        for name, callback in self._callbacks.items():
            calls.notify(self._titles[name], callback, "load_state", states.get(name, {}))


def _title(name: str, callback: Callback, choice: Choice | None) -> str:
    """What messages call it."""
    if choice is not None and type(callback) is choice.entry.load():
        return choice.entry.full_title
    return f"callback '{name}' ({type(callback).__name__}, given to mmseq.train)"
