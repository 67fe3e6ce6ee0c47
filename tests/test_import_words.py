"""From spans of characters to words with tags, and back."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from mmseq.data.importing.documents import CharSpan, Document, Place
from mmseq.data.importing.report import Report
from mmseq.data.importing.words import Cutting, sentences
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.splitter import Splitter
from mmseq.data.tags import spans as entities_of
from mmseq.errors import UserError

PLACE = Place(Path("a.jsonl"), 3)


def document(text, *spans, **more):
    return Document(PLACE, text, tuple(CharSpan(*span) for span in spans), id="d", **more)


def places(base):
    splitter = Splitter(base)
    return lambda text: [(word.start, word.end) for word in splitter.split(text)]


def imported(doc, base="tweet", inside="cut", lines=False):
    report = Report(inside=inside)
    found = list(sentences(doc, Cutting(places(base), inside, lines), report))
    return found, report


def pairs(words):
    return list(zip(words.tokens, words.tags, strict=True))


def test_spans_become_tags_of_their_words():
    found, report = imported(document("Anna lives in New York.", (0, 4, "PER"), (14, 22, "LOC")))
    assert [pairs(words) for words in found] == [
        [("Anna", "B-PER"), ("lives", "O"), ("in", "O"), ("New", "B-LOC"), ("York", "I-LOC"),
         (".", "O")]
    ]  # fmt: skip
    assert report.counts == Counter()
    assert report.spans == 2


def test_neighbours_of_one_type_stay_two():
    found, _ = imported(document("Anna Bob", (0, 4, "PER"), (5, 8, "PER")))
    assert found[0].tags == ("B-PER", "B-PER")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("cut", [("pre", "O"), ("Oslo", "B-LOC"), ("ish", "O"), ("day", "O")]),
        ("widen", [("preOsloish", "B-LOC"), ("day", "O")]),
        ("drop", [("preOsloish", "O"), ("day", "O")]),
    ],
)
def test_a_span_inside_a_word_is_told_and_treated_as_asked(inside, expected):
    found, report = imported(document("preOsloish day", (3, 7, "LOC")), inside=inside)
    assert pairs(found[0]) == expected
    assert report.counts == {"cutting": 1}
    assert report.places["cutting"] == ["a.jsonl:3: 'Oslo' in 'preOsloish'"]


def test_two_spans_in_one_word():
    both = document("AnnaBob", (0, 4, "PER"), (4, 7, "PER"))
    assert pairs(imported(both)[0][0]) == [("Anna", "B-PER"), ("Bob", "B-PER")]
    widened, report = imported(both, inside="widen")
    assert pairs(widened[0]) == [("AnnaBob", "B-PER")]
    assert report.counts == {"cutting": 2, "overlapping": 1}


def test_of_overlapping_spans_the_first_and_longest_stays():
    text = "New York Times building"
    found, report = imported(
        document(text, (0, 8, "LOC"), (0, 14, "ORG"), (9, 23, "LOC"), (0, 14, "ORG"))
    )
    assert pairs(found[0]) == [
        ("New", "B-ORG"), ("York", "I-ORG"), ("Times", "I-ORG"), ("building", "O")
    ]  # fmt: skip
    assert report.counts == {"overlapping": 2, "repeated": 1}
    assert report.places["overlapping"] == [
        "a.jsonl:3: 'New York' LOC in 'New York Times' ORG",
        "a.jsonl:3: 'Times building' LOC in 'New York Times' ORG",
    ]


def test_white_space_is_no_part_of_a_span_and_none_alone_is_one():
    found, report = imported(document("an  Oslo ", (2, 9, "LOC"), (2, 4, "X"), (9, 9, "Y")))
    assert pairs(found[0]) == [("an", "O"), ("Oslo", "B-LOC")]
    assert report.counts == {"spaces": 1, "empty": 2}


@pytest.mark.parametrize("span", [(0, 30, "X"), (-1, 2, "X"), (3, 2, "X")])
def test_a_span_outside_the_text_is_an_error_with_its_place(span):
    with pytest.raises(UserError, match=r"^a.jsonl:3: the span"):
        imported(document("Anna ran", span))


def test_emoji_that_count_twice_are_found_by_what_the_file_says_stands_there():
    text = "\U0001f600 Anna in Oslo"
    twice = document(text, (3, 7, "PER", "Anna"), (11, 15, "LOC", "Oslo"))
    found, report = imported(twice)
    assert pairs(found[0]) == [
        ("\U0001f600", "O"), ("Anna", "B-PER"), ("in", "O"), ("Oslo", "B-LOC")
    ]  # fmt: skip
    assert report.counts == {"utf16": 1}
    once = document(text, (2, 6, "PER", "Anna"))
    assert imported(once)[1].counts == Counter()


def test_what_the_file_says_otherwise_is_an_error():
    with pytest.raises(UserError, match="is 'Anna' in the text, but the file says 'Otto'"):
        imported(document("Anna ran", (0, 4, "PER", "Otto")))


def test_lines_are_sentences_and_spans_hold_them_together():
    text = "Anna ran\n\nNew\nYork sleeps\r\nOslo"
    found, _ = imported(document(text, (10, 18, "LOC")), lines=True)
    assert [(words.id, words.tokens) for words in found] == [
        ("d-1", ("Anna", "ran")),
        ("d-2", ("New", "York", "sleeps")),
        ("d-3", ("Oslo",)),
    ]
    assert found[1].tags == ("B-LOC", "I-LOC", "O")
    assert {words.extras["document"] for words in found} == {"d"}
    whole, _ = imported(document(text))
    assert len(whole) == 1
    assert "document" not in whole[0].extras


def test_words_of_the_file_are_taken():
    own = document("don't go", (0, 5, "X"), words=((0, 2), (2, 5), (6, 8)))
    assert pairs(imported(own)[0][0]) == [("do", "B-X"), ("n't", "I-X"), ("go", "O")]


def test_a_text_without_words_is_left_out_and_told():
    found, report = imported(document(" \n\t"))
    assert found == []
    assert report.counts == {"wordless": 1}


ALPHABET = ["a", "B", "é", "e\u0301", "ß", "1", " ", " ", "  ", "\n", ".", ",", "'", "#", "@", "-",
            "&amp;", "北", "京", "\U0001f600", "\u200d", "\u00a0", "ไ", "ท"]  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_drawn_spans_come_back_from_words(base):
    """What is asked for and what the words say: equal, character by character, for 300 texts."""
    rng, seen = Random(base), 0
    for _ in range(300):
        text = "".join(rng.choices(ALPHABET, k=rng.randrange(1, 40)))
        wanted = []
        end = 0
        while end < len(text) and rng.random() < 0.8:
            start = rng.randrange(end, len(text))
            end = rng.randrange(start, len(text)) + 1
            stretch = text[start:end]
            if stretch and stretch == stretch.strip():
                wanted.append((start, end, rng.choice(["PER", "LOC"])))
        for lines in (False, True):
            how = Cutting(places(base), "cut", lines)
            found = list(sentences(document(text, *wanted), how, Report()))
            words = [word for sentence in found for word in sentence.tokens]
            tags = [tag for sentence in found for tag in sentence.tags]
            at, came = 0, []
            begins, ends = [], []
            for word in words:
                at = text.index(word, at)
                assert not text[ends[-1] if ends else 0 : at].strip()
                begins.append(at)
                at += len(word)
                ends.append(at)
            for start, end, kind in entities_of(tags):
                came.append((begins[start], ends[end - 1], kind))
            assert came == wanted
            assert not text[at:].strip()
            seen += len(came)
    assert seen > 300
