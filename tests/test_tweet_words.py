"""Words as nltk's tweet tokenizer takes them: the same, however long the string, in good time."""

import random
import time

import pytest
from nltk.tokenize.casual import TweetTokenizer

from mmseq.data import tweet_words as module
from mmseq.data.splitter import split_words
from mmseq.data.tweet_words import tweet_words

PIECES = [
    *("#", "##", "#" * 300, "-", "-" * 10, "-" * 300, "<", "<~", "<" * 40, "<a", "<-", "<3"),
    *(">", "->", "<>", "a", "ab", "_", "'", "1", ".com/", "x.com/a", ".", "@", "a@b.c", "é", "我"),
    *("\u200d", "👍", "🏽", "🇩🇪", "\u0301", ":", ":-", ")", "=", "+", "a" * 70, "-" * 260),
    *("<\u200dx", "<" + "\u200dx" * 40, " ", "\xa0", "\x1c", "\x85", "http://"),
]


def definition(text):
    return [match.span() for match in TweetTokenizer().WORD_RE.finditer(text)]


@pytest.mark.parametrize("seed", range(4))
def test_long_strings_are_cut_as_the_pattern_cuts_them(seed, monkeypatch):
    """Strings of few and of many kinds of pieces, all of which are looked at as long ones."""
    monkeypatch.setattr(module, "_SHORT", 0)
    draw = random.Random(seed)
    for _ in range(400):
        pieces = draw.sample(PIECES, draw.choice((2, 4, len(PIECES))))
        text = "".join(draw.choices(pieces, k=draw.choice((3, 8, 20))))[:1200]
        assert tweet_words(text) == definition(text), text


@pytest.mark.parametrize("beginning", ["#", "a#", "<", "-", "x-"])
@pytest.mark.parametrize("end", ["", ">", "a", "ab", ".com/x", "@b.org", "\u200dx", "🏽", " ->"])
def test_runs_of_all_lengths_about_which_the_pattern_looks_far(beginning, end):
    sign = beginning[-1]
    for length in (1, 2, 199, 255, 256, 257, 258, 400):
        text = beginning + sign * length + end
        assert tweet_words(text) == definition(text)


@pytest.mark.parametrize("piece", ["#", "<", "<~", "<a", "-", "-<", "&lt;", "#-", "🏽"])
def test_eight_times_as_long_takes_about_eight_times_as_long(piece):
    """By the square of the length it would be 64 times."""

    def seconds(length):
        text = piece * (length // len(piece))
        taken = []
        for _ in range(3):
            started = time.process_time()
            split_words(text, "tweet")
            taken.append(time.process_time() - started)
        return min(taken)

    seconds(2000)
    assert seconds(32_000) < 24 * seconds(4000)
