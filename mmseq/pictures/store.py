"""The feature store: rows of half-precision features on disk, found by their picture's content.

A folder for each fingerprint of an image encoder:

    <root>/<fingerprint>/meta.json     names and shapes of what a row holds (`layout`)
                         rows.bin      rows of one size, one after the other
                         index.jsonl   which row is whose, with its checksum (`index`)
                         lock          held while somebody writes

The index line is written after its row. So what a crash, a full disk or a second process leaves
behind is at worst a row without a line, which nobody reads, or half a line, which is dropped.
Nothing in these files is believed before it is checked; what does not fit is computed again.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmseq.errors import UserError
from mmseq.files import locked, user_cache
from mmseq.pictures.index import entries, fits, line_of, row_of, row_sum, whole_lines
from mmseq.pictures.layout import Layout, layout_sum, read_layout, write_layout

Row = Mapping[str, NDArray[np.float16]]


def default_store_root() -> Path:
    """The folder of stored features in the user's cache."""
    return user_cache() / "features"


class FeatureStore:
    """Stored features of any number of encoders under one folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = default_store_root() if root is None else Path(root)

    def open(self, fingerprint: str) -> StoredFeatures:
        """The rows of one encoder. Nothing is written before the first `append`. `UserError` where
        they cannot be read, or are of a later version.
        """
        return StoredFeatures(self.root / fingerprint)


class StoredFeatures:
    """The rows of one encoder: a memory-mapped file, safe with several processes, checksummed.

    Not for several threads. `layout`: name -> shape of what a row holds, None before the first row.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout: Layout | None = None
        self.damaged = 0
        """Rows met that did not match their checksum"""
        self.row_bytes = 0
        self._layout_sum = 0
        self._parts: list[tuple[str, slice, tuple[int, ...]]] = []
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        """Know of no row."""
        self._index: dict[str, int] = {}
        self._checked: set[str] = set()
        self._read_to = 0
        self._index_file = 0
        self._map: NDArray[np.uint8] | None = None
        self._rows_file = 0

    def refresh(self) -> None:
        """Take in what other processes have written since."""
        with _explained(self.folder, "read"):
            if self.layout is None and _is_file(self.folder / "meta.json"):
                self._set_layout(read_layout(self.folder / "meta.json"))
            path = self.folder / "index.jsonl"
            if self.layout is None or not _is_file(path):
                return
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
                # Deleted and made anew meanwhile: what was known is of another file.
                if self._index_file not in (0, state.st_ino) or state.st_size < self._read_to:
                    self._forget()
                self._index_file = state.st_ino
                file.seek(self._read_to)
                for lines, size in whole_lines(file):
                    self._read_to += size
                    self._take(lines)

    def _set_layout(self, layout: Layout | None) -> None:
        self.layout, self._parts, start = layout, [], 0
        for name, shape in (layout or {}).items():
            stop = start + 2 * math.prod(shape)
            self._parts.append((name, slice(start, stop), shape))
            start = stop
        self.row_bytes = start
        self._layout_sum = layout_sum(layout or {})

    def _take(self, lines: Sequence[bytes]) -> None:
        for entry in entries(lines):
            self._index[entry.sha] = entry.packed
            self._checked.discard(entry.sha)

    def __contains__(self, sha: str) -> bool:
        """Whether the row is there and, checked at its first read, undamaged."""
        return self.read(sha) is not None

    def read(self, sha: str) -> Row | None:
        """The features of the picture with this hash, views into the file; None: compute them."""
        entry = self._index.get(sha)
        data = None if entry is None else self._row(row_of(entry))
        if entry is None or data is None:
            return None
        if sha not in self._checked:
            if not fits(sha, entry, data.data, self._layout_sum):
                del self._index[sha]
                self.damaged += 1
                return None
            self._checked.add(sha)
        return {
            name: data[place].view(np.float16).reshape(shape) for name, place, shape in self._parts
        }

    def append(self, rows: Mapping[str, Row]) -> None:
        """Add rows by hash; those that another process has added meanwhile are left out.

        Raises `UserError` where the folder cannot be written, as with a full disk, and where it
        holds rows of other shapes.
        """
        if not rows:
            return
        with _explained(self.folder, "write"):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.folder / "lock"
            lock.touch()
            with locked(lock):
                self.refresh()
                self._require_layout(next(iter(rows.values())))
                new = {sha: row for sha, row in rows.items() if sha not in self}
                self._write(new)
        self.refresh()

    def _write(self, rows: Mapping[str, Row]) -> None:
        assert self.layout is not None
        lines, blocks = [], []
        path = self.folder / "rows.bin"
        _is_file(path)
        path.open("ab").close()
        # Only whole rows are kept: what a crash cut short is written over.
        first = path.stat().st_size // self.row_bytes
        for number, (sha, row) in enumerate(rows.items(), first):
            block = b"".join(np.ascontiguousarray(row[name]).tobytes() for name in self.layout)
            if len(block) != self.row_bytes:
                raise ValueError(f"a row of {len(block)} bytes, not {self.row_bytes}")
            blocks.append(block)
            lines.append(line_of(sha, number, row_sum(sha, block, self._layout_sum)))
        with path.open("r+b") as file:
            file.seek(first * self.row_bytes)
            file.write(b"".join(blocks))
        with (self.folder / "index.jsonl").open("ab") as file:
            # `refresh` has read to the last whole line; half a line after it is a dead process's.
            if file.tell() > self._read_to:
                file.truncate(self._read_to)
            file.write("".join(lines).encode())

    def _row(self, row: int) -> NDArray[np.uint8] | None:
        if self._map is None or row >= len(self._map):
            mapped = self._mapped(row)
            if mapped is None:
                return None
            self._map = mapped
        found: NDArray[np.uint8] = self._map[row]
        return found

    def _mapped(self, row: int) -> NDArray[np.uint8] | None:
        """The file as rows, among which there is this one; None where it cannot be read."""
        path, size = self.folder / "rows.bin", self.row_bytes
        try:
            state = path.stat() if _is_file(path) else None
            count = state.st_size // size if state else 0
            if state is None or row >= count:
                return None
            if self._rows_file not in (0, state.st_ino):
                # Deleted and made anew meanwhile: no row is where it was.
                self._forget()
                return None
            # A plain array's rows are taken faster than a memmap's.
            mapped = np.asarray(np.memmap(path, np.uint8, "r", shape=(count, size)))
        except OSError:
            return None
        self._rows_file = state.st_ino
        return mapped

    def _require_layout(self, row: Row) -> None:
        """The folder says what its rows hold; `UserError` where that is not what `row` has."""
        layout = {name: tuple(array.shape) for name, array in row.items()}
        if self.layout is not None and self.layout != layout:
            raise UserError(
                f"{self.folder} holds features of shapes {self.layout}, the image encoder gives "
                f"{layout}: delete the folder; its features will be computed again."
            )
        path = self.folder / "meta.json"
        if read_layout(path) != layout:
            write_layout(path, self.layout or layout)
        if self.layout is None:
            # It was missing or damaged: rows that fit it are found again.
            self._set_layout(layout)
            self.refresh()


def _is_file(path: Path) -> bool:
    """A file is there. `OSError` for what is none, as a pipe, which would hold up who opens it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(f"{path.name} is not a file")
    return True


@contextmanager
def _explained(folder: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot {doing} stored picture features in {folder}: {error.strerror or error}. "
            "Free space or repair the folder, name another one, or turn the store off."
        ) from error
