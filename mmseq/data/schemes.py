"""Tagging schemes: which one a file's tags follow, and its sentences in BIO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Literal

from mmseq.contracts.example import OPEN, Example
from mmseq.data import tags as tagging
from mmseq.data.hearing import Hearing
from mmseq.data.tag_faults import kind_of, tag_fault, type_fault
from mmseq.errors import UserError

SchemeOption = Literal["auto", "bio", "bioes", "bmes", "iob1", "io"]
SCHEMES = ("auto", "bio", "bioes", "bmes", "iob1", "io")

CONVERSIONS = {
    "bioes": tagging.bioes_to_bio,
    "bmes": tagging.bioes_to_bio,
    "iob1": tagging.iob1_to_bio,
    "io": tagging.io_to_bio,
}
"""Schemes that are not BIO already -> a sentence's tags in BIO"""


def scheme_of(
    examples: Iterable[Example],
    scheme: SchemeOption,
    path: Path,
    where: Callable[[Example, int], str],
    hearing: Hearing | None = None,
) -> str:
    """The scheme of a file's tags, ``none`` without; `scheme` is what the user says it is, `where`
    gives the place of a word.

    `UserError` for a file without a sentence, for what is not a tag, not one a word, or not of the
    scheme. Where `hearing` counts faults, those of single tags are left to it.
    """
    hearing = hearing or Hearing()
    check = type_fault if scheme == "io" else tag_fault
    seen: dict[str, str] = {}
    faults: dict[str, str] = {}
    any_sentence = any_tags = False
    brat = path.with_suffix(".ann").is_file()
    hint = "".join(f" {line}" for line in hearing.hints)
    beside = " Beside it lies an .ann file: `mmseq data import brat` reads both." if brat else ""
    for example in chain(examples, hearing.aside):
        any_sentence = True
        words, tags = len(example.tokens), example.tags or ()
        any_tags = any_tags or example.tags is not None
        if tags and len(tags) != words:
            raise UserError(
                f"{example.where}: {words} words but {len(tags)} tags; give every word a tag."
            )
        for index, tag in enumerate(tags):
            if tag not in seen:
                seen[tag] = where(example, index)
                faults[tag] = check(tag)
            if faults[tag]:
                kind = kind_of(faults[tag])
                hearing.fault(where(example, index), faults[tag] + beside + hint, kind)
    if not any_sentence:
        if hearing.faults:
            return "none"
        raise UserError(f"{path}: holds no sentence; fill it or remove it.")
    if not any_tags:
        return "none"
    good = {tag: place for tag, place in seen.items() if not faults[tag]}
    if scheme == "io":
        _check_io(good)
        return scheme
    detected = tagging.detect_scheme([tuple(good)])
    if scheme in ("bio", "iob1") and detected != "bio":
        tag, place = next((t, w) for t, w in good.items() if t[0] not in ("O", "B", "I", OPEN))
        raise UserError(
            f"{place}: tag '{tag}' is not of scheme {scheme}; set the scheme (data.scheme, "
            f"--scheme) to {detected} or auto."
        )
    return detected if scheme == "auto" else scheme


def _check_io(seen: dict[str, str]) -> None:
    """`UserError` where all tags have prefixes of other schemes, or only some have ``I-``."""
    typed = [tag for tag in seen if tag not in ("O", OPEN)]
    inside = [tag for tag in typed if tag.startswith("I-")]
    other = [tag for tag in typed if not tag.startswith("I-")]
    if other and all(map(tagging.is_tag, typed)):
        raise UserError(
            f"{seen[other[0]]}: tag '{other[0]}' has a prefix, and scheme io has types alone; set "
            "the scheme (data.scheme, --scheme) to auto."
        )
    if inside and other:
        raise UserError(
            f"{seen[inside[0]]}: tag '{inside[0]}' begins with I-, but '{other[0]}' "
            f"({seen[other[0]]}) does not; write all tags of scheme io alike."
        )


def as_bio(examples: Iterable[Example], scheme: str) -> Iterable[Example]:
    """Sentences with tags of a scheme, with tags in BIO."""
    if scheme not in CONVERSIONS:
        return examples
    convert = CONVERSIONS[scheme]
    return (replace(e, tags=e.tags and convert(e.tags)) for e in examples)


def is_right(example: Example, scheme: str) -> bool:
    """Whether all its tags are some."""
    check = type_fault if scheme == "io" else tag_fault
    return not any(map(check, set(example.tags or ())))
