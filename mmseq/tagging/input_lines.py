"""Lines of what is to be tagged, from a file or standard input."""

from __future__ import annotations

import json
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mmseq.data.foreign import refuse_foreign
from mmseq.data.reading import decoded_line, not_utf8, unreadable
from mmseq.tagging.bad_lines import BadLines
from mmseq.tagging.part_record import Done
from mmseq.tagging.piped import lines_of


def input_lines(
    path: Path, standard: BinaryIO | None, bad: BadLines, done: Done
) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines, of standard input or a file, as they come; 0 where they wait
    for no other.
    """
    if standard is not None:
        yield from _numbered(path, standard, bad, done)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        yield from _numbered(path, file, bad, done)


def _numbered(path: Path, stream: BinaryIO, bad: BadLines, done: Done) -> Iterator[tuple[int, str]]:
    number = 0
    for line in lines_of(stream):
        if line is None:
            yield 0, ""
            continue
        number += 1
        bad.seen = number
        if number == 1:
            refuse_foreign(path, line[:8])
        if number <= done.lines:
            continue
        try:
            text = decoded_line(line)
        except UnicodeDecodeError as error:
            wrong = not_utf8(f"{path}:{number}", error)
            if number == 1 and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                raise wrong from error
            bad.refuse(wrong, number)
            continue
        yield number, text


def is_of_several_lines(line: str) -> bool:
    """Whether a file whose first line this is holds one array or object over several lines."""
    text = line.strip()
    if text[:1] != "[" and text != "{":
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def count_lines(path: Path) -> int:
    """Of a file."""
    with path.open("rb") as file:
        return sum(1 for _ in file)
