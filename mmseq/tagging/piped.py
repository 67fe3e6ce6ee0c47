"""Lines of a pipe, as they come."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO

WAIT = 0.1
"""Seconds that a line waits for others before it is worked on"""
_WORK = 0.02
"""Seconds that no line takes to be read: a chunk was worked on, with all lines before"""
_BLOCK = 1 << 16


def lines_of(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines with their ends. From a pipe, a socket or a terminal also None, where the first line
    given has waited for others for `WAIT` seconds: what was given is to be worked on now. From a
    file, which is all there, never.
    """
    number = _pipe(stream)
    return iter(stream) if number is None else _as_they_come(number)


def is_file(stream: BinaryIO) -> bool:
    """Whether all of it is there, and can be read again: neither a pipe nor a terminal."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # of what is in memory
        return True


def _pipe(stream: BinaryIO) -> int | None:
    """The file descriptor of a stream to be waited at; None where there is nothing to wait for."""
    # Windows cannot wait at pipes.
    return None if is_file(stream) or not hasattr(select, "poll") else stream.fileno()


def _as_they_come(number: int) -> Iterator[bytes | None]:
    """Read by its number, past what Python would hold back to fill its buffer."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    patience: float | None = None
    begun: list[bytes] = []
    while True:
        started = time.monotonic()
        if not poll.poll(None if patience is None else patience * 1000):
            patience = None
            yield None
            continue
        if patience is not None:
            patience = max(0.0, patience - (time.monotonic() - started))
        block = os.read(number, _BLOCK)
        *whole, rest = block.split(b"\n")
        for line in whole:
            patience = WAIT if patience is None else patience
            given = time.monotonic()
            yield b"".join([*begun, line, b"\n"])
            begun = []
            if time.monotonic() - given > _WORK:
                patience = WAIT
        if rest:
            begun.append(rest)
        if not block:
            yield from [b"".join(begun)] if begun else ()
            return
