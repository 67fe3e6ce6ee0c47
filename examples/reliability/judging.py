"""One command or call of the public interface, carried out in this process, and what is wrong.

Bad input gets one line on standard error and exit code 2, whatever it is. Everything else is a
failure, whose kind says what and, of an error in Python, where.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

SECONDS = 10
"""Of computing without a word, after which a command hangs"""
MEMORY = 1 << 30
"""Bytes that a command may take beyond what was taken before"""
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What no terminal may get of any text; with TERM=dumb the programme itself writes none either"""
KILOBYTE = 1024 if sys.platform != "darwin" else 1


class Hang(BaseException):
    """Too long without an end; not an `Exception`, so that nothing takes it for an error."""


class _Captured(io.TextIOWrapper):
    """A text stream into memory that says that it is a terminal, or a pipe."""

    def __init__(self, *, terminal: bool = False, content: bytes = b"") -> None:
        self.bytes = io.BytesIO(content)
        self.terminal = terminal
        super().__init__(self.bytes, encoding="utf-8", errors="backslashreplace", newline="")

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        with suppress(ValueError):
            self.flush()
        return self.bytes.getvalue().decode("utf-8", "backslashreplace")

    def close(self) -> None:
        """What was written is read after a command that closes its streams."""


@contextmanager
def captured(given: bytes, *, terminal: bool) -> Iterator[tuple[_Captured, _Captured]]:
    """Standard input of `given`; standard output and standard error in memory."""
    kept = sys.stdin, sys.stdout, sys.stderr
    out, err = _Captured(terminal=terminal), _Captured(terminal=terminal)
    sys.stdin, sys.stdout, sys.stderr = _Captured(content=given), out, err
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


@contextmanager
def time_limit(seconds: float, said: Callable[[], int] = int) -> Iterator[None]:
    """`Hang` after so many seconds of computing in which `said`, a number, has not changed.

    What else the machine does meanwhile is not counted.
    """
    before = said()

    def stop(*_: Any) -> None:
        nonlocal before
        if said() == before:
            raise Hang
        before = said()

    kept = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, kept)


def judged(
    arguments: Sequence[str],
    *,
    given: bytes = b"",
    codes: Sequence[int] = (0, 2),
    terminal: bool = False,
) -> str:
    """What is wrong with the answer to a command line, or to a `python:` call; empty if nothing."""
    before = _memory()
    with captured(given, terminal=terminal) as (out, err):
        try:
            with time_limit(SECONDS, lambda: out.bytes.tell() + err.bytes.tell()):
                code = _carried_out(arguments)
        except Hang:
            return f"hangs for {SECONDS} s"
        except BaseException as error:
            return f"{type(error).__name__} at {_place(error)}"
    if _memory() - before > MEMORY:
        return "takes more than 1 GB"
    return fault(code, out.text(), err.text(), codes, terminal=terminal, arguments=arguments)


def _carried_out(arguments: Sequence[str]) -> int:
    from mmseq.__main__ import run

    first, *rest = arguments
    if not first.startswith("python:"):
        return run(list(arguments))
    from mmseq import UserError

    try:
        CALLS[first.partition(":")[2]](*rest)
    except UserError as error:
        # The Python interface raises what the command line prints.
        sys.stderr.write(f"Error: {error}\n")
        return 2
    return 0


def fault(
    code: int,
    out: str,
    err: str,
    codes: Sequence[int],
    *,
    terminal: bool,
    arguments: Sequence[str],
) -> str:
    """What is wrong with an exit code and what was written, or nothing."""
    told = " ".join(err.split())
    if code == 1 and told.endswith("(--debug shows where)"):
        return f"a component's error: {told[told.find('Error: ') + 7 :][:60]}"
    if code not in codes:
        return f"exit code {code}"
    seen = CONTROL.search(out + err if terminal else err)
    if seen:
        return f"control character {ord(seen.group()):#04x} on " + (
            "a terminal" if terminal else "standard error"
        )
    if "Traceback (most recent" in err:
        return "traceback"
    if code == 2 and not terminal:
        lines = err.splitlines()
        if len([line for line in lines if line.startswith(("Error: ", "Usage: "))]) != 1:
            return "exit code 2 without its one line" if not lines else "more than one error"
        if not lines[-1].startswith("Error: "):
            return "an error that goes on after its line"
    if code == 0 and not terminal and "--json" in arguments:
        return _json_fault(out)
    return ""


def _json_fault(text: str) -> str:
    def refuse(name: str) -> None:
        raise ArithmeticError(name)

    try:
        try:
            json.loads(text or "null", parse_constant=refuse)
        except ValueError:
            for line in text.removesuffix("\n").split("\n"):
                json.loads(line, parse_constant=refuse)
    except ArithmeticError as error:
        return f"{error} in JSON"
    except ValueError:
        return "no JSON with --json"
    return ""


def _place(error: BaseException) -> str:
    """The innermost line of this project that an error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}mmseq" in frame.filename] or list(frames)
    path = own[-1].filename
    return f"{path[path.find('mmseq') :]}:{own[-1].lineno}" if own else "?"


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


def _load(folder: str) -> None:
    import mmseq

    mmseq.load(folder).predict(["Anna was in New York"], best=2)


def _config(file: str) -> None:
    import mmseq

    mmseq.Config.from_file(file)


@cache
def _tagger(folder: str) -> Any:
    import mmseq

    return mmseq.load(folder)


def _picture(folder: str, file: str) -> None:
    with open(file, "rb") as opened:
        content = opened.read()
    _tagger(folder).predict(["Anna was in"] * 2, [file, content])


def _sentences(folder: str, file: str) -> None:
    with open(file, encoding="utf-8", errors="surrogateescape") as opened:
        _tagger(folder).predict(opened.read().split("\n"))


CALLS: dict[str, Callable[..., None]] = {
    "load": _load,
    "config": _config,
    "picture": _picture,
    "sentences": _sentences,
}
"""The public Python interface, by the words after `python:`"""
