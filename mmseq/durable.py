"""Files that are on the disk, and not only on their way there, before they get their name.

A rename is a promise: whoever finds the name finds the whole content. After a kill the system keeps
that promise by itself; after a loss of power only where the content was synchronised before the
rename, and the folder after it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def put(temporary: Path, path: Path) -> None:
    """A finished file in the place of `path`."""
    _synchronise(temporary)
    os.replace(temporary, path)
    _synchronise(path.parent)


def put_folder(draft: Path, path: Path) -> None:
    """A finished folder, with all that is in it, as `path`, which is free."""
    for place, _, files in os.walk(draft, topdown=False):
        for name in files:
            _synchronise(Path(place, name))
        _synchronise(Path(place))
    os.rename(draft, path)
    _synchronise(path.parent)


def _synchronise(path: Path) -> None:
    """What was written is on the disk; `OSError` where the disk is full or fails."""
    try:
        # Windows synchronises only what is open for writing, and no folder.
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except OSError:
        # A folder there, or what may be written and not read: the name does not depend on it.
        return
    try:
        if path.is_dir():
            # Some file systems have no such thing for folders.
            with suppress(OSError):
                os.fsync(handle)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)
