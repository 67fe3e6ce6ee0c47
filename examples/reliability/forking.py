"""A command in a process of its own: killed at an operation on files, cramped, or without streams.

Forked from one in which everything is imported, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judging import captured

MOST = 300
"""Seconds after which a process is ended: more than any flow takes on a busy machine"""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
)


@dataclass(frozen=True)
class Ended:
    """How a process ended. `code`: negative of a signal, `None` where it had to be ended."""

    code: int | None
    err: str = ""
    error: str = ""
    """An error in Python that came through, with its last lines"""
    operations: int = 0
    """Changes of files below the watched folders"""


class _Operations:
    """Counts changes of files below folders as they are about to be made; kills at one of them."""

    def __init__(self, folders: Sequence[Path], kill_at: int | None) -> None:
        self.count = 0
        self._folders = tuple(f"{folder}{os.sep}" for folder in folders)
        self._kill_at = kill_at

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not arguments[2] or not arguments[2] & WRITING:
                return
        elif event not in CHANGING:
            return
        path = arguments[0]
        if isinstance(path, int) or path is None:
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(self._folders):
            return
        self.count += 1
        if self.count == self._kill_at:
            os.killpg(0, signal.SIGKILL)


def forked(
    arguments: Sequence[str],
    *,
    watched: Sequence[Path] = (),
    kill_at: int | None = None,
    prepare: Callable[[], None] | None = None,
    closed: Sequence[int] = (),
) -> Ended:
    """Carry out a command line in a process of its own and say how it ended.

    `kill_at`: the number, from 1, of the operation below `watched` before which it is killed;
    `prepare`: called first; `closed`: standard streams that are closed, as a shell's `<&-`.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        os.setpgid(0, 0)
        told: dict[str, Any] = {}
        try:
            operations = _Operations(watched, kill_at)
            sys.addaudithook(operations)
            if prepare is not None:
                prepare()
            told = _without(arguments, closed) if closed else _with_streams(arguments)
            told["operations"] = operations.count
        except BaseException as error:
            trace = "".join(traceback.format_exception(error)[-2:])
            told = {"code": 1, "error": f"{type(error).__name__}: {trace}"}
        finally:
            with os.fdopen(writing, "w") as pipe:
                pipe.write(json.dumps(told))
            os._exit(0)
    os.close(writing)
    return _awaited(process, reading)


def _awaited(process: int, reading: int) -> Ended:
    content = b""
    end = time.monotonic() + MOST
    timely = True
    while timely:
        timely = bool(select.select([reading], [], [], max(0.0, end - time.monotonic()))[0])
        part = os.read(reading, 1 << 16) if timely else b""
        if not part:
            break
        content += part
    os.close(reading)
    if not timely:
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not timely:
        return Ended(None)
    code = os.waitstatus_to_exitcode(status)
    return Ended(code) if code else Ended(**json.loads(content))


def _with_streams(arguments: Sequence[str]) -> dict[str, Any]:
    from mmseq.__main__ import run

    with captured(b"", terminal=False) as (_, err):
        code = run(list(arguments))
    return {"code": code, "err": err.text()}


def _without(arguments: Sequence[str], closed: Sequence[int]) -> dict[str, Any]:
    """By the front door, which opens closed streams; those that stay open are of no terminal."""
    from mmseq.__main__ import main

    for number in closed:
        os.close(number)
        name = ("stdin", "stdout", "stderr")[number]
        setattr(sys, name, None)
        setattr(sys, f"__{name}__", None)
    try:
        main(list(arguments))
    except SystemExit as stop:
        return {"code": stop.code if isinstance(stop.code, int) else 1}
    return {"code": 0}
