"""JSON read an element at a time: lines of objects, and arrays of any size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmseq.data.importing.documents import Place
from mmseq.data.reading import decoded, not_utf8, unreadable
from mmseq.errors import UserError

_BLOCK = 1 << 16
_SPACE = " \t\r\n"


def elements(path: Path) -> Iterator[tuple[Place, Any]]:
    """The objects of a file of JSON lines, or of one array, with the lines where they begin."""
    try:
        with path.open("rb") as file:
            is_array = file.read(_BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError as error:
        raise unreadable(path, error) from error
    yield from _array(path) if is_array else _lines(path)


def _lines(path: Path) -> Iterator[tuple[Place, Any]]:
    with path.open("rb") as file:
        for number, line in decoded(path, file):
            if line.strip(_SPACE):
                try:
                    yield Place(path, number), json.loads(line)
                except (ValueError, RecursionError) as error:
                    reason = str(error).replace("line 1 column", "column")
                    raise UserError(
                        f"{path}:{number}: not JSON ({reason}); write one object per line, or one "
                        "array."
                    ) from error


def _array(path: Path) -> Iterator[tuple[Place, Any]]:
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig", newline="") as file:
        text, end, line, more = "", 0, 1, True

        def fill(size: int) -> None:
            nonlocal text, end, more
            block = file.read(size)
            text, end, more = text[end:] + block, 0, bool(block)

        def skip(signs: str) -> str:
            """Pass over `signs` and white space; the next character, empty at the end."""
            nonlocal end, line
            while True:
                while end < len(text) and text[end] in _SPACE + signs:
                    line += text[end] == "\n"
                    end += 1
                if end < len(text) or not more:
                    return text[end : end + 1]
                fill(_BLOCK)

        try:
            skip("")
            end += 1
            while (sign := skip(",")) not in ("]", ""):
                size = _BLOCK
                while True:
                    try:
                        value, after = decoder.raw_decode(text, end)
                        # A number at the end of what was read may go on.
                        if after < len(text) or not more:
                            break
                    except ValueError as error:
                        if not more:
                            raise UserError(
                                f"{path}:{line}: not JSON ({error.args[0].split(':')[0]}) in the "
                                "entry that begins here; mend the file."
                            ) from error
                    fill(size)
                    size *= 2
                yield Place(path, line), value
                line += text.count("\n", end, after)
                end = after
            if not sign:
                raise UserError(f"{path}: ends inside its array; the file is cut off.")
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from error
        except RecursionError as error:
            raise UserError(f"{path}:{line}: too many brackets in brackets.") from error


def require_object(value: Any, place: Place) -> dict[str, Any]:
    """`UserError` unless it is a JSON object."""
    if not isinstance(value, dict):
        raise UserError(f"{place}: not a JSON object but {shown(value)}.")
    return value


def require_list(value: Any, field: str, place: Place) -> list[Any]:
    """A list, empty where there is none. `UserError` for anything else."""
    if not isinstance(value, list | None):
        raise UserError(f"{place}: '{field}' is {shown(value)}; make it a list.")
    return value or []


def shown(value: Any) -> str:
    """A value for messages, shortened."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 40 else text[:40] + "…"
