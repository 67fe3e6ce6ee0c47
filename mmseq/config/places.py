"""Paths in configs, plans and searches: relative to the file they are in; ``~`` is expanded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from mmseq.files import at_home, name_fault

PLACES = ("data.path", "data.image_folder", "data.features", "data.cache", "train.init")
WORDS = ("", "sample", "auto", "off")
"""Values of these that are no path"""


def expanded(path: str) -> str:
    """A path with the home folder for ``~``; a fault of validation where it is no text, as the name
    of a folder from an old disk may be.
    """
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError(
            "place", "the name is not UTF-8, and could not be written down; rename it"
        ) from error
    if fault := name_fault(path):
        raise PydanticCustomError("place", fault.rstrip(".").replace("{", "{{"))
    return str(at_home(path)) if path.startswith("~") else path


def placed(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Tables of a file in `folder`, or dotted settings, with absolute paths.

    Of a component's options those count that name a file there, or a folder written as a path: they
    may also be the name of a model or of a choice.
    """
    return {key: _placed(key, value, folder) for key, value in tables.items()}


def absolute(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables whose paths are relative to the current folder with absolute ones."""
    return placed(tables, Path())


def _placed(key: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        return {k: _placed(f"{key}.{k}", inner, folder) for k, inner in value.items()}
    # What is no path, the one who checks the setting says of it.
    if not isinstance(value, str) or name_fault(value):
        return value
    if key in PLACES:
        return value if value in WORDS else _joined(folder, value)
    section = key.partition(".")[0]
    if section in ("data", "train") or key.endswith(".name") or Path(value).is_absolute():
        return value
    there = folder / value
    named = there.is_file() or ("/" in value and there.is_dir())
    return _joined(folder, value) if value and named else value


def _joined(folder: Path, value: str) -> str:
    return str((folder / at_home(value)).resolve())
