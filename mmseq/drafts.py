"""Folders that are written under another name, and get their own when they are whole.

What a kill leaves of one is removed when the next one of that name is begun, unless another process
is still writing it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from mmseq.files import fcntl

SHOWN = 40
"""Characters of a folder's name in that of its drafts: a name has 255 bytes"""
OLD = 86400.0
"""Seconds after which a draft is nobody's, where locks cannot tell"""


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """An empty folder on the same disk as `path`, which is gone when the block ends: what is to
    stay is moved out of it (`mmseq.durable.put_folder`).
    """
    sweep(path)
    while True:
        holder = path.with_name(f"{_stem(path)}{uuid4().hex[:12]}.draft")
        holder.mkdir()
        handle = _taken(holder)
        # Else another process has swept it before it was locked.
        if handle is not None:
            break
    try:
        yield holder
    finally:
        shutil.rmtree(holder, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def sweep(path: Path) -> None:
    """Remove drafts of `path` that nobody is writing any more."""
    with suppress(OSError):
        for holder in path.parent.glob(f"{_escaped(_stem(path))}*.draft"):
            handle = _taken(holder)
            if handle is None:
                continue
            try:
                if handle >= 0 or _old(holder):
                    shutil.rmtree(holder, ignore_errors=True)
            finally:
                if handle >= 0:
                    os.close(handle)


def _stem(path: Path) -> str:
    return f".{path.name[:SHOWN]}-"


def _escaped(name: str) -> str:
    """For a glob."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _taken(holder: Path) -> int | None:
    """A lock on a folder, which ends with this process or when it is closed; None where another
    process has it or the folder is gone; -1 where there are no locks.
    """
    if fcntl is None:
        return -1
    try:
        handle = os.open(holder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:  # a network file system without locks
        os.close(handle)
        return -1
    try:
        same = os.path.samestat(os.fstat(handle), os.stat(holder))
    except OSError:
        same = False
    if not same:
        os.close(handle)
        return None
    return handle


def _old(holder: Path) -> bool:
    try:
        return time.time() - holder.stat().st_mtime > OLD
    except OSError:
        return False
