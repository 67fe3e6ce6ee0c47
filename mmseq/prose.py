"""Lines for people: whole in a file, and on a terminal broken between words."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable

import click

from mmseq.escaping import harmless
from mmseq.streams import is_plain

_OWN_LINE = re.compile(r"^\s|^[*-] |\S {2,}\S")


def wrapped(text: str, width: int) -> str:
    """`text` in lines of at most `width` columns, further ones as far in as the first of theirs.

    A word that is longer, such as a path, stays whole: a terminal that breaks it lets it be copied.
    """
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.lstrip(),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def reflowed(text: str, width: int) -> str:
    """Paragraphs that were broken for wider lines, as they would be for `width`; lines that are set
    in, lists and what is set apart by spaces stay lines of their own.
    """
    if all(len(line) <= width for line in text.split("\n")):
        return text
    lines: list[str] = []
    open_paragraph = False
    for line in text.split("\n"):
        running = bool(line) and not _OWN_LINE.search(line)
        if running and open_paragraph:
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        open_paragraph = running
    return wrapped("\n".join(lines), width)


def say(text: str, *, err: bool = False, reflow: bool = False) -> None:
    """Print prose on standard output or standard error; in a file or pipe each line stays one.
    Names and text of users in it are `harmless`.

    `reflow`: it is paragraphs of lines that may be too long (`reflowed`).
    """
    stream = sys.stderr if err else sys.stdout
    text = harmless(text)
    if stream.isatty():
        text = (reflowed if reflow else wrapped)(text, terminal_width())
    click.echo(text, err=err)


def say_in_colours(parts: Iterable[tuple[str, str]]) -> None:
    """Print one line of pieces of text, `harmless`, each with its colour; empty: none. A file, a
    pipe and a terminal that wants no colours get the text alone.
    """
    pieces = ((harmless(text), colour) for text, colour in parts)
    line = "".join(click.style(t, fg=c, bold=True) if c else t for t, c in pieces)
    click.echo(line, color=False if is_plain() else None)


def terminal_width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size().columns
