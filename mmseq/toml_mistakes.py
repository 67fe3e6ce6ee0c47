"""What is often written in TOML files and is no TOML, and how it is written."""

from __future__ import annotations

import re

_PLACE = re.compile(r"at line (\d+), column (\d+)\)$")
_LINE = re.compile(r"\s*(?:\"[^\"]*\"|'[^']*'|[\w.-]+)\s*=\s*(.*?)\s*(?:\s#.*)?$")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORDS = {"true": "true", "yes": "true", "on": "true"}
_WORDS |= {"false": "false", "no": "false", "off": "false"}


def remedy(text: str, fault: str) -> str:
    """``; write true``, with what stands before it: how to mend what `fault`, tomllib's message,
    says of a file's `text`. Empty where that cannot be told.
    """
    place = _PLACE.search(fault)
    if text.lstrip()[:1] == "{":
        return "; it is JSON: write a section as [train], below it its keys as epochs = 3"
    if place is None:
        return ""
    line = text.split("\n")[int(place[1]) - 1]
    found = _LINE.match(line)
    if found is None or not found[1]:
        return ""
    value = found[1]
    if value[0] in "[{":
        # One entry of it.
        entry = re.match(r"[^,\]}\s]+", line[int(place[2]) - 1 :])
        return _written(entry[0]) if entry else ""
    return _written(value)


def _written(value: str) -> str:
    if value.lower() in _WORDS:
        return f"; write {_WORDS[value.lower()]}"
    if value.lower() in ("none", "null"):
        return '; for none leave the line out, or write ""'
    if value[0] in "\"'":
        inner = value.strip("\"'")
        return f"; write '{inner}'" if "\\" in inner and "'" not in inner else ""
    number = value.replace("_", "")
    if _NUMBER.fullmatch(number):
        whole = number.lstrip("+-").isdecimal()
        return f"; write {int(number) if whole else float(number)!r}"
    if re.fullmatch(r"\d+,\d+", value):
        return f"; write {value.replace(',', '.')}"
    if percent := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value):
        return f"; write {float(percent[1]) / 100:g}"
    if '"' in value or "\\" in value or value[0] in "[{":
        return ""
    parts = [part.strip() for part in value.split(",")]
    if len(parts) > 1 and all(parts):
        return "; write [" + ", ".join(f'"{part}"' for part in parts) + "]"
    return f'; write "{value}"'
