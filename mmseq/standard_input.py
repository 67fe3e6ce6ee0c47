"""Standard input, taken by the command that reads it: to whatever else asks, it is empty."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def taken_input() -> Iterator[BinaryIO]:
    """The bytes of standard input, as they come. Until the end of the block its descriptor and
    `sys.stdin` are empty, so that a library that asks a question gets no answer from the data.
    """
    given = sys.stdin
    if given is None:
        # It was closed.
        yield io.BytesIO()
        return
    with open(os.devnull, "rb") as nothing, open(os.devnull, encoding="utf-8") as empty:
        try:
            own = os.dup(given.fileno()) if given.fileno() == 0 else None
        except (OSError, ValueError):
            own = None
        sys.stdin = empty
        try:
            if own is None:
                # A stream of Python's own, which is no descriptor's.
                yield given.buffer
                return
            os.dup2(nothing.fileno(), 0)
            try:
                with open(own, "rb", closefd=False) as data:
                    yield data
            finally:
                os.dup2(own, 0)
                os.close(own)
        finally:
            sys.stdin = given
