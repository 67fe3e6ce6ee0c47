"""Data folders and run folders as bytes, for machines without a disk in common."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os.path import isfile
from pathlib import Path, PurePosixPath
from typing import Any

from mmseq.config.config import DataConfig
from mmseq.data.picture_bounds import require_shippable
from mmseq.data.source import is_sample, load_data
from mmseq.drafts import draft_of
from mmseq.durable import put_folder
from mmseq.errors import UserError
from mmseq.files import fcntl


def pack_data(tables: Mapping[str, Any]) -> bytes | None:
    """The data files and pictures that a run's table [data] names; None for the sample, which
    every machine makes for itself.
    """
    data = DataConfig.model_validate(dict(tables))
    if is_sample(data):
        return None
    root = Path(data.image_folder) if data.image_folder else Path(data.path) / "images"
    buffer = io.BytesIO()
    # Pictures are compressed already; a file may be dated before 1980, or after 2107.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for split in load_data(data, data.splits).values():
            archive.write(split.path, split.path.name)
            packed = set(archive.namelist())
            wheres = {path: e.where for e in reversed(split.examples) for path in e.images}
            for path in dict.fromkeys(p for e in split.examples for p in e.images):
                if isfile(path):
                    require_shippable(wheres[path], path, root)
                    name = str(PurePosixPath("images", *path.relative_to(root).parts))
                    if name not in packed:
                        archive.write(path, name)
    return buffer.getvalue()


@contextmanager
def unpacked_data(packed: bytes | None) -> Iterator[dict[str, str]]:
    """The settings of [data] that name what `pack_data` packed, unpacked while inside.

    The folder is named by the content: runs of a machine at the same time share it, other data
    never lie in it, and the last of them removes it. What a killed run left the next one removes.
    """
    if packed is None:
        yield {}
        return
    digest = hashlib.sha256(packed).hexdigest()[:32]
    place = Path(tempfile.gettempdir()) / f"{_own()}{digest}"
    _sweep(place)
    lock = _shared(place, packed)
    try:
        yield {"path": str(place), "image_folder": ""}
    finally:
        _remove_unused(place, lock)


def _own() -> str:
    """How this user's folders of shipped data are called."""
    return f"mmseq-data-{os.getuid() if hasattr(os, 'getuid') else 0}-"


def _shared(place: Path, packed: bytes) -> int:
    """Unpack into `place` where that has not been done, and hold it against removal."""
    while True:
        if not place.is_dir():
            with draft_of(place) as draft:
                with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                    archive.extractall(draft / "data")
                # Unless another run of this machine was first.
                with suppress(OSError):
                    os.rename(draft / "data", place)
        if hasattr(os, "getuid") and place.stat().st_uid != os.getuid():
            raise UserError(f"{place}: is of another user, who may have put other data there.")
        lock = os.open(place, os.O_RDONLY) if fcntl else -1
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_SH)
        # Else the last of the others has removed it before it was held.
        if place.is_dir():
            return lock
        os.close(lock)


def _remove_unused(place: Path, lock: int) -> None:
    """Let `place` go, and remove it where nobody else holds it."""
    if not fcntl:
        shutil.rmtree(place, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place, ignore_errors=True)
    except OSError:
        # Another run is using it.
        pass
    finally:
        os.close(lock)


def _sweep(place: Path) -> None:
    """Remove what killed runs of this user left beside `place`."""
    if not fcntl:
        return
    for other in place.parent.glob(f"{_own()}*"):
        if other != place:
            with suppress(OSError):
                _remove_unused(other, os.open(other, os.O_RDONLY))


def pack_run(run: Path, weights: str) -> bytes:
    """A finished run folder; `weights` names the file of weights to bring, or is empty."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for path in sorted(run.rglob("*")):
            heavy = path.suffix == ".safetensors" and path.name != weights
            if path.is_file() and not heavy:
                archive.write(path, path.relative_to(run).as_posix())
    return buffer.getvalue()


def load_run(packed: bytes, folder: Path) -> None:
    """The run as `folder`, whole or not at all; remains of an earlier try are removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(folder) as draft:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(draft / "run")
        shutil.rmtree(folder, ignore_errors=True)
        put_folder(draft / "run", folder)
