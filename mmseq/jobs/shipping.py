"""Data folders and run folders as bytes, for machines without a disk in common."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from getpass import getuser
from os.path import isfile
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from mmseq.config.config import DataConfig
from mmseq.data.source import is_sample, load_data


def pack_data(tables: Mapping[str, Any]) -> bytes | None:
    """The data files and pictures that a run's table [data] names; None for the sample, which
    every machine makes for itself.
    """
    data = DataConfig.model_validate(dict(tables))
    if is_sample(data):
        return None
    root = Path(data.image_folder) if data.image_folder else Path(data.path) / "images"
    buffer = io.BytesIO()
    # Pictures are compressed already.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for split in load_data(data, data.splits).values():
            archive.write(split.path, split.path.name)
            packed = set(archive.namelist())
            for path in dict.fromkeys(p for e in split.examples for p in e.images):
                # A picture named by an absolute path elsewhere stays where it is.
                if isfile(path) and path.is_relative_to(root):
                    name = str(PurePosixPath("images", *path.relative_to(root).parts))
                    if name not in packed:
                        archive.write(path, name)
    return buffer.getvalue()


def unpack_data(packed: bytes | None) -> dict[str, str]:
    """Unpack `pack_data` once a machine; the settings of [data] that change by it.

    The folder is named by the content, so that runs share it and other data never lie in it.
    """
    if packed is None:
        return {}
    digest = hashlib.sha256(packed).hexdigest()[:32]
    place = Path(tempfile.gettempdir()) / f"mmseq-data-{getuser()}-{digest}"
    if not place.is_dir():
        new = Path(tempfile.mkdtemp(prefix="mmseq-data-"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(new)
        try:
            new.rename(place)
        except OSError:
            # Another run of this machine was first.
            shutil.rmtree(new, ignore_errors=True)
    return {"path": str(place), "image_folder": ""}


def pack_run(run: Path, weights: str) -> bytes:
    """A finished run folder; `weights` names the file of weights to bring, or is empty."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(run.rglob("*")):
            heavy = path.suffix == ".safetensors" and path.name != weights
            if path.is_file() and not heavy:
                archive.write(path, path.relative_to(run).as_posix())
    return buffer.getvalue()


def load_run(packed: bytes, folder: Path) -> None:
    """The run as `folder`, whole or not at all; remains of an earlier try are removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Not a temporary folder of the system's, which nobody else may read.
    new = folder.with_name(f".{folder.name}-{uuid4().hex}")
    new.mkdir()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(new)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
