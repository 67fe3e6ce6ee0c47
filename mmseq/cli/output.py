"""The file that a command writes with --output: new, and whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmseq.errors import UserError


def require_new(path: Path) -> None:
    """`UserError` where there is such a file, or no folder for it; to be asked before the work."""
    if path.exists():
        raise _exists(path)
    if not path.parent.is_dir():
        raise UserError(f"--output {path}: no folder {path.parent}; make it first.")


@contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A text file to write, which goes again if writing fails: half a result looks like a whole
    one. `UserError` where there is one by now.
    """
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise _exists(path) from error
    try:
        with file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # A full disk does not say which file it was.
            error.filename = error.filename or str(path)
        raise


def _exists(path: Path) -> UserError:
    return UserError(f"--output {path}: exists; give another name.")
