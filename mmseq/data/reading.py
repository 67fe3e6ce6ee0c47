"""Files of sentences: lines decoded, and what a reader makes of them, checked."""

from __future__ import annotations

import inspect
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mmseq.contracts.example import Example
from mmseq.contracts.reader import Reader
from mmseq.data.foreign import refuse_foreign
from mmseq.data.hearing import Hearing
from mmseq.data.invisible import Trimming
from mmseq.data.naming import Naming
from mmseq.errors import ComponentError, UserError, one_line

if TYPE_CHECKING:
    from mmseq.registry.entries import Entry


def unreadable(path: Path, error: OSError) -> UserError:
    """The error for a file that the system does not let read."""
    return UserError(f"{path}: cannot be read ({error.strerror or error}); check the file.")


def not_utf8(where: Path | str, error: UnicodeDecodeError) -> UserError:
    """The error for bytes that are not UTF-8, `where` being a file or ``FILE:LINE``."""
    byte = error.object[error.start]
    return UserError(f"{where}: not UTF-8 (byte {byte:#04x}); save the file as UTF-8.")


Fault: TypeAlias = "Callable[[str, str, str], None]"
"""Takes where a fault is (``FILE:LINE``), what is wrong and its kind; raises, or leaves it out"""


def decoded_line(line: bytes) -> str:
    """A line without its end and the byte order marks that files which were put together have
    before any line; `UnicodeDecodeError` where the bytes are not UTF-8.
    """
    while line.startswith(BOM_UTF8):
        line = line.removeprefix(BOM_UTF8)
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")


def decoded(
    path: Path, lines: Iterable[bytes], fault: Fault | None = None
) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines as `decoded_line` gives them; `UserError` for one that is not
    UTF-8, or `fault` is told of it.
    """
    for number, line in enumerate(lines, start=1):
        try:
            text = decoded_line(line)
        except UnicodeDecodeError as error:
            where = f"{path}:{number}"
            wrong = not_utf8(where, error)
            if fault is None:
                raise wrong from error
            fault(where, str(wrong).removeprefix(f"{where}: "), "UTF-8")
            continue
        yield number, text


def lines_of(path: Path, fault: Fault | None = None) -> Iterator[tuple[int, str]]:
    """The same of a file, a line at a time, since it may be larger than memory. Without any line
    feed, its carriage returns end lines.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        first = file.readline()
        refuse_foreign(path, first[:8])
        if b"\r" in first and not first.endswith(b"\n"):
            yield from decoded(path, first.split(b"\r"), fault)
        else:
            yield from decoded(path, chain([first] if first else [], file), fault)


def takes_columns(entry: Entry) -> bool:
    """Whether a reader is to be told which columns hold what."""
    return "columns" in inspect.signature(entry.load()).parameters


def made_reader(
    entry: Entry,
    columns: Mapping[str, int | str] | None,
    hearing: Hearing,
    naming: Naming | None = None,
) -> Any:
    """The reader, told of columns and names if it takes them, and heard."""
    told = naming.options(entry) if naming else {}
    if columns and takes_columns(entry):
        told["columns"] = dict(columns)
    made = entry.load()(**told)
    if isinstance(made, Reader):
        made.on_note, made.on_fault = hearing.note, hearing.fault
        made.on_hint = hearing.hint
        made.on_aside = hearing.aside.append
    return made


def read_examples(
    path: Path,
    entry: Entry,
    columns: Mapping[str, int | str] | None = None,
    hearing: Hearing | None = None,
    naming: Naming | None = None,
) -> Iterator[Example]:
    """What the reader `entry` makes of a file, one by one; what it says goes to `hearing`.

    White space and invisible characters are taken from the ends of tags and of pictures' names.
    `UserError` for a file that cannot be read; `ComponentError` naming the reader for what it
    raises else, and for examples of the wrong types.
    """
    hearing = hearing or Hearing()
    place = f"{entry.full_title} on {path}"
    after = "at its beginning"
    tags, names = Trimming("tags"), Trimming("names of pictures")
    try:
        step = bool(entry.load().word_per_line)
        reader = made_reader(entry, columns, hearing, naming)
        for number, example in enumerate(reader.read(path), 1):
            if fault := _fault(example):
                known = isinstance(example, Example) and example.file
                where = f", {example.where}" if known else f", the sentence {after}"
                raise ComponentError(f"{place}{where}: {fault}.")
            after = f"after line {example.line}" if example.line else f"after sentence {number}"
            yield _trimmed(example, tags, names, step=step)
        for line in filter(None, (tags.note(), names.note())):
            hearing.note(line)
    except (UserError, ComponentError):
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    # A stranger's code may raise anything.
    except Exception as error:
        reason = one_line(error).rstrip(".")
        raise ComponentError(f"{place} failed {after}: {reason}.") from error


class Rereading:
    """The examples of a file, read again on each pass over them."""

    def __init__(
        self,
        path: Path,
        entry: Entry,
        columns: dict[str, int | str],
        hearing: Hearing,
        naming: Naming,
    ) -> None:
        self.path, self.entry, self.columns, self.hearing = path, entry, columns, hearing
        self.naming = naming

    def __iter__(self) -> Iterator[Example]:
        return read_examples(self.path, self.entry, self.columns, self.hearing, self.naming)


def _trimmed(example: Example, tags: Trimming, names: Trimming, *, step: bool) -> Example:
    """The example with nothing unseen at the ends of its tags and pictures' names.

    `step`: word i stands i lines below the first.
    """
    own, images = example.tags, example.images
    if own is not None and not all(map(str.isprintable, own)) or any(map(_spaced, own or ())):
        own = tuple(
            tags.of(tag, f"{example.file}:{example.line + index * step}")
            for index, tag in enumerate(own or ())
        )
    if any(not str(image).isprintable() or _spaced(str(image)) for image in images):
        images = tuple(Path(names.of(str(image), example.where)) for image in images)
    same = own is example.tags and images is example.images
    return example if same else replace(example, tags=own, images=images)


def _spaced(text: str) -> bool:
    return text[:1] == " " or text[-1:] == " "


def _fault(example: object) -> str:
    """What is wrong with the types of what a reader gave; empty: nothing."""
    if not isinstance(example, Example):
        return f"it is {type(example).__name__}, not mmseq.Example"
    parts = {"tokens": str, "images": Path} | ({} if example.tags is None else {"tags": str})
    for name, kind in parts.items():
        value = getattr(example, name)
        if not (isinstance(value, tuple) and all(isinstance(part, kind) for part in value)):
            return f"{name} are {value!r}, not a tuple of {kind.__name__}"
    if not all(path.name for path in example.images):
        return "a picture's name is empty"
    return "" if example.tokens else "it has no word"
