"""Which files an import reads, and which split each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmseq.data.folder import not_found
from mmseq.data.foreign import refuse_foreign
from mmseq.data.splits import SPLITS
from mmseq.errors import UserError
from mmseq.files import at_home

NAMES = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "devel": "valid",
    "testa": "valid",
    "test": "test", "testb": "test",
}  # fmt: skip
"""What a name may say -> split"""


@dataclass(frozen=True)
class Source:
    """A file, or a folder that is read as one."""

    path: Path
    split: str


def split_named(name: str) -> str | None:
    """The split that a name of a file or folder says, as itself or as a part between ``-_.`` and
    spaces; None where it says none or two.
    """
    parts = [NAMES[part] for part in re.split(r"[-_. ]+", name.lower()) if part in NAMES]
    return parts[0] if len(set(parts)) == 1 else None


def given_path(text: str, what: str = "file or folder") -> tuple[Path, str | None]:
    """The path that was given as itself or as ``SPLIT=PATH``, and that split. `UserError` where
    there is no such `what`.
    """
    before, equals, after = text.partition("=")
    said = before if equals and before in SPLITS else None
    path = at_home(after if said else text)
    if not path.exists():
        raise not_found(path, what)
    return path, said


def sources_of(given: Sequence[str], endings: tuple[str, ...], name: str) -> list[Source]:
    """The files of what was given: files, folders of files with `endings`, each also as
    ``SPLIT=PATH``. A file whose name says no split is train.

    `UserError` for what does not exist, holds nothing that `name` reads, or is an archive.
    """
    found = []
    for text in given:
        path, said = given_path(text)
        for file in _files(path, endings, name) if path.is_dir() else [path]:
            with file.open("rb") as opened:
                refuse_foreign(file, opened.read(8))
            parent = (
                split_named(file.parent.name) if path.is_dir() and file.parent != path else None
            )
            found.append(Source(file, said or split_named(file.name) or parent or "train"))
    return in_order(found)


def _files(folder: Path, endings: tuple[str, ...], name: str) -> list[Path]:
    """Those of the folder; where it has none, those of its folders that are named as splits."""
    inside = [folder, *(p for p in sorted(folder.iterdir()) if p.is_dir() and split_named(p.name))]
    files = [
        path
        for place in inside
        for path in sorted(place.iterdir())
        if path.is_file() and path.name.lower().endswith(endings) and path.name[0] != "."
    ]
    if not files:
        held = sorted(path.name for path in folder.iterdir())
        more = ", …" if len(held) > 5 else ""
        holds = f"it holds {', '.join(held[:5])}{more}" if held else "it is empty"
        raise UserError(
            f"{folder}: no file that '{name}' reads ({', '.join(endings)}): {holds}; give the file."
        )
    return files


def in_order(sources: Iterable[Source]) -> list[Source]:
    """In the order of the splits, else as they were."""
    return sorted(sources, key=lambda source: SPLITS.index(source.split))
