"""Fields of a record: text, words, tags, spans, pictures, whatever they are called."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from mmseq.contracts.example import OPEN
from mmseq.data.importing.documents import CharSpan, Content, Naming, Place
from mmseq.data.importing.json_files import shown
from mmseq.data.json_fields import DOCUMENT, OTHERS, bare
from mmseq.data.tags import is_tag
from mmseq.errors import UserError, did_you_mean

ROLES: Mapping[str, Collection[str]] = {
    "text": ("text", "sentence", "content", "text_snippet"),
    # A word, a text: in tables they are another thing.
    "tokens": OTHERS["tokens"] - {"word", "token", "text", "sentence"},
    "tags": OTHERS["tags"],
    "spans": ("spans", "entities", "entity_annotations", "labels", "label"),
    "image": OTHERS["images"] - DOCUMENT,
    "id": ("id", "guid", "sentence_id", "tweet_id"),
}
"""Role -> names that are read for it where `--column` names none; capitals, ``_`` and ``-`` make no
difference"""
PROPER = {"tokens": "tokens", "tags": "tags", "image": "images"}
"""Roles of which a field with this very name is taken, whatever others there are"""

STARTS = (
    "startchar", "startoffset", "start", "begin", "beginoffset", "startposition", "startindex",
    "startidx", "startpos", "offset",
)  # fmt: skip
ENDS = (
    "endchar", "endoffset", "end", "endposition", "endindex", "endidx", "endpos",
)  # fmt: skip
TYPES = (
    "label", "labels", "entitygroup", "entitytype", "type", "tag", "category", "class", "entity",
)  # fmt: skip
"""Names in small letters, without ``_`` and ``-``, the likeliest first"""


def field_of(
    role: str,
    present: Collection[str],
    naming: Naming,
    place: Place,
    names: Iterable[str] | None = None,
    fits: Callable[[str], bool] | None = None,
) -> str | None:
    """The field for a role among those `present`: the one that the user names, or the only one
    with a name of `names`, by default those of `ROLES`; of several, those whose value `fits`. None:
    there is none, or the user says so by an empty name.

    `UserError` where two could be meant, and where there is none of the name that the user gives.
    """
    if role in naming.columns:
        named = naming.columns[role]
        if not named:
            return None
        if named not in present:
            hint = did_you_mean(named, present)
            raise UserError(
                f"{place}: no field '{named}' (--column {role}={named}).{hint} There are: "
                f"{', '.join(present) or 'none'}."
            )
        return named
    taken = set(naming.columns.values())
    if (proper := PROPER.get(role)) in present and proper not in taken:
        return proper
    known = {bare(name) for name in names or ROLES[role]}
    found = [name for name in present if bare(name.strip()) in known and name not in taken]
    if len(found) > 1 and fits is not None:
        found = [name for name in found if fits(name)] or found
    if len(found) > 1:
        listed = " and ".join(f"'{name}'" for name in found)
        raise UserError(
            f"{place}: {listed} may both be the {role}; say which: --column {role}={found[0]}."
        )
    return found[0] if found else None


def tag_names(values: Iterable[Any], place: Place, field: str, naming: Naming) -> tuple[str, ...]:
    """Tags as strings: numbers by the user's names, null as an open word. `UserError` for numbers
    without names, and for what is no tag.
    """
    names = []
    for value in values:
        number = value
        if isinstance(value, str) and re.fullmatch(r"\d+(\.0)?", value.strip()) and naming.tags:
            number = int(float(value))
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if isinstance(number, int) and not isinstance(number, bool):
            if not naming.tags:
                raise UserError(
                    f"{place}: '{field}' holds numbers; say what they mean, in order from 0: "
                    "--tag-names O,B-PER,I-PER,…"
                )
            if not 0 <= number < len(naming.tags):
                raise UserError(
                    f"{place}: '{field}' holds {number}, but --tag-names has {len(naming.tags)} "
                    "names, from 0 on; give them all."
                )
            names.append(naming.tags[number])
        elif value is None:
            names.append(OPEN)
        elif isinstance(value, str) and value.strip():
            names.append(value.strip())
        else:
            raise UserError(f"{place}: '{field}' holds {shown(value)}, which is not a tag.")
    return tuple(names)


def images_of(value: Any, place: Place, field: str) -> tuple[str | Content, ...]:
    """Names of pictures: a list, one name, or several with ``;`` between; or a picture itself, as a
    ``data:`` URL.
    """
    if value is None:
        return ()
    if isinstance(value, str) and value.startswith("data:"):
        return (_embedded(value, place, field),)
    if isinstance(value, str):
        value = value.strip()
        listed = list_of(value, place, field) if value.startswith("[") else value.split(";")
    else:
        listed = value if isinstance(value, list) else [value]
    found: list[str | Content] = []
    for entry in listed:
        if isinstance(entry, Content):
            found.append(entry)
        elif isinstance(entry, str | int) and not isinstance(entry, bool):
            if text := str(entry).strip():
                found.append(text)
        else:
            raise UserError(f"{place}: '{field}' holds {shown(entry)}, which is no picture's name.")
    return tuple(found)


def _embedded(url: str, place: Place, field: str) -> Content:
    head, _, code = url.partition(",")
    kind = re.match(r"data:image/([a-z0-9]+)[^,]*;base64$", head)
    try:
        content = base64.b64decode(code, validate=True)
    except ValueError:
        content = b""
    if kind is None or not content:
        raise UserError(f"{place}: '{field}' is a data: URL that holds no picture in base64.")
    return Content(f"{hashlib.sha256(content).hexdigest()[:16]}.{kind[1]}", content)


def spans_of(value: Any, place: Place, field: str) -> Iterable[CharSpan]:
    """Spans written as ``[start, end, type]`` or as objects; one with two types is two spans."""
    for number, entry in enumerate(list_of(value, place, field), 1):
        where = f"{place}: '{field}', entry {number}"
        if isinstance(entry, dict):
            start, end, kind = (_first(entry, names) for names in (STARTS, ENDS, TYPES))
            length = _first(entry, ("length",))
            if end is None and isinstance(start, int) and isinstance(length, int):
                end = start + length
            if None in (start, end, kind):
                raise UserError(
                    f"{where} has {', '.join(map(repr, entry)) or 'nothing'}; name its first "
                    "character start, the one after its last end, and its type label."
                )
            text = entry.get("text", entry.get("word"))
        elif isinstance(entry, list | tuple) and len(entry) == 3:
            (start, end, kind), text = entry, None
        else:
            raise UserError(
                f"{where} is {shown(entry)}; write [start, end, type] or an object with these."
            )
        yield from spans_with(start, end, kind, text, where)


def spans_with(start: Any, end: Any, kinds: Any, text: Any, where: str) -> Iterable[CharSpan]:
    """A span for each of its types. `UserError` for what are not characters, or no type."""
    for value, name in ((start, "start"), (end, "end")):
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(
                f"{where}: its {name} is {shown(value)}; give the number of a character."
            )
    for kind in kinds if isinstance(kinds, list | tuple) else [kinds]:
        if isinstance(kind, int) and not isinstance(kind, bool):
            raise UserError(
                f"{where}: its type is the number {kind}; export the names of the types."
            )
        if not isinstance(kind, str) or not is_tag(f"B-{kind.strip()}"):
            raise UserError(
                f"{where}: its type is {shown(kind)}; give it a name without hyphens at its ends."
            )
        yield CharSpan(start, end, kind.strip(), text if isinstance(text, str) else None)


def _first(entry: Mapping[str, Any], names: Iterable[str]) -> Any:
    known = {bare(name): value for name, value in entry.items()}
    return next((known[name] for name in names if known.get(name) is not None), None)


def seems_spans(value: Any) -> bool:
    """Whether a field holds what spans are written as."""
    if not isinstance(value, list) or not value:
        return False
    return all(map(_seems_span, value))


def _seems_span(one: Any) -> bool:
    if isinstance(one, Mapping):
        return _first(one, STARTS) is not None and _first(one, TYPES) is not None
    whole = isinstance(one, list) and len(one) == 3 and isinstance(one[2], str)
    return whole and all(isinstance(place, int) for place in one[:2])


def strings_of(value: Any, place: Place, field: str) -> tuple[str, ...]:
    """A list of strings, also one written in a cell; `UserError` for anything else."""
    found = list_of(value, place, field)
    for index, entry in enumerate(found):
        if not isinstance(entry, str):
            raise UserError(
                f"{place}: '{field}', entry {index + 1} is {shown(entry)}; make it a string."
            )
    return tuple(found)


def list_of(value: Any, place: Place, field: str) -> list[Any]:
    """A list, also one written in a cell."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("["):
            return text.split()
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list):
                return found
    raise UserError(f"{place}: '{field}' is {shown(value)}; make it a list.")
