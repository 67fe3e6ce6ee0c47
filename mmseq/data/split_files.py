"""Files of splits: by their own names, else by what others call them; and those that are not read.

The names are the engine's own; a reader's endings come from `mmseq.data.folder`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mmseq.data.endings import COLUMNS

ALIASES = {"valid": ("valid", "dev")}
"""Split -> file names, where there is more than its own"""
OTHER_NAMES = {
    "train": ("training", "trn"),
    "valid": ("val", "validation", "valid_set", "devel", "development", "testa"),
    "test": ("testb", "testing", "tst"),
}
"""What others call them: read where there is no file of the split's own name"""
EITHER = ("eval", "evaluation")
"""The validation file, or the test file of a folder with another one for validation"""
_SAID = {
    name: split
    for split, others in OTHER_NAMES.items()
    for name in (*ALIASES.get(split, (split,)), *others)
}
"""A split's own names and others' -> the split"""
_NO_DATA = {
    ".md", ".rst", ".py", ".sh", ".log", ".out", ".toml", ".cfg", ".yaml", ".yml", ".html", ".pdf",
    ".ipynb", ".png", ".jpg", ".svg", ".safetensors", ".npy", ".pt",
}  # fmt: skip
_SHOWN = 5


def file_names(split: str) -> tuple[str, ...]:
    """Names, without ending, that the file of a split has by right."""
    return ALIASES.get(split, (split,))


def split_named(file: Path) -> str:
    """The split that a file's name says it is, by its own name or others'; empty: none, or one of
    two.
    """
    return _SAID.get(file.name.partition(".")[0].lower(), "")


def names_meant(files: Iterable[Path], endings: Sequence[str]) -> dict[str, str]:
    """Files that by a part of their names are splits -> the names under which they would be read;
    empty where two would be one, or where a name says two splits.
    """
    meant: dict[str, str] = {}
    for file in files:
        said = {_SAID[word] for word in _words(file.name) if word in _SAID}
        reads = file.name.lower().endswith(tuple(endings))
        if len(said) == 1 and file.is_file() and (reads or file.suffix.lower() in COLUMNS):
            meant[file.name] = said.pop() + (file.suffix.lower() if reads else ".conll")
    one_each = len({name.partition(".")[0] for name in meant.values()}) == len(meant)
    return meant if one_each else {}


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def by_right(folder: Path, split: str, endings: Iterable[str]) -> list[Path]:
    """The files in `folder` with the split's own name and one of the `endings`."""
    files = [folder / f"{name}{ending}" for name in file_names(split) for ending in endings]
    return [path for path in files if path.is_file()]


def by_other_names(folder: Path, split: str, endings: Iterable[str]) -> list[Path]:
    """Those that others' names, or capitals, say are the split's."""
    endings = list(endings)
    found = _named(folder, (*file_names(split), *OTHER_NAMES.get(split, ())), endings)
    if found or split not in ("valid", "test"):
        return found
    either = _named(folder, EITHER, endings)
    # It is the test file only beside another one for validation.
    valid = _named(folder, (*file_names("valid"), *OTHER_NAMES["valid"]), endings)
    return either if bool(valid) == (split == "test") else []


def _named(folder: Path, names: Sequence[str], endings: Sequence[str]) -> list[Path]:
    """Files called so, in capitals or not."""
    return sorted(
        path
        for path in folder.iterdir()
        if any(path.name.lower() == f"{name}{e}".lower() for name in names for e in endings)
        and path.is_file()
    )


def unread_line(folder: Path, read: Iterable[Path], reads: Callable[[Path], bool]) -> str:
    """A line on files whose names say that they are a split's and that are not `read`; empty
    without one. `reads`: whether there is a reader for a file's ending.
    """
    known = {*_SAID, *EITHER}
    taken = {path.name for path in read}
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not _words(path.name) & known or path.name in taken or path.suffix.lower() in _NO_DATA:
            continue
        if path.is_file():
            found.append(f"{path}" if reads(path) else f"{path} (no reader for its ending)")
    if not found:
        return ""
    more = ", …" if len(found) > _SHOWN else ""
    return (
        f"Not read: {', '.join(found[:_SHOWN])}{more}. Files of splits are named "
        "train, valid (or dev) and test."
    )
