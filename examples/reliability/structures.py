"""Files made from nothing by hypothesis: records, rows, tables and texts that are nearly right."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BYTES = 8192
"""That hypothesis makes one value of; those that are too few for it give none"""
TRIES = 50


class Stream:
    """The values of a strategy by number, without end; equal names give equal values.

    Made of bytes by `fuzz_one_input`: what hypothesis draws by itself depends on which modules are
    imported.
    """

    def __init__(self, strategy: st.SearchStrategy[Any], name: str) -> None:
        self._name = name
        self._found: list[Any] = []

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def collect(value: Any) -> None:
            self._found.append(value)

        self._take: Callable[[bytes], Any] = collect.hypothesis.fuzz_one_input

    def __getitem__(self, number: int) -> Any:
        draw = Random(f"{self._name} {number}")
        self._found.clear()
        for _ in range(TRIES):
            self._take(draw.randbytes(BYTES))
            if self._found:
                return self._found[0]
        raise ValueError(f"no value of {self._name} in {TRIES} tries")


# Most of Unicode is rare letters; what matters to readers is not.
letters = st.one_of(
    st.characters(max_codepoint=127),
    st.sampled_from("\x00\x1b\x85\xa0\xad\u0301\u200b\u200d\u2028\u202e\u3000\ufeff\uffff東ßİ😀"),
    st.characters(),
)


def text(most: int) -> st.SearchStrategy[str]:
    """Up to so many characters."""
    return st.text(letters, max_size=most)


words = st.one_of(
    st.sampled_from(["Anna", "was", "in", "New", "York", "#oslo", "@li", "http://t.co/x", "東京"]),
    text(12),
)
tags = st.one_of(
    st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "M-PER", "PER"]),
    text(6),
    st.integers(-1, 9),
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), text(20), tags
)
json_values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(text(8), inner, max_size=4)
    ),
    max_leaves=8,
)
pictures = st.one_of(st.sampled_from(["train0.png", "absent.png", "../x.png", "/dev/zero", ""]))
spans = st.lists(
    st.one_of(
        st.tuples(st.integers(-2, 30), st.integers(-2, 30), tags).map(list),
        st.fixed_dictionaries(
            {"start": st.integers(-2, 30), "end": st.integers(-2, 30), "label": tags}
        ),
        json_values,
    ),
    max_size=4,
)
NAMES = (
    "tokens", "words", "sentence", "text", "id", "tags", "ner_tags", "labels", "images",
    "image", "photo", "entities", "spans", "meta", "data", "annotations", "label", "start",
    "end",
)  # fmt: skip


@st.composite
def sentences(draw: st.DrawFn) -> dict[str, Any]:
    """A record of a sentence: most are right but for one thing."""
    tokens = draw(st.lists(words, max_size=6))
    found: dict[str, Any] = {"tokens": tokens, "tags": [draw(tags) for _ in tokens]}
    if draw(st.booleans()):
        found["images"] = draw(st.one_of(st.lists(pictures, max_size=3), pictures, json_values))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        found[name] = draw(st.one_of(json_values, spans))
    for name in draw(st.lists(st.sampled_from([*found]), max_size=1)):
        del found[name]
    return found


@st.composite
def annotated_texts(draw: st.DrawFn) -> dict[str, Any]:
    """A record as tools of annotation export it: a text and spans in it."""
    said = draw(st.one_of(st.just("Anna was in New York"), text(30)))
    field = draw(st.sampled_from(["text", "data"]))
    under = draw(st.sampled_from(["label", "labels", "spans", "entities", "annotations"]))
    found: dict[str, Any] = {field: said, under: draw(spans)}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        found[name] = draw(json_values)
    return found


json_lines = st.lists(st.one_of(sentences(), json_values), min_size=1, max_size=4).map(
    lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
)
text_lines = st.lists(st.one_of(annotated_texts(), json_values), min_size=1, max_size=4)
text_json_lines = text_lines.map(
    lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
)
text_json = st.one_of(text_lines, annotated_texts(), json_values).map(
    lambda value: json.dumps(value).encode()
)


@st.composite
def columns(draw: st.DrawFn) -> bytes:
    """A file of columns: sentences between empty lines, mostly as many columns in each row."""
    gap = draw(st.sampled_from(["\t", " ", "  ", ","]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    width = draw(st.integers(1, 4))
    cells = st.one_of(
        words, tags.map(str), st.sampled_from(["IMGID:train0", "-DOCSTART-", "#", ""])
    )
    row = st.lists(cells, min_size=width, max_size=width) | st.lists(cells, max_size=5)
    rows = draw(st.lists(row.map(gap.join) | st.just(""), max_size=8))
    return end.join(rows).encode("utf-8", "surrogatepass")


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A table of a sentence or a word a row, with a first line of names."""
    gap = draw(st.sampled_from([",", ",", ";", "\t"]))
    names = draw(st.lists(st.sampled_from([*NAMES, "word", "tag", "document"]), max_size=4))
    quoted = words.map(lambda word: '"{}"'.format(word.replace('"', '""')))
    whole = json_values.map(lambda value: json.dumps(value).replace('"', '""')).map('"{}"'.format)
    cells = st.one_of(words, tags.map(str), quoted, whole)
    rows = draw(st.lists(st.lists(cells, max_size=len(names) + 1).map(gap.join), max_size=5))
    return "\n".join([gap.join(names), *rows]).encode("utf-8", "surrogatepass")


texts = st.one_of(st.lists(st.one_of(words, text(40)), max_size=8).map("\n".join), text(200)).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
