"""A run is whole: what is read of it lies in its folder, whatever links in it say."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmseq.errors import UserError
from mmseq.shapes import shown

FILES = (
    *("config.toml", "labels.json", "model.safetensors", "metrics.json", "timing.json"),
    *("history.jsonl", "data.json"),
)
FOLDERS = ("assets", "predictions", "last")


def require_inside(run: Path, names: Iterable[str] = (*FILES, *FOLDERS)) -> None:
    """`UserError` where one of a run's files, or of those in its folders, is a link that leads out
    of the run, or no file at all: a device, a pipe.

    The cache of the Hugging Face Hub keeps the files of a snapshot as links to the blobs of their
    repository, which belong to it.
    """
    root = Path(os.path.realpath(run))
    roots = [root]
    if root.parent.name == "snapshots":
        roots.append(root.parents[1] / "blobs")
    for path in _all(root / name for name in names):
        target = Path(os.path.realpath(path))
        where = run / path.relative_to(root)
        if not any(target.is_relative_to(own) for own in roots):
            raise UserError(
                f"{where}: leads out of the run, to {shown(str(target))}; a run is whole: put the "
                "file itself there."
            )
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise UserError(f"{where}: is neither a file nor a folder; put the run's own there.")


def _all(paths: Iterable[Path]) -> Iterator[Path]:
    """Those that there are and, of folders, all that is in them; links to folders are not followed,
    for they are to be looked at themselves.
    """
    for path in paths:
        if os.path.lexists(path):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _all(sorted(path.iterdir()))
