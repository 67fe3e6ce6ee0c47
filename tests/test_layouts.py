"""Twenty drawn sentences in each of hundreds of layouts of column files: none is read otherwise."""

import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from mmseq.data.splits import load_file
from mmseq.errors import UserError

_spec = spec_from_file_location("layouts", Path(__file__).parent / "support" / "layouts.py")
made = sys.modules["layouts"] = module_from_spec(_spec)  # dataclasses look their module up
_spec.loader.exec_module(made)

NUMBER = 400
EACH = 20


def drawn(layout, seed):
    """Sentences that can be written so."""
    return made.sentences(random.Random(seed), EACH, spaced=layout.separator == "tab")


def loaded(path, layout, content, **other):
    path.write_bytes(content)
    options = {"columns": made.COLUMNS[layout.columns], "scheme": made.SCHEMES[layout.scheme]}
    return load_file(path, **{**options, **other})


def test_sentences_words_and_tags_are_those_that_were_drawn(tmp_path):
    chosen = made.layouts(NUMBER, seed=1)
    counted = {"layouts": 0, "sentences": 0, "words": 0}
    wrong = []
    for seed, layout in enumerate(chosen):
        sentences = drawn(layout, seed)
        right = [made.expected(sentence) for sentence in sentences]
        split = loaded(tmp_path / "a.txt", layout, made.written(layout, sentences))
        found = [(example.tokens, example.tags) for example in split.examples]
        wrong += [layout] if found != right else []
        counted["layouts"] += 1
        counted["sentences"] += len(found)
        counted["words"] += sum(len(words) for words, _ in found)
    assert wrong == []
    assert (counted["layouts"], counted["sentences"]) == (NUMBER, NUMBER * EACH)
    assert counted["words"] > 5 * NUMBER


def spoiled(layout, sentences):
    """`what`, content and options: files that no reading can be right for."""
    content = made.written(layout, sentences)
    end = layout.end.encode()
    lines = content.split(end)
    words = [i for i, line in enumerate(lines) if line.count(b"NN") and line.count(b"_")]
    if len(words) > 1:
        cut = [*lines]
        cut[words[-1]] = cut[words[-1]].replace(b"NN", b"", 1).replace(b"\t\t", b"\t")
        yield "a column is gone", end.join(cut), {}
    if layout.columns.startswith("index"):
        yield "columns are not named", content, {"columns": None}
    if layout.scheme == "io" and any(p != "O" for s in sentences for _, p, _ in s):
        yield "io is not named", content, {"scheme": "auto"}
    if layout.separator == "tab" and layout.columns == "word tag" and layout.mark == "none":
        for mark in (",", ";", "|", "\xa0"):
            glued = content.replace(b"\t", mark.encode())
            if layout.documents == "none" and made.SPACED.encode() not in content:
                yield f"separated by {mark!r}", glued, {}


def test_what_cannot_be_read_is_one_line_of_file_and_place(tmp_path):
    told = {}
    for seed, layout in enumerate(made.layouts(NUMBER, seed=2)):
        for what, content, options in spoiled(layout, drawn(layout, seed)):
            with pytest.raises(UserError) as caught:
                loaded(tmp_path / "a.txt", layout, content, **options)
            message = str(caught.value)
            assert message.startswith(f"{tmp_path / 'a.txt'}:"), what
            assert "\n" not in message
            told[what] = told.get(what, 0) + 1
    assert sum(told.values()) > 150
    assert set(told) >= {"a column is gone", "columns are not named", "io is not named"}
