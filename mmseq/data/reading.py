"""Files of sentences: lines decoded, and what a reader makes of them, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmseq.contracts.example import Example
from mmseq.contracts.reader import Reader
from mmseq.data.naming import Naming
from mmseq.errors import ComponentError, UserError, one_line

if TYPE_CHECKING:
    from mmseq.registry.entries import Entry


def unreadable(path: Path, error: OSError) -> UserError:
    """The error for a file that the system does not let read."""
    return UserError(f"{path}: cannot be read ({error.strerror or error}); check the file.")


def decoded(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines without their ends and a byte order mark; `UserError` where
    the bytes are not UTF-8.
    """
    for number, line in enumerate(lines, start=1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}:{number}: not UTF-8 (byte {error.object[error.start]:#04x}); save the "
                "file as UTF-8."
            ) from error


def read_examples(
    path: Path,
    entry: Entry,
    naming: Naming | None = None,
    note: Callable[[str], None] | None = None,
) -> Iterator[Example]:
    """What the reader `entry` makes of a file, one by one; `note` gets what it says of the file.

    `UserError` for a file that cannot be read; `ComponentError` naming the reader for what it
    raises else, and for examples of the wrong types.
    """
    place = f"{entry.full_title} on {path}"
    after = "at its beginning"
    try:
        reader = entry.load()(**(naming.options(entry) if naming else {}))
        if isinstance(reader, Reader):
            reader.on_note = note
        for number, example in enumerate(reader.read(path), 1):
            if fault := _fault(example):
                known = isinstance(example, Example) and example.file
                where = f", {example.where}" if known else f", the sentence {after}"
                raise ComponentError(f"{place}{where}: {fault}.")
            after = f"after line {example.line}" if example.line else f"after sentence {number}"
            yield example
    except (UserError, ComponentError):
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{path}: not UTF-8 (byte {byte:#04x}); save the file as UTF-8.") from error
    # A stranger's code may raise anything.
    except Exception as error:
        reason = one_line(error).rstrip(".")
        raise ComponentError(f"{place} failed {after}: {reason}.") from error


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
