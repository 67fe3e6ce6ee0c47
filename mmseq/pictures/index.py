"""The index of stored features, a JSON line a row, and the checksums that its lines carry.

A line is ``{"sha256": of the picture's file, "row": number, "sum": CRC-32}``. The sum covers the
names and shapes of the row, the picture it belongs to and its bytes: a row that stands under
another name, or is taken apart in another way, does not fit. Lines of earlier versions have
``crc32``, of the bytes alone; their rows are used. Damage to such a name gives one that no picture
has.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, TypeGuard

LONGEST = 512
"""Bytes of a line; what is longer is none"""
PIECE = 1 << 18
"""Bytes that are taken in at a time"""
SUM_BITS = 32
LARGEST_ROW = 1 << 40


class Entry(NamedTuple):
    """A row that an index names. It may be damaged, or not be there at all."""

    sha: str
    row: int
    sum: int
    covers_name: bool

    @property
    def packed(self) -> int:
        """Without its name, as one number: with a million pictures a tuple each takes 70 MB."""
        return (self.row << 1 | self.covers_name) << SUM_BITS | self.sum


def fits(sha: str, packed: int, block: memoryview, layout: int) -> bool:
    """Whether a row's bytes are what its entry says; `layout`: the sum of names and shapes."""
    covers_name = packed >> SUM_BITS & 1
    expected = row_sum(sha, block, layout) if covers_name else zlib.crc32(block)
    return expected == packed & ((1 << SUM_BITS) - 1)


def row_of(packed: int) -> int:
    """The number of the row."""
    return packed >> SUM_BITS + 1


def row_sum(sha: str, block: bytes | memoryview, layout: int) -> int:
    """CRC-32 of a row, of whose picture it is, and of what it holds."""
    return zlib.crc32(block, zlib.crc32(sha.encode("utf-8", "surrogatepass"), layout))


def line_of(sha: str, row: int, total: int) -> str:
    """A line of the index."""
    return json.dumps({"sha256": sha, "row": row, "sum": total}) + "\n"


def whole_lines(file: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Lines from where the file stands, some at a time, and how many bytes they take in it.

    A last line without its end is left out: another process may be writing it. One without end
    takes no memory.
    """
    begun, dropped = b"", 0
    while piece := file.read(PIECE):
        begun += piece
        end = begun.rfind(b"\n") + 1
        if end:
            lines = begun[:end].split(b"\n")
            yield lines[bool(dropped) : -1], dropped + end
            begun, dropped = begun[end:], 0
        if len(begun) > LONGEST:
            begun, dropped = b"", dropped + len(begun)


def entries(lines: Sequence[bytes]) -> Iterator[Entry]:
    """What whole lines of an index say; damaged ones are passed over, their pictures are computed
    again.
    """
    likely = [line for line in lines if line[:1] == b"{" and len(line) <= LONGEST]
    for value in _values(likely):
        if not isinstance(value, dict):
            continue
        covers_name = "sum" in value
        sha, row = value.get("sha256"), value.get("row")
        total = value.get("sum" if covers_name else "crc32")
        if type(sha) is str and _below(row, LARGEST_ROW) and _below(total, 1 << SUM_BITS):
            yield Entry(sha, row, total, covers_name)


def _below(value: Any, bound: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < bound


def _values(lines: Sequence[bytes]) -> Iterator[Any]:
    """What the lines hold as JSON, without those that hold none."""
    try:
        # One list is read twice as fast as its lines.
        found = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        found = (_value(line) for line in lines)
    yield from found


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
