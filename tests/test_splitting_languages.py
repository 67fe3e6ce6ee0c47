"""What comes back in other languages than English: learned on one half of a few sentences, counted
on the other.
"""

import re
from pathlib import Path

import pytest

from mmseq.contracts.example import Example
from mmseq.data.splitting.choosing import choose_splitter
from mmseq.data.splitting.returning import come_back, texts_of

FOLDER = Path(__file__).parent / "support" / "raw_text"


def sentence(line):
    """``[PER Anna Müller] wohnt in [LOC Köln] .``: entities in brackets, words apart."""
    tokens, tags = [], []
    for part in re.findall(r"\[\w+ [^\]]*\]|\S+", line):
        entity = re.fullmatch(r"\[(\w+) ([^\]]*)\]", part)
        words = entity[2].split() if entity else [part]
        tokens += words
        tags += [f"{'I' if i else 'B'}-{entity[1]}" if entity else "O" for i in range(len(words))]
    return Example(tuple(tokens), tuple(tags))


def halves(language):
    text = (FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    return [[sentence(line) for line in half.splitlines()] for half in text.split("\n--\n")]


@pytest.mark.parametrize(
    ("language", "base", "written", "spaced"),
    [
        # The number 3.5 is the first of its kind.
        ("chinese", "characters", (11, 21), (11, 21)),
        ("hindi", "tweet", (12, 25), (12, 25)),
        ("arabic", "tweet", (12, 27), (12, 27)),
        ("thai", "characters", (12, 25), (12, 25)),
        # "Prof." is new; "96." at the end of a sentence is as "1." in "1. FC Köln".
        ("german", "tweet", (10, 25), (11, 26)),
    ],
)
def test_sentences_and_entities_that_come_back(language, base, written, spaced):
    taught, others = halves(language)
    splitter = choose_splitter(taught)
    assert splitter.base == base
    texts = [texts_of(example) for example in others]
    for expected, as_written in ((written, True), (spaced, False)):
        back = come_back(splitter.pieces, texts, written=as_written, spaced=not as_written)
        assert (back.sentences, back.entities) == expected
