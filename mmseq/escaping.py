"""Names and text of users are data, whatever they are written into: here is how each output has
them, so that they steer no terminal, end no row and run nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

# All of C0 but tab and newline, DEL and C1, what turns the direction of writing, the line and
# paragraph separators, and halves of characters, which no encoding has.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LAYOUT = re.compile("[\t\n]")
# What programs take for the end of a line, though JSON does not, and halves of characters.
_IN_JSON = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~#$]|&(?=#?\w+;)|(?<!\w)_|_(?!\w))")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "<": "$<$",
    ">": "$>$",
    # After the end of a row a bracket would be read as its option, an asterisk as its star.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def code(character: str) -> str:
    r"""A character as JSON and Python write one that cannot be seen: ``\u202e``."""
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def harmless(text: str) -> str:
    r"""Text for people to read, on a terminal or in a file: what would steer a terminal, turn the
    direction of writing or cannot be encoded is written out, as ``\u001b``. Lines and tabs stay.

    JSON stays the same JSON: such characters stand within strings alone.
    """
    return _STEERING.sub(_written_out, text)


def on_one_line(text: str) -> str:
    """A name for people, in a table or another line: `harmless`, its line breaks written out."""
    return _LAYOUT.sub(_written_out, harmless(text))


def json_line(value: Any) -> str:
    """`value` as JSON on one line, without its end: also where U+0085, U+2028 or U+2029 end lines,
    and in any encoding of Unicode.
    """
    return _IN_JSON.sub(_written_out, json.dumps(value, ensure_ascii=False))


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: numbers, also several with spaces between, as they are; text on one
    line, and with an apostrophe in front where a spreadsheet would compute it.
    """
    if not isinstance(value, str) or all(map(_NUMBER.fullmatch, value.split(" "))):
        return value
    mark = "'" if value.startswith(_FORMULA) else ""
    return mark + on_one_line(value)


def markdown(text: str) -> str:
    """Text within a line or cell of Markdown: no character is markup or HTML; underscores inside
    a word, as in an address, are none.
    """
    return _MARKDOWN.sub(r"\\\1", on_one_line(text))


def markdown_code(text: str) -> str:
    """Text within a line of Markdown as code, which holds no HTML; longer marks around it than it
    has itself.
    """
    shown = on_one_line(text)
    mark = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    gap = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{mark}{gap}{shown}{gap}{mark}"


def latex(text: str) -> str:
    """Text within a paragraph or cell of LaTeX: no character is a command."""
    return "".join(_LATEX.get(character, character) for character in on_one_line(text))


def _written_out(found: re.Match[str]) -> str:
    return code(found.group())
