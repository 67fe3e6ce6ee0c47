"""The folder that a command writes: new, and either whole or absent; and pictures put into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmseq.drafts import draft_of
from mmseq.durable import put_folder
from mmseq.errors import UserError


def require_new_folder(path: Path, flag: str) -> None:
    """`UserError` unless `path` is free or an empty folder; call it before the work."""
    if os.path.islink(path) or os.path.exists(path):
        if not os.path.isdir(path):
            raise UserError(f"{flag} {path}: is a file; give the name of a new folder.")
        if os.path.islink(path) or os.listdir(path):
            raise UserError(f"{flag} {path}: exists and is not empty; give the name of a new one.")


@contextmanager
def new_folder(path: Path, flag: str) -> Iterator[Path]:
    """An empty folder to write into, which becomes `path` when the block ends; missing parents are
    made. Where the block raises, nothing is left. `UserError` where `path` is taken by then, and
    where it cannot be made.
    """
    path = Path(os.path.abspath(path))
    require_new_folder(path, flag)
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = stack.enter_context(draft_of(path)) / "folder"
            draft.mkdir()
        except OSError as error:
            reason = error.strerror or error
            raise UserError(
                f"{flag} {path}: cannot be made ({reason}); give another place."
            ) from error
        yield draft
        require_new_folder(path, flag)
        if path.exists():
            path.rmdir()
        put_folder(draft, path)


def place_picture(source: Path, target: Path) -> None:
    """`source` as the new file `target`: a hard link, which takes no space and outlives the other
    name, or a copy where the file system has none. Missing folders are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(os.path.realpath(source), target)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(source, target)
