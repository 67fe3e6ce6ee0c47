"""Sentences of a large file on disk: read once, then found by number without reading the file.

A folder for each file and way of reading it:

    <root>/<key>/sentences.jsonl   a JSON array a sentence, tags in BIO
                 starts.i64        where each begins, and where the last ends
                 words.i32         how many words each has
                 sums.u32          the CRC-32 of each
                 facts.json        what is said of them as a whole, the scheme of the file, what
                                   its reader says, and the CRC-32 of the files of numbers
                 lengths-….i32     how long a text encoder finds each, and the CRC-32 of that

The folder gets its name when all of it is written; another process that writes the same at the same
time does no harm. Every sentence is checked when it is read.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, overload
from uuid import uuid4
from zlib import crc32

from mmseq.contracts.example import Example
from mmseq.data.sentences import Facts, renamed, with_files
from mmseq.errors import UserError
from mmseq.files import replacing

FORMAT = 3
NUMBERS = ("starts.i64", "words.i32", "sums.u32")
"""Files of numbers, whose checksums stand in facts.json"""
LARGE = 64 << 20
"""Bytes from which a file's sentences are better on disk: as objects they take some ten times it"""


class NotKept(UserError):
    """Sentences cannot be kept on disk; in memory they can be."""


class StoredExamples(Sequence[Example]):
    """The sentences of one file, read from the disk each time they are asked for."""

    def __init__(self, folder: Path, file: Path, find: Callable[[Path], Path]) -> None:
        """`file`: where they were read, for messages; `find`: a picture's name to its file."""
        self.folder, self._file, self._find = folder, file, find
        facts = _facts(folder)
        self.scheme = str(facts.pop("scheme"))
        self.notes = tuple(facts.pop("notes"))
        self.facts = Facts(**(facts | {"tags": tuple(facts["tags"])}))
        self._mapping: Mapping[str, str] = {}
        self._chosen: Sequence[int] | None = None
        self._data = _mapped(folder / "sentences.jsonl")
        self._starts = _mapped(folder / "starts.i64").cast("q")
        self.lengths: Sequence[int] = _mapped(folder / "words.i32").cast("i")
        """Words of each sentence"""
        self._sums = _mapped(folder / "sums.u32").cast("I")
        numbers = (len(self._starts) - 1, len(self.lengths), len(self._sums))
        if set(numbers) != {self.facts.sentences} or self._starts[-1] != len(self._data):
            raise ValueError("cut short")

    def renamed(self, mapping: Mapping[str, str]) -> StoredExamples:
        """The same with types renamed; all are gone through, for their facts."""
        other = copy(self)
        other._mapping = dict(mapping)
        other.facts = Facts.of(other)
        return other

    def chosen(self, numbers: Sequence[int]) -> StoredExamples:
        """Those of them, in that order; they are gone through, for their facts."""
        other = copy(self)
        other._chosen = array("q", [self._number(number) for number in numbers])
        other.lengths = array("i", [self.lengths[number] for number in numbers])
        other.facts = Facts.of(other)
        return other

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self._read(number) for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        return self._read(number)

    def __iter__(self) -> Iterator[Example]:
        return map(self._read, range(len(self)))

    def _number(self, place: int) -> int:
        """Of all sentences of the file, that of one among these."""
        return place if self._chosen is None else self._chosen[place]

    def _read(self, place: int) -> Example:
        number = self._number(place)
        line = self._data[self._starts[number] : self._starts[number + 1]]
        if crc32(line) != self._sums[number]:
            raise UserError(
                f"{self.folder / 'sentences.jsonl'}: sentence {number + 1} is damaged (another "
                f"checksum); delete the folder {self.folder}, it will be made again."
            )
        tokens, tags, images, name, extras, begin = json.loads(bytes(line))
        names = tuple(map(Path, images))
        tags = None if tags is None else tuple(tags)
        example = Example(tuple(tokens), tags, names, name, extras, self._file, begin)
        example = with_files(example, self._find)
        return renamed(example, self._mapping) if self._mapping else example

    def encoded_lengths(self, encoder: str) -> Sequence[int] | None:
        """How long that encoder finds each sentence; None where that is not kept, or damaged.

        `encoder`: a key for all of it that decides the lengths.
        """
        try:
            kept = _mapped(self._lengths(encoder))
        except (OSError, ValueError):
            return None
        lengths, own = kept[:-4], kept[-4:]
        if len(lengths) != 4 * len(self) or crc32(lengths) != int.from_bytes(own, "little"):
            return None
        return lengths.cast("i")

    def keep_encoded_lengths(self, encoder: str, lengths: array[int]) -> None:
        """Keep what `encoded_lengths` gives, where the folder lets one write."""
        content = lengths.tobytes()
        # Another user's store may be read alone: then they are counted again each time.
        with suppress(OSError), replacing(self._lengths(encoder), shared=True) as beside:
            beside.write_bytes(content + crc32(content).to_bytes(4, "little"))

    def _lengths(self, encoder: str) -> Path:
        return self.folder / f"lengths-{encoder[:32]}.i32"


@dataclass(frozen=True)
class ExampleStore:
    """Where sentences of large files are kept."""

    root: Path
    least: int = LARGE
    """Bytes of a file from which it is worth it"""
    tell: Callable[[str], None] = lambda line: None
    """Told of what takes long"""

    def folder(self, digest: str, way: Mapping[str, Any]) -> Path:
        """Of the file with this SHA-256, read this way."""
        key = json.dumps([FORMAT, digest, way], sort_keys=True)
        return self.root / sha256(key.encode()).hexdigest()[:32]

    def open(self, folder: Path, file: Path, find: Callable[[Path], Path]) -> StoredExamples | None:
        """What has been written; None where it has not, or not wholly."""
        try:
            return StoredExamples(folder, file, find)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(
        self,
        folder: Path,
        file: Path,
        examples: Iterable[Example],
        scheme: str,
        notes: Iterable[str] = (),
    ) -> None:
        """Keep sentences, pictures as the file names them, and what is said of the file;
        `NotKept` where that cannot be.
        """
        self.tell(f"{file}: making its sentences ready on disk (once) …")
        beside = self.root / f".{folder.name}-{uuid4().hex}"
        try:
            # Not a temporary folder of the system's, which nobody else may read: the store may be
            # shared.
            beside.mkdir(parents=True)
            _write(beside, file, examples, scheme, notes)
            self._put(beside, folder)
        except OSError as error:
            raise NotKept(
                f"Cannot keep the sentences of {file} in {self.root}: {error.strerror or error}. "
                "Free space, or name another folder (data.cache)."
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _put(self, beside: Path, folder: Path) -> None:
        """Give what is written its name, unless another process has made the same meanwhile."""
        while not self._named(beside, folder):
            if self.open(folder, folder, Path) is not None:
                return
            # A damaged one makes room.
            aside = beside.with_name(f"{beside.name}-damaged")
            with suppress(FileNotFoundError):
                os.rename(folder, aside)
            shutil.rmtree(aside, ignore_errors=True)

    @staticmethod
    def _named(beside: Path, folder: Path) -> bool:
        try:
            os.rename(beside, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            return False
        return True


def _write(
    folder: Path, file: Path, examples: Iterable[Example], scheme: str, notes: Iterable[str]
) -> None:
    position, starts, words, sums = 0, array("q", [0]), array("i"), array("I")

    def written() -> Iterator[Example]:
        nonlocal position
        for example in examples:
            line = _line(example, file)
            data.write(line)
            position += len(line)
            starts.append(position)
            words.append(len(example.tokens))
            sums.append(crc32(line))
            yield example

    with (folder / "sentences.jsonl").open("wb") as data:
        facts = Facts.of(written())
    for name, numbers in zip(NUMBERS, (starts, words, sums), strict=True):
        with (folder / name).open("wb") as target:
            numbers.tofile(target)
    known = {**asdict(facts), "scheme": scheme, "notes": list(notes)}
    own = {name: _sum(folder / name) for name in NUMBERS}
    record = {"facts": known, "sums": own, "sum": _sum_of(known, own)}
    (folder / "facts.json").write_text(json.dumps(record), encoding="utf-8")


def _facts(folder: Path) -> dict[str, Any]:
    """What is said of the sentences; `ValueError` where it, or a file of numbers, is damaged."""
    record = json.loads((folder / "facts.json").read_bytes())
    facts, sums = dict(record["facts"]), record["sums"]
    if record["sum"] != _sum_of(facts, sums):
        raise ValueError("facts.json is damaged")
    for name in NUMBERS:
        if _sum(folder / name) != sums[name]:
            raise ValueError(f"{name} is damaged")
    return facts


def _sum_of(*values: Mapping[str, Any]) -> int:
    return crc32(json.dumps(values, sort_keys=True).encode())


def _sum(path: Path) -> int:
    """CRC-32 of a file, read in pieces: what is mapped whole would count as the process's own."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found = crc32(piece, found)
    return found


def _line(example: Example, file: Path) -> bytes:
    images = [str(image) for image in example.images]
    record: list[Any] = [
        example.tokens,
        example.tags,
        images,
        example.id,
        dict(example.extras),
        example.line,
    ]
    try:
        return json.dumps(record, separators=(",", ":")).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{file}:{example.line}: its further fields cannot be kept as JSON ({error}); fix the "
            "reader, or keep sentences in memory (data.cache = 'off')."
        ) from error


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
