"""Standard output and standard error: their encodings, data on them, and what a terminal takes."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from typing import Any, TextIO

import click

from mmseq.escaping import harmless, json_line


def prepare() -> None:
    """Data in a file or pipe are UTF-8 whatever the locale. What a terminal or standard error
    cannot show is written as an escape, and no output ends in the middle.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            data = stream is sys.stdout and not stream.isatty()
            stream.reconfigure(encoding="utf-8" if data else None, errors="backslashreplace")
    if not (sys.stderr and sys.stderr.isatty()) or is_dumb():
        # Bars of libraries go back in their line.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")


def is_dumb() -> bool:
    """Whether the terminal says that it knows no control sequence at all."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def is_plain() -> bool:
    """Whether nothing may be coloured, bold or underlined: NO_COLOR, or a terminal without."""
    return bool(os.environ.get("NO_COLOR")) or is_dumb()


def all_characters(stream: TextIO) -> bool:
    """Whether its encoding has every character."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


def put(text: str, *, nl: bool = True) -> None:
    """Print data on standard output: as they are in a file or pipe, `harmless` on a terminal."""
    # Coloured or not, click would else leave out what looks like a colour of ours.
    click.echo(harmless(text) if sys.stdout.isatty() else text, nl=nl, color=True)


def put_json(value: Any) -> None:
    """Print `value` as JSON on one line; what the encoding lacks is escaped, and read back the
    same.
    """
    put(json_line(value) if all_characters(sys.stdout) else json.dumps(value))
