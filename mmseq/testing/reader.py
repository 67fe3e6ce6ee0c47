"""The contract of a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmseq.contracts.example import Example
from mmseq.contracts.reader import Reader
from mmseq.data.folder import SUFFIXES, good_suffixes
from mmseq.data.tags import is_tag
from mmseq.errors import UserError
from mmseq.testing.subject import Subject


def check_reader(
    component: type[Reader] | str,
    text: str | bytes = "",
    broken: Mapping[Any, int] | None = None,
    **options: Any,
) -> None:
    """Check a reader, a class or a registered name, on a file of its format.

    `text`: a whole file with at least two sentences; the reader's own `example_file` by default.
    `broken`: whole files with a mistake, and the line of each, which the `mmseq.UserError` must
    name. Raises `mmseq.testing.ContractError` for a broken contract, `mmseq.UserError` for a wrong
    name or option.
    """
    subject = Subject("reader", component, options)
    right = "none but what the engine tells: files are read by their ending, nobody can give others"
    own = [name for name in subject.options if name not in ("columns", "fields", "tag_names")]
    subject.require(not own, "options", f"it has {', '.join(own)}", right)
    with TemporaryDirectory() as folder:
        _Check(subject, Path(folder)).run(text, broken or {})


class _Check:
    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        self.reader: Any = subject.build()
        suffixes: Any = getattr(self.reader, "suffixes", None)
        good = good_suffixes(suffixes)
        subject.require(good, "suffixes", f"they are {suffixes!r}", SUFFIXES)
        self.path = folder / f"train{suffixes[0]}"

    def run(self, text: str | bytes, broken: Mapping[Any, int]) -> None:
        text = text or getattr(self.reader, "example_file", "")
        right = "a small file of the format, two sentences or more (or text=… for this check)"
        self.subject.require(text, "example_file", "it is empty", right)
        self.write(text)
        lines = self.path.read_bytes().count(b"\n") + 1
        with self.subject.running("read"):
            found = self.reader.read(self.path)
        right = "a generator: it yields mmseq.Example"
        iterable = isinstance(found, Iterable)
        self.subject.require(iterable, "read", f"it gives {type(found).__name__}", right)
        with self.subject.running("read"):
            examples = list(found)
            again = list(self.reader.read(self.path))
        right = "a reader keeps nothing from file to file"
        self.subject.require(again == examples, "read twice", "the examples differ", right)
        found = f"{len(examples)} examples in the given text"
        self.subject.require(len(examples) > 1, "read", found, "at least two sentences")
        for example in examples:
            self.example(example, lines)
        starts = [example.line for example in examples]
        right = "each sentence begins below the one before"
        self.subject.require(starts == sorted(set(starts)), "line", f"they are {starts}", right)
        ids = [example.id for example in examples]
        right = "a name of its own for each sentence"
        self.subject.require(all(ids), "id", f"they are {ids}", right)
        if "columns" in self.subject.options:
            self.columns(examples)
        self.cut_short(self.path.read_bytes())
        for wrong, line in broken.items():
            self.write(wrong)
            self.refused(f"a mistake in line {line}", f"{self.path}:{line}:")
        self.write("")
        self.empty()

    def write(self, text: str | bytes) -> None:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)

    def example(self, example: object, lines: int) -> None:
        """Tokens, tags, pictures and place are of their types."""
        subject = self.subject
        if not isinstance(example, Example):
            subject.fail("read", f"it yields {type(example).__name__}", "mmseq.Example")
        tokens, tags, where = example.tokens, example.tags, f"of {example.where}"
        good = isinstance(tokens, tuple) and bool(tokens)
        good = good and all(isinstance(t, str) and t.strip() for t in tokens)
        right = "a tuple of words, none of them empty"
        subject.require(good, f"tokens {where}", f"{tokens!r}", right)
        good = tags is None or (isinstance(tags, tuple) and len(tags) == len(tokens))
        right = f"None, or a tuple of {len(tokens)} tags, one a word"
        subject.require(good, f"tags {where}", f"{tags!r}", right)
        strange = [tag for tag in tags or () if not is_tag(tag)]
        right = "O, or B-, I- (BIOES: E-, S-) and a type, or mmseq.OPEN"
        subject.require(not strange, f"tags {where}", f"{strange}", right)
        images = example.images
        good = isinstance(images, tuple) and all(isinstance(i, Path) and i.name for i in images)
        right = "a tuple of pathlib.Path: names, none empty, which the engine looks up"
        subject.require(good, f"images {where}", f"{images!r}", right)
        good = example.file == self.path and 1 <= example.line <= lines
        right = f"file {self.path} and a line from 1 to {lines}"
        subject.require(good, "where", f"{example.where}", right)
        if self.reader.word_per_line:
            text = self.path.read_text(encoding="utf-8").split("\n")
            for index, token in enumerate(tokens):
                line = example.line + index
                good = line <= lines and token in text[line - 1]
                right = "word i of a sentence stands i lines below its first, or it is False"
                subject.require(good, "word_per_line", f"{token!r} is not in line {line}", right)

    def columns(self, examples: list[Any]) -> None:
        """Nothing said of columns is no column named; a name that there is not is refused."""
        with self.subject.running("columns = {}"):
            same = list(type(self.reader)(columns={}).read(self.path)) == examples
        right = "the examples that it gives without columns"
        self.subject.require(same, "columns = {}", "other examples", right)
        wrong = "columns = {'no such name': 1}"
        right = "mmseq.UserError naming the columns that there are"
        try:
            with self.subject.running(wrong, right):
                list(type(self.reader)(columns={"no such name": 1}).read(self.path))
        except UserError:
            return
        self.subject.fail(wrong, "no error", right)

    def cut_short(self, text: bytes) -> None:
        """A line of which half is gone is read somehow, or refused; where faults are counted,
        reading goes on.
        """
        lines = text.split(b"\n")
        right = "examples, or mmseq.UserError('FILE:LINE: what is wrong; how to fix it')"
        for number, line in enumerate(lines):
            half = line[: len(line) // 2]
            self.write(b"\n".join([*lines[:number], half, *lines[number + 1 :]]))
            with suppress(UserError), self.subject.running(f"line {number + 1} cut short", right):
                self._read()
            counted = f"line {number + 1} cut short, faults counted"
            with suppress(UserError), self.subject.running(counted, right):
                self._counted()

    def empty(self) -> None:
        """An empty file has no sentence, or says what is missing."""
        try:
            with self.subject.running("an empty file", "no example, or a mmseq.UserError"):
                found = self._read()
        except UserError:
            return
        right = "no example, or a mmseq.UserError"
        self.subject.require(not found, "an empty file", f"{len(found)} examples", right)

    def refused(self, what: str, place: str) -> None:
        """A file that is wrong is a `UserError` that says where."""
        right = f"mmseq.UserError('{place} what is wrong; how to fix it')"
        try:
            with self.subject.running(what, right):
                found = self._read()
        except UserError as error:
            named = place in str(error)
            self.subject.require(named, what, f"the error '{error}' names no place", right)
            return
        self.subject.fail(what, f"{len(found)} examples and no error", right)

    def _counted(self) -> None:
        """What `mmseq data check` does."""
        told: list[str] = []
        self.reader.on_fault = lambda where, what, kind: told.append(where)
        try:
            found = self._read()
        finally:
            self.reader.on_fault = None
        right = "the sentence of a fault is left out"
        # What a reader leaves to the engine to find is no fault that it tells.
        for example in found if told else ():
            words, tags = len(example.tokens), example.tags
            good = words and (tags is None or len(tags) == words)
            self.subject.require(good, "fault", f"{words} words, tags {tags!r}", right)

    def _read(self) -> list[Any]:
        return list(self.reader.read(self.path))
