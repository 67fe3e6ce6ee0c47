import random
import re
import time
from string import ascii_letters

import pytest
from nltk.tokenize.casual import TweetTokenizer

from mmseq.data.splitter import SPLITTERS, Word, split_words
from mmseq.errors import UserError


def words(text, name):
    return [word.text for word in split_words(text, name)]


def test_white_space_alone():
    text = "  Kevin\tDurant,\u2028at\xa0home.\n"
    found = split_words(text, "whitespace")
    assert [w.text for w in found] == ["Kevin", "Durant,", "at", "home."]
    assert [(w.start, w.end) for w in found] == [(2, 7), (8, 15), (16, 18), (19, 24)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @KDTrey5: Go #Warriors!", ["RT", "@KDTrey5", ":", "Go", "#Warriors", "!"]),
        ("see http://t.co/Z3neVBQ7vF, ok", ["see", "http://t.co/Z3neVBQ7vF", ",", "ok"]),
        ("nice :-) <3", ["nice", ":-)", "<3"]),
        ("Ted Cruz's dog", ["Ted", "Cruz", "'", "s", "dog"]),
        ("I’m 'here'", ["I", "’", "m", "'", "here", "'"]),
        ("Gordon-Levitt", ["Gordon-Levitt"]),
        ("#2 (USA)", ["#2", "(", "USA", ")"]),
        ("call 555 123 4567 now", ["call", "555", "123", "4567", "now"]),
        ("no!!!!!", ["no", "!", "!", "!", "!", "!"]),
        ("soooooo", ["soooooo"]),
        ("mail a.b@c.org", ["mail", "a.b@c.org"]),
        ("R&amp;B &lt;3 &nbsp; &foo;", ["R", "&amp;", "B", "&lt;3", "&", "foo", ";"]),
        ("Cruz&#39;s", ["Cruz", "&#39;", "s"]),
        ("Zürich/Genève", ["Zürich", "/", "Genève"]),
    ],
)
def test_tweets(text, expected):
    assert words(text, "tweet") == expected


@pytest.mark.parametrize(
    "emoji",
    [
        "❤️",
        "👩‍👩‍👧",
        "👍🏽",
        "🇩🇪",
        "❤️‍🔥",
        "1️⃣",
        "👩🏽‍🚀",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_emoji_stay_whole(emoji):
    assert words(f"go {emoji}!", "tweet") == ["go", emoji, "!"]


def test_signs_apart_from_their_names():
    text = "@KDTrey5 #NBA ##x #2 # @ _@_ :@ a@b.org"
    expected = ["@", "KDTrey5", "#", "NBA", "#", "#", "x", "#", "2", "#", "@"]
    assert words(text, "tweet-split")[:11] == expected
    assert words(text, "tweet-split")[-2:] == [":@", "a@b.org"]


@pytest.mark.parametrize("name", SPLITTERS)
def test_nothing_to_split(name):
    assert split_words("", name) == []
    assert split_words(" \t\n\u2028", name) == []


@pytest.mark.parametrize("name", SPLITTERS)
def test_words_are_slices_in_order_and_leave_only_white_space(name):
    draw = random.Random(3)
    pieces = [
        *"aB9 .,!?#@'’-_/:;()<>&\t\n\xa0\u2028\u200d\ufe0f\x1c❤👍🏽é",
        "http://t.co/x",
        "&amp;",
        "...",
    ]
    for _ in range(1000):
        text = "".join(draw.choices(pieces, k=15))
        found = split_words(text, name)
        end = 0
        for word in found:
            assert word.start >= end
            assert text[word.start : word.end] == word.text
            assert word.text
            assert not re.search(r"\s", word.text)
            assert not text[end : word.start].strip()
            end = word.end
        assert not text[end:].strip()


def test_letters_alone_are_one_word_to_the_pattern_that_is_not_asked_for_them():
    """Random strings, and those that begin as links, emoticons and numbers do."""
    draw = random.Random(1)
    strings = ["www", "http", "https", "xD", "DD", "p", "P", "o", "O", "RT", "com", "e"]
    strings += ["".join(draw.choices(ascii_letters, k=draw.randint(1, 20))) for _ in range(5000)]
    pattern = TweetTokenizer().WORD_RE
    for text in strings:
        assert [m.span() for m in pattern.finditer(text)] == [(0, len(text))]
        assert split_words(text, "tweet") == [Word(text, 0, len(text))]


@pytest.mark.parametrize(
    "piece", ["!", ".", "a.", "1", "(", "@", "#", "'", "a'", "&", "http://", "👍🏽"]
)
def test_long_runs_are_split_in_good_time(piece):
    text = piece * 2000
    started = time.perf_counter()
    found = split_words(text, "tweet-split")
    assert "".join(word.text for word in found) == text
    assert time.perf_counter() - started < 10


def test_unknown_splitter_lists_what_there_is():
    with pytest.raises(UserError, match="splitter 'tweets'.*'tweet'"):
        split_words("a", "tweets")
