"""Lines for people: whole in a file, and on a terminal broken between words."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

import click

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

    `reflow`: it is paragraphs of lines that may be too long (`reflowed`).
    """
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        text = (reflowed if reflow else wrapped)(text, terminal_width())
    click.echo(text, err=err)


def terminal_width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size().columns
