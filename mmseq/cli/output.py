"""The file that a command writes: new, and either whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmseq.errors import UserError


def require_new(path: Path, flag: str = "--output") -> None:
    """`UserError` where there is such a file, or no folder for it; call it before the work."""
    # Not `path.exists()`, which raises for a name that no file can have.
    if os.path.exists(path):
        raise _exists(path, flag)
    if not os.path.isdir(path.parent):
        raise UserError(f"{flag} {path}: no folder {path.parent}; make it first.")


@contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A text file to write, which goes again if writing fails: half a result looks like a whole
    one. `UserError` where there is one by now.
    """
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise _exists(path, "--output") from error
    except OSError as error:
        raise UserError(
            f"--output {path}: cannot be written ({error.strerror}); give another place."
        ) from error
    try:
        with file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # A full disk does not say which file it was.
            error.filename = error.filename or str(path)
        raise


def _exists(path: Path, flag: str) -> UserError:
    return UserError(f"{flag} {path}: exists; give another name.")
