"""Records of whatever names: a text with spans, or words with tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmseq.data.importing.documents import (
    CharSpan,
    Content,
    Document,
    Naming,
    Place,
    Words,
)
from mmseq.data.importing.fields import (
    field_of,
    images_of,
    list_of,
    spans_of,
    strings_of,
    tag_names,
)
from mmseq.data.importing.json_files import shown
from mmseq.data.json_fields import DOCUMENT, OTHERS, SPANS, bare
from mmseq.data.picture_folder import has_picture_suffix
from mmseq.data.tags import is_tag
from mmseq.errors import UserError

WORD_SPANS = (*SPANS, "ner")
"""What others call annotations that are no tags"""


def item_of(record: Mapping[str, Any], place: Place, naming: Naming) -> Document | Words:
    """The text with spans, or the words with tags, that a record holds; the rest are extras.

    Lists may be written in a cell of a table: as JSON, as Python, words also with spaces between.
    Where a text has a tag for each word between its spaces, these are its words.
    """
    tokens = field_of("tokens", record, naming, place)
    text = field_of("text", [name for name in record if name != tokens], naming, place)
    if tokens is not None and record[tokens] is not None and "text" not in naming.columns:
        annotated = text is not None and isinstance(record[text], str)
        if not (annotated and _spans_alone(record, tokens, text, place, naming)):
            return _words(record, tokens, place, naming)
    if text is None:
        raise UserError(
            f"{place}: no text and no words among the fields ({', '.join(record) or 'none'}); say "
            "which they are: --column text=NAME, or --column tokens=NAME."
        )
    value = record[text]
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return _words(record, text, place, naming)
    if not isinstance(value, str):
        raise UserError(f"{place}: '{text}' is {shown(value)}; make it a string.")
    others = [name for name in record if name != text]
    spans = field_of("spans", others, naming, place)
    if "spans" not in naming.columns and _has_tags(record, value, others, place, naming):
        return _words(record, text, place, naming)
    if spans is None and naming.columns.get("spans") != "":
        raise UserError(
            f"{place}: no spans among the fields ({', '.join(record)}); say which they are: "
            f"--column spans=NAME, or where each word has a tag: --column tokens={text} --column "
            "tags=NAME; texts without annotations: --column spans="
        )
    found = tuple(spans_of(record[spans] or [], place, spans)) if spans else ()
    found = joined(value, found)
    images, name, extras = _rest(record, place, naming, {text, spans, tokens})
    words = None if tokens is None else _places(value, record[tokens])
    return Document(place, value, found, images, name, words, extras=extras)


def _spans_alone(
    record: Mapping[str, Any], tokens: str, text: str | None, place: Place, naming: Naming
) -> bool:
    """Whether a text that is cut into words has spans and no tags."""
    others = [name for name in record if name not in (tokens, text)]
    tags = field_of("tags", others, naming, place, OTHERS["tags"] - {"label", "labels", "ner"})
    spans = field_of("spans", others, naming, place)
    return (tags is None or record[tags] is None) and spans is not None and bool(record[spans])


def _has_tags(
    record: Mapping[str, Any], text: str, others: Collection[str], place: Place, naming: Naming
) -> bool:
    """Whether there is a tag for each word of a text."""
    number = len(text.split())
    tags = field_of(
        "tags", others, naming, place, fits=lambda name: len(_cells(record[name], number)) == number
    )
    if tags is None or record[tags] is None:
        return False
    found = _cells(record[tags], number)
    numbers = bool(naming.tags) and all(str(tag).isdecimal() for tag in found)
    one_each = len(found) == number and all(isinstance(tag, str | int | float) for tag in found)
    return one_each and ("tags" in naming.columns or numbers or all(is_tag(str(t)) for t in found))


def _places(text: str, words: Any) -> tuple[tuple[int, int], ...] | None:
    """Where the words stand in a text, one after the other; None where one does not."""
    found, end = [], 0
    for word in words if isinstance(words, list) else ():
        start = text.find(word, end) if isinstance(word, str) and word.strip() else -1
        if start < 0:
            return None
        end = start + len(word)
        found.append((start, end))
    return tuple(found) or None


def _cells(value: Any, number: int) -> list[Any]:
    """A list of so many, if that can be; a cell may have them between commas. Empty: no list."""
    try:
        found = list_of(value, Place(Path()), "")
    except UserError:
        return []
    commas = isinstance(value, str) and len(found) != number and not value.strip().startswith("[")
    parts = [part.strip() for part in str(value).split(",")] if commas else []
    return parts if len(parts) == number and all(parts) else found


def _words(record: Mapping[str, Any], tokens: str, place: Place, naming: Naming) -> Words:
    words = strings_of(record[tokens], place, tokens)
    if not words:
        raise UserError(f"{place}: '{tokens}' is empty; add its words or remove the entry.")
    for index, word in enumerate(words):
        if not word.strip():
            raise UserError(f"{place}: '{tokens}', entry {index + 1}: an empty word; remove it.")
    number, others = len(words), [name for name in record if name != tokens]
    tags = field_of(
        "tags", others, naming, place, fits=lambda name: len(_cells(record[name], number)) == number
    )
    found = None
    if tags is not None and record[tags] is not None:
        listed = _cells(record[tags], number) or list_of(record[tags], place, tags)
        found = tag_names(listed, place, tags, naming)
        if len(found) != number:
            raise UserError(
                f"{place}: {number} '{tokens}' but {len(found)} '{tags}'; give every word a tag."
            )
    elif naming.columns.get("tags") != "":
        known = {bare(name) for name in WORD_SPANS}
        if left := [name for name in others if bare(name) in known and record[name]]:
            raise UserError(
                f"{place}: words without tags, and '{left[0]}' holds {shown(record[left[0]])}: "
                "such annotations of words are not read; give every word a tag (--column "
                "tags=NAME; without annotations: --column tags=)."
            )
    images, name, extras = _rest(record, place, naming, {tokens, tags})
    return Words(place, words, found, images, name, extras)


def _rest(
    record: Mapping[str, Any], place: Place, naming: Naming, used: set[str | None]
) -> tuple[tuple[str | Content, ...], str, dict[str, Any]]:
    """Pictures, name, and what is left."""
    others = [name for name in record if name not in used]
    image = field_of("image", others, naming, place) or _named_picture(record, others)
    name = field_of("id", [other for other in others if other != image], naming, place)
    images = images_of(record[image], place, image) if image else ()
    said = "" if name is None or record[name] is None else str(record[name])
    own = {k: v for k, v in record.items() if k not in (*used, image, name) and v is not None}
    return images, said, own


def _named_picture(record: Mapping[str, Any], others: Iterable[str]) -> str | None:
    """A field ``filename`` whose value ends as pictures do."""
    for name in others:
        if bare(name) in DOCUMENT and has_picture_suffix(str(record[name])):
            return name
    return None


def joined(text: str, spans: tuple[CharSpan, ...]) -> tuple[CharSpan, ...]:
    """Spans ``B-X``, and ``I-X`` with at most white space before them, as one of type X; others as
    they are, unless all have such prefixes.
    """
    if not all(span.type[:2] in ("B-", "I-") and span.type[2:] for span in spans):
        return spans
    whole: list[CharSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        kind = span.type[2:]
        last = whole[-1] if whole else None
        goes_on = last is not None and span.type[0] == "I" and last.type == kind
        if last is not None and goes_on and not text[last.end : span.start].strip():
            whole[-1] = replace(last, end=max(last.end, span.end), text=None)
        else:
            whole.append(replace(span, type=kind))
    return tuple(whole)
