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


_KNOWN = frozenset((*PICTURE_SUFFIXES, *FOREIGN_SUFFIXES))


def has_picture_suffix(name: str) -> bool:
    """Whether it ends as files of pictures do, in upper or lower case."""
    return bool(_parts(name)[1])


def _parts(name: str) -> tuple[str, str]:
    """A name without its ending, and the ending in small letters where it is a picture's."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending.lower()}"
    return (stem, suffix) if dot and stem and suffix in _KNOWN else (name, "")


class PictureFolder:
    """Finds files of pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[Path, _Listing] = {}
        # As they stand in names, which are many: paths are slow to make and compare.
        self._directories: dict[str, Path] = {}

    def find(self, name: Path) -> Path:
        """The file for `name`; if there is none, where it should be. An absolute name is looked up
        where it says.

        First the very name; then the same in another Unicode form, or with its ending in other
        case; then the same with any ending of pictures, or none. ``\\`` may stand for ``/``, and
        the folder's own name before the file's. What can be no file here, such as a URL, stays as
        it is. `UserError` where a name fits several files that differ.
        """
        spellings = [str(name)]
        if "\\" in spellings[0]:
            spellings.append(spellings[0].replace("\\", "/"))
        for spelling in spellings:
            if found := self._found(spelling):
                return found
        if elsewhere(name):
            return name
        for spelling in spellings:
            first, _, rest = os.path.normpath(spelling).partition(os.sep)
            if rest and first == self._folder.name:
                return self._found(rest) or self._folder / name
        return self._folder / name

    def _found(self, wanted: str) -> Path | None:
        """The file, or else the folder, that is called so; an absolute name is one."""
        head, name = os.path.split(wanted)
        if head not in self._directories:
            self._directories[head] = self._directory(self._folder / head)
        directory = self._directories[head]
        listing = self._list(directory)
        if name in listing.files:
            return directory / name
        fitting = [directory / file for file in listing.fitting(name)]
        if len(fitting) > 1 and not _equal(fitting):
            names = " and ".join(str(file) for file in fitting)
            raise UserError(
                f"picture '{wanted}' fits {names}; write the whole name, with its ending, or "
                "keep one of them."
            )
        if fitting:
            return fitting[0]
        return directory / name if name in listing.folders else None

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
        files: set[str] = set()
        folders: set[str] = set()
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
            found.setdefault(normalize("NFC", _parts(name)[0]), []).append(name)
        return found

    def fitting(self, name: str) -> Sequence[str]:
        """Files that `name` may mean, the likeliest first; those of the best kind alone."""
        stem, suffix = _parts(name)
        same = self._by_stem.get(normalize("NFC", stem), [])
        if len(same) < 2:
            return same
        whole = normalize("NFC", name)
        kinds: Iterable[list[str]] = (
            [file for file in same if normalize("NFC", file) == whole],
            [file for file in same if _parts(file)[1] == suffix],
            [file for file in same if _parts(file)[1] not in FOREIGN_SUFFIXES],
            same,
        )
        return sorted(next(filter(None, kinds), []), key=_rank)


def _rank(name: str) -> tuple[int, bool, str]:
    known = ("", *PICTURE_SUFFIXES, *FOREIGN_SUFFIXES)
    suffix = _parts(name)[1]
    return (known.index(suffix) or len(known), not name.endswith(suffix), name)


def _equal(files: Sequence[Path]) -> bool:
    """Whether they hold the same bytes: then it is all one which is taken."""
    try:
        if len({file.stat().st_size for file in files}) > 1:
            return False
        first, *others = (file.read_bytes() for file in files)
    except OSError:
        return False
    return all(other == first for other in others)
