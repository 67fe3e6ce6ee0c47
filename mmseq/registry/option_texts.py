"""What a component says of each of its options: the passages of its docstring about it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\"])|(?<=\w;)\s+(?=`\w+`: )")
_NAMED = re.compile(r"(?<!`)`(\w+)`(?!`)")
_DEFINED = re.compile(r"`(\w+)`: ")


def option_texts(cls: Any, names: Iterable[str]) -> dict[str, str]:
    """Option -> its text, for those of `names` that the docstring of the class, or of one that it
    derives from, speaks of.

    A sentence that begins with `` `name`: `` tells of it, and so do those behind it, as far as
    they name no other option. Without such, the sentences that name it in backticks and tell of no
    other. Formulas are left out.
    """
    known = set(names)
    told: dict[str, str] = {}
    mentioned: dict[str, str] = {}
    for base in cls.__mro__:
        doc = vars(base).get("__doc__")
        if not isinstance(doc, str):
            continue
        found: dict[str, list[str]] = {}
        beside: dict[str, list[str]] = {}
        for paragraph in _prose(doc):
            own = ""
            for sentence in _SENTENCE.split(paragraph):
                here = known & set(_NAMED.findall(sentence))
                if (match := _DEFINED.match(sentence)) and match[1] in known:
                    own = match[1]
                    found.setdefault(own, []).append(_begun(sentence[match.end() :]))
                elif own and here <= {own}:
                    found[own].append(sentence)
                elif not sentence.endswith(":"):
                    own = ""
                    for name in here:
                        beside.setdefault(name, []).append(sentence)
        told = {**_joined(found), **told}
        mentioned = {**_joined(beside), **mentioned}
    return {**mentioned, **told}


def _prose(doc: str) -> Iterator[str]:
    """Paragraphs, each on one line, without the first line, sources, and what is indented, as
    formulas are.
    """
    _, _, rest = inspect.cleandoc(doc).partition("\n")
    for paragraph in _PARAGRAPH.split(rest):
        lines = [line for line in paragraph.splitlines() if not line.startswith((" ", "\t"))]
        text = " ".join(" ".join(lines).split())
        if text and not text.startswith("Source:"):
            yield text


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(found: dict[str, list[str]]) -> dict[str, str]:
    """Sentences as one text; what ends with a semicolon goes on with another option."""
    return {
        name: re.sub(r";$", ".", " ".join(dict.fromkeys(sentences)))
        for name, sentences in found.items()
    }
