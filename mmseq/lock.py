"""What one process at a time may work on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmseq.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """A file or folder is this process's alone while inside; `UserError` with the text `taken`
    where another process has it.

    The lock is the kernel's: it ends with its process, whatever ends that.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(taken) from error
        except OSError:
            pass  # a network file system without locks
        yield
    finally:
        os.close(handle)
