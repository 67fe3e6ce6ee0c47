"""Sentences of a large file on disk: read once, then found by number without reading the file.

A folder for each file and way of reading it:

    <root>/<key>/sentences.jsonl   a JSON array a sentence, tags in BIO
                 starts.i64        where each begins, and where the last ends
                 words.i32         how many words each has
                 facts.json        what is said of them as a whole, and the scheme of the file

The folder gets its name when all of it is written; another process that writes the same at the same
time does no harm.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, overload

from mmseq.contracts.example import Example
from mmseq.data.sentences import Facts, renamed
from mmseq.errors import UserError

FORMAT = 1
LARGE = 64 << 20
"""Bytes from which a file's sentences are better on disk: as objects they take some ten times it"""


class StoredExamples(Sequence[Example]):
    """The sentences of one file, made anew from the disk each time they are asked for."""

    def __init__(self, folder: Path, file: Path, find: Callable[[Path], Path]) -> None:
        """`file`: where they were read, for messages; `find`: a picture's name to its file."""
        self.folder, self._file, self._find = folder, file, find
        facts = json.loads((folder / "facts.json").read_bytes())
        self.scheme = str(facts.pop("scheme"))
        self.facts = Facts(**(facts | {"tags": tuple(facts["tags"])}))
        self._mapping: Mapping[str, str] = {}
        self._data = _mapped(folder / "sentences.jsonl")
        self._starts = _mapped(folder / "starts.i64").cast("q")
        self.lengths: Sequence[int] = _mapped(folder / "words.i32").cast("i")
        """Words of each sentence"""
        whole = len(self._starts) == self.facts.sentences + 1 == len(self.lengths) + 1
        if not whole or self._starts[-1] != len(self._data):
            raise ValueError("cut short")

    def renamed(self, mapping: Mapping[str, str]) -> StoredExamples:
        """The same with types renamed; all are gone through, for their facts."""
        other = copy(self)
        other._mapping = dict(mapping)
        other.facts = Facts.of(other)
        return other

    def __len__(self) -> int:
        return self.facts.sentences

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

    def _read(self, number: int) -> Example:
        line = self._data[self._starts[number] : self._starts[number + 1]]
        try:
            tokens, tags, images, name, extras, place = json.loads(bytes(line))
        except ValueError as error:
            raise UserError(
                f"{self.folder}: damaged ({error}); delete the folder, it will be made again."
            ) from error
        files = tuple(self._find(Path(image)) for image in images)
        tags = None if tags is None else tuple(tags)
        example = Example(tuple(tokens), tags, files, name, extras, self._file, place)
        return renamed(example, self._mapping) if self._mapping else example


@dataclass(frozen=True)
class ExampleStore:
    """Where sentences of large files are kept."""

    root: Path
    least: int = LARGE
    """Bytes of a file from which it is worth it"""
    tell: Callable[[str], None] = lambda line: None
    """Told of what takes long"""

    def folder(self, digest: str, way: Mapping[str, str]) -> Path:
        """Of the file with this SHA-256, read this way."""
        key = json.dumps([FORMAT, digest, way], sort_keys=True)
        return self.root / sha256(key.encode()).hexdigest()[:32]

    def open(self, folder: Path, file: Path, find: Callable[[Path], Path]) -> StoredExamples | None:
        """What has been written; None where it has not, or not wholly."""
        try:
            return StoredExamples(folder, file, find)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path, file: Path, examples: Iterable[Example], scheme: str) -> None:
        """Keep sentences, pictures as the file names them; `UserError` where that cannot be."""
        self.tell(f"{file}: making its sentences ready on disk (once) …")
        beside = None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".", dir=self.root))
            facts = _write(beside, file, examples)
            text = json.dumps({**asdict(facts), "scheme": scheme})
            (beside / "facts.json").write_text(text, encoding="utf-8")
            # One that is damaged makes room; whole ones are alike.
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(FileExistsError):
                os.rename(beside, folder)
        except OSError as error:
            raise UserError(
                f"Cannot keep the sentences of {file} in {self.root}: {error.strerror or error}. "
                "Free space, name another folder (data.cache), or keep them in memory "
                "(data.cache = 'off')."
            ) from error
        finally:
            if beside is not None:
                shutil.rmtree(beside, ignore_errors=True)


def _write(folder: Path, file: Path, examples: Iterable[Example]) -> Facts:
    position, starts, words = 0, array("q", [0]), array("i")

    def written() -> Iterator[Example]:
        nonlocal position
        for example in examples:
            line = _line(example, file)
            data.write(line)
            position += len(line)
            starts.append(position)
            words.append(len(example.tokens))
            yield example

    with (folder / "sentences.jsonl").open("wb") as data:
        facts = Facts.of(written())
    for name, numbers in (("starts.i64", starts), ("words.i32", words)):
        with (folder / name).open("wb") as target:
            numbers.tofile(target)
    return facts


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
