"""Names of pictures to files: of a folder with very many files, each directory is listed once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from mmseq.data.picture_names import elsewhere
from mmseq.errors import UserError

PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp",
    ".tif", ".tiff", ".avif", ".jfif", ".jpe", ".jp2", ".dib", ".tga", ".ico", ".ppm", ".pgm",
)  # fmt: skip
"""Endings of pictures that can be opened, the likeliest first"""
FOREIGN_SUFFIXES = (".heic", ".heif", ".svg", ".pdf")
"""Endings of what people take for pictures and nobody here can open"""


def has_picture_suffix(name: str) -> bool:
    """Whether it ends as files of pictures do, in upper or lower case."""
    return Path(name).suffix.lower() in (*PICTURE_SUFFIXES, *FOREIGN_SUFFIXES)


class PictureFolder:
    """Finds files of pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[Path, _Listing] = {}

    def find(self, name: Path) -> Path:
        """The file for `name`; if there is none, where it should be. An absolute name is looked up
        where it says.

        First the very name; then the same in another Unicode form, or with its ending in other
        case; then the same with any ending of pictures, or none. ``\\`` may stand for ``/``, and
        the folder's own name before the file's. What can be no file here, such as a URL, stays as
        it is. `UserError` where a name fits several files that differ.
        """
        wanted = self._folder / name
        spellings = [name]
        if "\\" in str(name):
            spellings.append(Path(str(name).replace("\\", "/")))
        for spelling in spellings:
            if found := self._found(self._folder / spelling):
                return found
        if elsewhere(name):
            return name
        for spelling in spellings:
            if spelling.parts[:1] == (self._folder.name,):
                return self._found(self._folder.parent / spelling) or wanted
        return wanted

    def _found(self, path: Path) -> Path | None:
        directory = self._directory(path.parent)
        listing = self._list(directory)
        if path.name in listing.files:
            return directory / path.name
        fitting = [directory / name for name in listing.fitting(path.name)]
        if len(fitting) > 1 and not _equal(fitting):
            names = " and ".join(str(file) for file in fitting)
            raise UserError(
                f"picture '{path.name}' fits {names}; write the whole name, with its ending, or "
                "keep one of them."
            )
        if fitting:
            return fitting[0]
        return directory / path.name if path.name in listing.folders else None

    def _directory(self, directory: Path) -> Path:
        """The same directory as it is called here, where its name is in another Unicode form."""
        if str(directory).isascii() or self._list(directory).exists:
            return directory
        parent = self._directory(directory.parent)
        same = [
            name
            for name in self._list(parent).folders
            if normalize("NFC", name) == normalize("NFC", directory.name)
        ]
        return parent / same[0] if len(same) == 1 else directory

    def _list(self, directory: Path) -> _Listing:
        if directory not in self._listed:
            self._listed[directory] = _Listing(directory)
        return self._listed[directory]


class _Listing:
    """The names in a directory."""

    def __init__(self, directory: Path) -> None:
        files, folders = set(), set()
        self.exists = False
        # What cannot be listed has nothing to offer; who opens a picture in it is told why.
        with suppress(OSError, ValueError), os.scandir(directory) as entries:
            self.exists = True
            for entry in entries:
                (folders if entry.is_dir() else files).add(entry.name)
        self.files, self.folders = frozenset(files), frozenset(folders)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        """Files by their name without a picture's ending, in NFC."""
        found: dict[str, list[str]] = {}
        for name in self.files:
            found.setdefault(_stem(name), []).append(name)
        return found

    def fitting(self, name: str) -> Sequence[str]:
        """Files that `name` may mean, the likeliest first; those of the best kind alone."""
        same = self._by_stem.get(_stem(name), [])
        whole = normalize("NFC", name)
        kinds: Iterable[list[str]] = (
            [file for file in same if normalize("NFC", file) == whole],
            [file for file in same if _suffix(file) == _suffix(name)],
            [file for file in same if _suffix(file) not in FOREIGN_SUFFIXES],
            same,
        )
        return sorted(next(filter(None, kinds), []), key=_rank)


def _stem(name: str) -> str:
    return normalize("NFC", Path(name).stem if has_picture_suffix(name) else name)


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() if has_picture_suffix(name) else ""


def _rank(name: str) -> tuple[int, bool, str]:
    known = ("", *PICTURE_SUFFIXES, *FOREIGN_SUFFIXES)
    return (known.index(_suffix(name)) or len(known), not name.endswith(_suffix(name)), name)


def _equal(files: Sequence[Path]) -> bool:
    """Whether they hold the same bytes: then it is all one which is taken."""
    try:
        if len({file.stat().st_size for file in files}) > 1:
            return False
        first, *others = (file.read_bytes() for file in files)
    except OSError:
        return False
    return all(other == first for other in others)
