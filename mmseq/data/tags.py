"""Tags: their parts, their schemes, and the entities they mark.

Inside `mmseq` tags are BIO: ``B-X`` opens an entity of type X, ``I-X`` continues it, ``O`` is
outside. Files may be written in BIOES (or BILOU, BMES, BMEWO: the same with other letters), in IOB1
or in IO, which has types alone, and are converted when loaded.

``?`` leaves a word open: it may have any tag. What a tag beside it means is read off the sentences
that a scheme allows, and where these differ, it is left open too: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from mmseq.contracts.example import OPEN

Scheme = Literal["bio", "bioes", "bmes"]

TAG_FORM = "write O, or B-, I- (BIOES: E-, S-) and a type, such as B-PER"
"""What to do about a tag that is none, in messages"""

_OPENS_ALONE = "SUW"
_CLOSES = "ESLUW"
_PREFIXES = "BIM" + _CLOSES


@lru_cache(maxsize=4096)
def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag: ``("B", "LOC")``; of ``O``: ``("O", "")``; of an open word: ``("?",
    "")``.

    Split at the first hyphen, so that a type may hold hyphens itself. `ValueError` if the tag is
    not valid (`is_tag`).
    """
    if tag in ("O", OPEN):
        return tag, ""
    prefix, hyphen, kind = tag.partition("-")
    if len(prefix) != 1 or prefix not in _PREFIXES or not hyphen or kind != kind.strip("- \t"):
        raise ValueError(f"'{tag}' is not a tag")
    if not kind:
        raise ValueError(f"'{tag}' has no type")
    return prefix, kind


def is_tag(tag: str) -> bool:
    """Whether `tag` is ``O``, ``?``, or one of ``BIESLUMW``, a hyphen and a type.

    A type neither begins nor ends with a hyphen or a space (seqeval's two readings would differ).
    """
    try:
        split_tag(tag)
    except ValueError:
        return False
    return True


def detect_scheme(sentences: Iterable[Sequence[str]]) -> Scheme:
    """``bmes`` if any tag is of BMES or BMEWO alone (M, W), ``bioes`` if any is of BIOES or BILOU
    (E, S, L, U), else ``bio``.

    IOB1 cannot be distinguished from BIO with orphan ``I-`` tags: the user must name it.
    """
    prefixes = {split_tag(tag)[0] for tags in sentences for tag in tags}
    if prefixes & set("MW"):
        return "bmes"
    return "bioes" if prefixes & set(_CLOSES) else "bio"


def bioes_to_bio(tags: Sequence[str]) -> tuple[str, ...]:
    """BIOES, BILOU, BMES or BMEWO to BIO: S, U and W open an entity, M, E and L continue one.

    After a tag that closes an entity, a stray I, E or L opens the next one, as seqeval reads it.
    After an open word it continues one: BIOES has it nowhere else.
    """
    converted = []
    closed = False
    for tag in tags:
        prefix, kind = split_tag(tag)
        if not kind:
            converted.append(tag)
        else:
            opens = prefix == "B" or prefix in _OPENS_ALONE or closed
            converted.append(f"{'B' if opens else 'I'}-{kind}")
        closed = prefix in _CLOSES
    return tuple(converted)


def iob1_to_bio(tags: Sequence[str]) -> tuple[str, ...]:
    """IOB1 to BIO: ``I-X`` opens an entity unless the tag before is of type X too.

    After an open word it may do either, and is left open.
    """
    converted = []
    before = ("", "")
    for tag in tags:
        prefix, kind = split_tag(tag)
        if prefix == "I" and kind != before[1]:
            converted.append(OPEN if before[0] == OPEN else f"B-{kind}")
        else:
            converted.append(tag)
        before = (prefix, kind)
    return tuple(converted)


def io_to_bio(tags: Sequence[str]) -> tuple[str, ...]:
    """IO to BIO: neighbours of one type are one entity; after an open word a type is left open.

    A tag is a type, or ``I-`` and a type.
    """
    inside = (t if t in ("O", OPEN) or t.startswith("I-") else f"I-{t}" for t in tags)
    return iob1_to_bio(tuple(inside))


def map_types(tags: Sequence[str], mapping: Mapping[str, str]) -> tuple[str, ...]:
    """BIO tags with types renamed; to ``O`` drops the type.

    Where two types become one, an ``I-`` tag that opened an entity after another type becomes
    ``B-``, so that neighbours do not melt into one. Open words stay open.
    """
    mapped = []
    before = ""
    for tag in tags:
        prefix, kind = split_tag(tag)
        target = mapping.get(kind, kind)
        if tag == OPEN:
            mapped.append(tag)
        elif prefix == "O" or target == "O":
            mapped.append("O")
        elif prefix == "I" and before not in ("", kind) and mapping.get(before, before) == target:
            mapped.append(f"B-{target}")
        else:
            mapped.append(f"{prefix}-{target}")
        before = kind
    return tuple(mapped)


def label_names(types: Iterable[str]) -> tuple[str, ...]:
    """All tags for these types, index = id: ``("O", "B-LOC", "I-LOC", …)``, sorted by type."""
    return ("O", *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in "BI"))


def orphans(tags: Sequence[str]) -> list[int]:
    """Indexes of BIO tags ``I-X`` that follow neither ``B-X`` nor ``I-X``, nor an open word."""
    found = []
    before = ""
    for index, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        if prefix == "I" and before not in (f"B-{kind}", tag, OPEN):
            found.append(index)
        before = tag
    return found


def repair(tags: Sequence[str]) -> tuple[str, ...]:
    """BIO tags with every orphan ``I-X`` made ``B-X``: the reading of IOB1."""
    alone = set(orphans(tags))
    return tuple(f"B-{tag[2:]}" if i in alone else tag for i, tag in enumerate(tags))


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Entities of BIO tags as (first word, word after the last, type).

    Read as seqeval does by default (and conlleval did): an orphan ``I-X`` opens an entity. One that
    may go on in an open word beside it is not among them.
    """
    found = []
    start, open_kind = 0, ""
    for index, tag in enumerate((*tags, "O")):
        prefix, kind = split_tag(tag)
        if open_kind and (prefix != "I" or kind != open_kind):
            begun = start == 0 or tags[start - 1] != OPEN or tags[start].startswith("B")
            if begun and tag != OPEN:
                found.append((start, index, open_kind))
            open_kind = ""
        if kind and not open_kind:
            start, open_kind = index, kind
    return found
