"""Names of pictures that can lead to no file here: URLs, and paths of another system."""

from __future__ import annotations

import re
from pathlib import Path

LONGEST = 120
"""Characters of a name that messages show"""
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_DATA = re.compile(r"data:[^,]*,", re.IGNORECASE)
_ENCODED = re.compile(r"[A-Za-z0-9+/\s]{256,}={0,2}\s*")
_DRIVE = re.compile(r"([a-z]:)?\\|[a-z]:/", re.IGNORECASE)


def elsewhere(name: str | Path) -> str:
    """What a name is that is meant for no file of this machine, and the remedy; empty: it may be
    one.
    """
    name = str(name)
    if _DATA.match(name):
        return "holds the picture itself (a data: URL); write it to a file and name the file"
    if len(name) > 255 and _ENCODED.fullmatch(name):
        return "holds the picture itself (base64); write it to a file and name the file"
    if _URL.match(name):
        file = name.lower().startswith("file:")
        return f"is a URL; {'write the path alone' if file else 'download it and name the file'}"
    if _DRIVE.match(name):
        return "is an absolute path of Windows; name the file as it is called in the picture folder"
    return ""


def written(name: str | Path) -> str:
    """A name as the data write it: a URL with the slashes that paths lose."""
    name = str(name)
    if _URL.match(name) and not _DATA.match(name):
        scheme, _, rest = name.partition(":")
        slashes = "///" if scheme.lower() == "file" else "//"
        return f"{scheme}:{slashes}{rest.lstrip('/')}"
    return name


def shown(name: str | Path) -> str:
    """A name for messages: as it is written, a very long one cut."""
    name = written(name)
    return name if len(name) <= LONGEST or not elsewhere(name) else f"{name[:LONGEST]}…"


def in_folder(path: Path, folder: Path | None) -> str:
    """A picture as the data name it: in terms of the picture folder, where it lies in it."""
    if folder is not None and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return written(path)
