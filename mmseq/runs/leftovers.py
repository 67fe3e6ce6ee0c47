"""What kills leave in a run folder, and is of no use to anybody."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from mmseq.errors import UserError
from mmseq.files import read_toml

LAST = "last"
"""Folder of what an unfinished run needs to be resumed"""
_UNDER_WAY = re.compile(r"\.tmp\w{6}|.*\.part")


def sweep(folder: Path) -> None:
    """Remove weights that were being written when a kill came, of a run that is this process's."""
    # Elsewhere in the folder a part may be a user's: of predictions, say.
    for place in (folder, *folder.glob(f"{LAST}/**/")):
        for path in place.glob("*"):
            weights = path.name.startswith((".tmp", "model.safetensors."))
            if _UNDER_WAY.fullmatch(path.name) and (weights or place != folder):
                _remove(path)


def sweep_finished(folder: Path) -> None:
    """The same of a finished run, which needs no `LAST` any more unless its config keeps it."""
    if not (folder / LAST).is_dir():
        return
    with suppress(UserError):
        if not read_toml(folder / "config.toml").get("train", {}).get("keep_last", False):
            _remove(folder / LAST)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
