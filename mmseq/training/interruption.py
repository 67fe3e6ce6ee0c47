"""Ctrl-C: the step under way is finished and saved before the program ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """Ctrl-C: training stopped after a whole step, with a checkpoint."""


class CtrlC:
    """Notes the first Ctrl-C in `pressed`; the second is the usual one."""

    def __init__(self) -> None:
        self.pressed = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """While inside, the first Ctrl-C is only noted."""

        def note(number: int, frame: FrameType | None) -> None:
            self.pressed = True
            signal.signal(signal.SIGINT, previous)

        try:
            previous = signal.signal(signal.SIGINT, note)
        except ValueError:
            # Not the main thread: signals are the caller's.
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
