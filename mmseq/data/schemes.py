"""Tagging schemes: which one a file's tags follow, and its sentences in BIO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mmseq.contracts.example import OPEN, Example
from mmseq.data import tags as tagging
from mmseq.errors import UserError

SchemeOption = Literal["auto", "bio", "bioes", "iob1"]

CONVERSIONS = {"bioes": tagging.bioes_to_bio, "iob1": tagging.iob1_to_bio}
"""Schemes that are not BIO already -> a sentence's tags in BIO"""


def scheme_of(
    examples: Iterable[Example],
    scheme: SchemeOption,
    path: Path,
    where: Callable[[Example, int], str],
) -> str:
    """The scheme of a file's tags, ``none`` without; `scheme` is what the user says it is, `where`
    gives the place of a word.

    `UserError` for a file without a sentence, and for what a plugin's reader let through: not a
    tag, not one a word, or not of the scheme.
    """
    seen: dict[str, str] = {}
    any_sentence = any_tags = False
    for example in examples:
        any_sentence = True
        words, tags = len(example.tokens), example.tags or ()
        any_tags = any_tags or example.tags is not None
        if tags and len(tags) != words:
            raise UserError(
                f"{example.where}: {words} words but {len(tags)} tags; give every word a tag."
            )
        for index, tag in enumerate(tags):
            if tag in seen:
                continue
            seen[tag] = place = where(example, index)
            if not tagging.is_tag(tag):
                raise UserError(f"{place}: '{tag}' is not a tag; {tagging.TAG_FORM}.")
    if not any_sentence:
        raise UserError(f"{path}: holds no sentence; fill it or remove it.")
    if not any_tags:
        return "none"
    detected = tagging.detect_scheme([tuple(seen)])
    if scheme in ("bio", "iob1") and detected == "bioes":
        tag, place = next((t, w) for t, w in seen.items() if t[0] not in ("O", "B", "I", OPEN))
        raise UserError(
            f"{place}: tag '{tag}' is not of scheme {scheme}; set the scheme (data.scheme, "
            "--scheme) to bioes or auto."
        )
    return detected if scheme == "auto" else scheme


def as_bio(examples: Iterable[Example], scheme: str) -> Iterable[Example]:
    """Sentences with tags of a scheme, with tags in BIO."""
    if scheme not in CONVERSIONS:
        return examples
    convert = CONVERSIONS[scheme]
    return (replace(e, tags=e.tags and convert(e.tags)) for e in examples)
