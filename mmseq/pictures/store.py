"""The feature store: rows of half-precision features on disk, found by their picture's content.

A folder for each fingerprint of an image encoder:

    <root>/<fingerprint>/meta.json     names and shapes of what a row holds
                         rows.bin      rows of one size, one after the other
                         index.jsonl   {"sha256": of the file, "row": …, "crc32": of the row}
                         lock          held while somebody writes

The index line is written after its row. So what a crash, a full disk or a second process leaves
behind is at worst a row without a line, which nobody reads, or half a line, which is dropped.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmseq.errors import UserError
from mmseq.files import locked, user_cache, write_text

Row = Mapping[str, NDArray[np.float16]]
Layout = dict[str, tuple[int, ...]]
FORMAT = 1
PIECE = 1 << 20
"""Bytes of the index that are taken in at a time"""
CRC_BITS = 32


def default_store_root() -> Path:
    """The folder of stored features in the user's cache."""
    return user_cache() / "features"


class FeatureStore:
    """Stored features of any number of encoders under one folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = default_store_root() if root is None else Path(root)

    def open(self, fingerprint: str) -> StoredFeatures:
        """The rows of one encoder. Nothing is written before the first `append`."""
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
        # Row and checksum in one number: with a million pictures a tuple each would be 70 MB more.
        self._index: dict[str, int] = {}
        self._read_to = 0
        self._next = 0
        """The first row that no line of the index names, nor any row after it"""
        self._checked: set[str] = set()
        self._map: NDArray[np.uint8] | None = None
        self.refresh()

    @property
    def row_bytes(self) -> int:
        """Bytes a row takes."""
        return sum(2 * int(np.prod(shape)) for shape in (self.layout or {}).values())

    def refresh(self) -> None:
        """Take in what other processes have written since."""
        with _explained(self.folder, "read"):
            if self.layout is None:
                self.layout = self._read_layout()
            path = self.folder / "index.jsonl"
            if self.layout is None or not path.exists():
                return
            with path.open("rb") as file:
                file.seek(self._read_to)
                while lines := file.readlines(PIECE):
                    # Only the last line can be cut short: another process may be writing it.
                    cut_short = not lines[-1].endswith(b"\n")
                    self._take(lines[:-1] if cut_short else lines)
                    if cut_short:
                        break

    def _take(self, lines: Sequence[bytes]) -> None:
        self._read_to += sum(map(len, lines))
        for entry in _values(lines):
            try:
                sha, row, crc = str(entry["sha256"]), int(entry["row"]), int(entry["crc32"])
            except (ValueError, KeyError, TypeError):
                continue  # a damaged line: its picture is computed again
            self._index[sha] = row << CRC_BITS | crc
            self._checked.discard(sha)
            self._next = max(self._next, row + 1)

    def __contains__(self, sha: str) -> bool:
        """Whether the row is there and, checked at its first read, undamaged."""
        return self.read(sha) is not None

    def read(self, sha: str) -> Row | None:
        """The features of the picture with this hash, views into the file; None: compute them."""
        entry = self._index.get(sha)
        if entry is None or self.layout is None:
            return None
        data = self._row(entry >> CRC_BITS)
        if data is None:
            return None
        if sha not in self._checked:
            if zlib.crc32(data.data) != entry & ((1 << CRC_BITS) - 1):
                del self._index[sha]
                self.damaged += 1
                return None
            self._checked.add(sha)
        found, start = {}, 0
        for name, shape in self.layout.items():
            stop = start + 2 * int(np.prod(shape))
            found[name] = data[start:stop].view(np.float16).reshape(shape)
            start = stop
        return found

    def append(self, rows: Mapping[str, Row]) -> None:
        """Add rows by hash; those that another process has added meanwhile are left out.

        Raises `UserError` where the folder cannot be written, as with a full disk.
        """
        if not rows:
            return
        with _explained(self.folder, "write"):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.folder / "lock"
            lock.touch()
            with locked(lock):
                self.refresh()
                self._write_layout(next(iter(rows.values())))
                new = {sha: row for sha, row in rows.items() if sha not in self}
                self._write(new)
        self.refresh()

    def _write(self, rows: Mapping[str, Row]) -> None:
        assert self.layout is not None
        lines, blocks = [], []
        path = self.folder / "rows.bin"
        path.open("ab").close()
        # Only whole rows are kept: what a crash cut short is written over.
        first = max(path.stat().st_size // self.row_bytes, self._next)
        for number, (sha, row) in enumerate(rows.items(), first):
            block = b"".join(np.ascontiguousarray(row[name]).tobytes() for name in self.layout)
            if len(block) != self.row_bytes:
                raise ValueError(f"a row of {len(block)} bytes, not {self.row_bytes}")
            blocks.append(block)
            lines.append(json.dumps({"sha256": sha, "row": number, "crc32": zlib.crc32(block)}))
        with path.open("r+b") as file:
            file.seek(first * self.row_bytes)
            file.write(b"".join(blocks))
        with (self.folder / "index.jsonl").open("ab") as file:
            # `refresh` has read to the last whole line; half a line after it is a dead process's.
            if file.tell() > self._read_to:
                file.truncate(self._read_to)
            file.write("".join(line + "\n" for line in lines).encode())

    def _row(self, row: int) -> NDArray[np.uint8] | None:
        if self._map is None or row >= len(self._map):
            path, size = self.folder / "rows.bin", self.row_bytes
            count = path.stat().st_size // size if path.exists() and size else 0
            if not 0 <= row < count:
                return None
            # A plain array's rows are taken faster than a memmap's.
            self._map = np.asarray(np.memmap(path, np.uint8, "r", shape=(count, size)))
        found: NDArray[np.uint8] = self._map[row]
        return found

    def _read_layout(self) -> Layout | None:
        path = self.folder / "meta.json"
        if not path.exists():
            return None
        try:
            meta = json.loads(path.read_bytes())
            if meta["format"] != FORMAT or meta["dtype"] != "float16":
                raise ValueError(meta)
            return {name: tuple(shape) for name, shape in meta["shapes"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{path} is damaged or of another version: delete the folder {self.folder}; "
                "its features will be computed again."
            ) from None

    def _write_layout(self, row: Row) -> None:
        layout = {name: tuple(array.shape) for name, array in row.items()}
        if self.layout is None:
            meta = {"format": FORMAT, "dtype": "float16", "shapes": layout}
            write_text(self.folder / "meta.json", json.dumps(meta, indent=1) + "\n")
            self.layout = layout
        elif self.layout != layout:
            raise UserError(
                f"{self.folder} holds features of shapes {self.layout}, the image encoder gives "
                f"{layout}: delete the folder; its features will be computed again."
            )


def _values(lines: Sequence[bytes]) -> Iterator[Any]:
    """What the lines hold as JSON, without those that hold none."""
    try:
        # One list is read twice as fast as its lines.
        yield from json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        for line in lines:
            with suppress(ValueError):
                yield json.loads(line)


@contextmanager
def _explained(folder: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot {doing} stored picture features in {folder}: {error.strerror or error}. "
            "Free space or repair the folder, name another one, or turn the store off."
        ) from error
