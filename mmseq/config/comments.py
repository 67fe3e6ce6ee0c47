"""A config as TOML in which every setting is explained by a comment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import tomli_w

from mmseq.config.sections import SECTIONS, settings_of
from mmseq.registry.entries import Entry
from mmseq.registry.option_texts import option_texts

WIDTH = 80
"""Columns of a comment, its mark included"""
WEIGHT = "Weight of this task's loss in the total."
_KEY = re.compile(r"([A-Za-z0-9_-]+) = ")


def settings_texts() -> dict[str, str]:
    """Text of each key of [data] and [train], by its dotted name."""
    return {s.key: s.text for section in SECTIONS for s in settings_of(section)}


def component_texts(table: str, entry: Entry) -> dict[str, str]:
    """Texts of a component's `table`, such as ``aux.boundary``: what it is, and each option by its
    dotted name. An option of which its docstring says nothing has its type and limits.
    """
    options = entry.options()
    own = option_texts(entry.load(), options)
    texts = {table: f"{entry.name}: {entry.description}"}
    for name, option in options.items():
        weight = WEIGHT if entry.kind == "aux_task" and name == "weight" else ""
        texts[f"{table}.{name}"] = own.get(name) or weight or option.type_name
    return texts


def commented(tables: Mapping[str, Any], texts: Mapping[str, str], head: str = "") -> str:
    """Tables as TOML, the text of a key or of a table above it; `head` stands on top. What is read
    from it are the same tables.
    """
    lines = _comment(head)
    place: str | None = ""
    for line in tomli_w.dumps(tables).rstrip("\n").split("\n"):
        if line.startswith("["):
            place = _place(line)
            lines += _comment(texts.get(place or "", ""))
        elif place is not None and (match := _KEY.match(line)):
            lines += _comment(texts.get(f"{place}.{match[1]}" if place else match[1], ""))
        lines.append(line)
    return "\n".join(lines) + "\n"


def _place(header: str) -> str | None:
    """The dotted name of a table; None for one of several in an array."""
    names: list[str] = []
    inner: Any = tomllib.loads(header)
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        names.append(name)
    return None if isinstance(inner, list) else ".".join(names)


def _comment(text: str) -> list[str]:
    """Lines of a comment. What cannot be printed may not stand in TOML, and goes."""
    printable = "".join(c if c.isprintable() else " " for c in text.replace("``", "`"))
    return [f"# {line}" for line in wrap(printable, WIDTH - 2, break_on_hyphens=False)]
