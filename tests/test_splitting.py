"""Splitters that are learned: bases, joints, whole words, and which is chosen."""

import json
import random
import re
import time
from itertools import chain, repeat

import pytest

from mmseq.contracts.example import Example
from mmseq.data.splitter import split_words
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.characters import scripts, starts
from mmseq.data.splitting.choosing import choose, choose_splitter
from mmseq.data.splitting.returning import come_back, texts_of
from mmseq.data.splitting.splitter import Splitter, splitter_from
from mmseq.errors import UserError


def words(splitter, text):
    return [word.text for word in splitter.split(text)]


def examples(*sentences):
    return [Example(tuple(sentence.split(" "))) for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, (big) world!", ["Hello", ",", "(", "big", ")", "world", "!"]),
        ("दिल्ली में। ठीक", ["दिल्ली", "में", "।", "ठीक"]),
        ("مرحبا، هل؟", ["مرحبا", "،", "هل", "؟"]),
        ("«Ja», „nein“…", ["«", "Ja", "»", ",", "„", "nein", "“", "…"]),
        ("5€ + 3", ["5", "€", "+", "3"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("ja👍🏽👩‍🚀", ["ja", "👍🏽", "👩‍🚀"]),
        ("Zürich 4KG", ["Zürich", "4KG"]),
        ("我爱北京。", ["我爱北京", "。"]),
    ],
)
def test_punctuation_of_every_script_apart(text, expected):
    assert words(Splitter("punctuation"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我爱北京。", ["我", "爱", "北", "京", "。"]),
        ("使用iPhone的3月", ["使", "用", "iPhone", "的", "3", "月"]),
        ("ビール", ["ビ", "ー", "ル"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),
        ("Hello, world", ["Hello", ",", "world"]),
    ],
)
def test_scripts_without_spaces_by_character(text, expected):
    assert words(Splitter("characters"), text) == expected


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "whole",
    [
        "❤️",
        "👩‍👩‍👧",
        "👍🏽",
        "🇩🇪",
        "1️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ]
    + ["é", "कि", "ก่", "e\u0301\u0327"],
)
def test_what_belongs_together_is_never_cut(base, whole):
    assert starts(whole) == [0]
    assert words(Splitter(base), whole) == [whole]


@pytest.mark.parametrize("base", ["whitespace", "tweet", "tweet-split"])
def test_a_base_alone_is_what_it_was(base):
    text = "RT @KDTrey5: Cruz's #NBA U.S. &amp; http://t.co/x, :-) 555 123 4567 no!!! Gordon-Levitt"
    assert Splitter(base).split(text) == split_words(text, base)


@pytest.mark.parametrize("base", BASES)
def test_words_are_slices_in_order_and_leave_only_white_space(base):
    draw = random.Random(3)
    pieces = [
        *"aB9 .,!?#@'’-_/:;()<>&\t\n\xa0\u2028\u200d\ufe0f\x1c❤👍🏽é我กि",
        *("http://t.co/x", "&amp;", "...", "O'Neil", "U.S."),
    ]
    learned = Splitter(base, {"L'|L": True, ".|.": True, "L.‿L": False}, frozenset({"B.", "9,我"}))
    for splitter in (Splitter(base), learned):
        for _ in range(500):
            text = "".join(draw.choices(pieces, k=15))
            end = 0
            for word in splitter.split(text):
                assert word.start >= end
                assert text[word.start : word.end] == word.text
                assert word.text
                assert not re.search(r"\s", word.text)
                assert not text[end : word.start].strip()
                end = word.end
            assert not text[end:].strip()


PIECES = ["1", "’", "a'", "a.", "!", "(", "<", "-", "&", "@", "#", "http://", "a1", "我", "ก่"]
PIECES += ["\u0301", "👍🏽", "🇩", "U.S.", "e\u200d"]


@pytest.mark.parametrize("base", ["tweet-split", "characters"])
@pytest.mark.parametrize(
    ("piece", "length"),
    [*((piece, 20_000) for piece in PIECES), ("a", 200_000), ("'", 200_000), (".", 200_000)],
)
def test_long_strings_take_time_by_their_length(base, piece, length):
    taught = {"a'|aaa": True, "L|.L": True, ".|.": True}
    learned = Splitter(base, taught, frozenset({"U.S.", "我我我"}))
    learned.split("warm. up")
    text = piece * (length // len(piece))
    started = time.process_time()
    found = learned.split(text)
    assert time.process_time() - started < 15
    assert "".join(word.text for word in found) == text


def test_a_name_with_an_apostrophe_teaches_another():
    taught = examples("Tony O'Neil is here .", "Cruz ' s dog")
    splitter = choose_splitter(taught)
    assert words(splitter, "Tony O'Neil is here.") == ["Tony", "O'Neil", "is", "here", "."]
    assert words(splitter, "Conan O'Brien left.") == ["Conan", "O'Brien", "left", "."]
    assert words(splitter, "Conan O’Brien left.") == ["Conan", "O’Brien", "left", "."]
    assert words(splitter, "Ann's cat") == ["Ann", "'", "s", "cat"]


@pytest.mark.parametrize(
    ("taught", "text", "expected"),
    [
        ("the U.S. of old .", "in the E.U. now.", ["in", "the", "E.U.", "now", "."]),
        ("from AT&T , yes", "a B&B, no", ["a", "B&B", ",", "no"]),
        ("weighs 4.5KG .", "or 12.75LB!", ["or", "12.75LB", "!"]),
        ("so ... they left .", "and ... gone.", ["and", "...", "gone", "."]),
        ("Anna 's dog .", "Ben's cat.", ["Ben", "'s", "cat", "."]),
        ("they do n't know .", "I can't see.", ["I", "ca", "n't", "see", "."]),
        ("l' homme , oui", "l'eau, non", ["l'", "eau", ",", "non"]),
        ("yes , 3.14 .", "2.71, no.", ["2.71", ",", "no", "."]),
    ],
)
def test_joints_are_kept_as_in_training(taught, text, expected):
    assert words(choose_splitter(examples(taught)), text) == expected


def test_a_whole_word_stays_where_it_mostly_is_one():
    named = Example(("Yahoo!", "wins", "!"), ("B-ORG", "O", "O"))
    plain = examples("go home !", "we win !", "stop it !")
    splitter = choose_splitter([named, *plain])
    assert splitter.whole == {"Yahoo!"}
    assert words(splitter, "Yahoo! wins now!") == ["Yahoo!", "wins", "now", "!"]
    # Once, and of no entity, it is chance.
    assert choose_splitter([*examples("Yahoo! wins !"), *plain]).whole == set()


def test_words_of_a_script_without_spaces_are_learned():
    taught = ["北京 很 大", "上海 很 大", "我 爱 北京", "我 爱 上海"]
    splitter = choose_splitter(examples(*taught))
    assert splitter.base == "characters"
    assert words(splitter, "我爱北京") == ["我", "爱", "北京"]
    assert words(splitter, "上海我爱") == ["上海", "我", "爱"]


def test_what_is_no_known_word_stays_one_where_words_have_several_letters():
    splitter = choose_splitter(examples("ฉัน รัก กรุงเทพ มาก", "สมชาย รัก ภูเก็ต", "มานี ไป ลอนดอน"))
    assert splitter.base == "characters"
    assert words(splitter, "วีระไปเชียงใหม่") == ["วีระ", "ไป", "เชียงใหม่"]
    assert words(splitter, "ฉันรักระยองมาก") == ["ฉัน", "รัก", "ระยอง", "มาก"]
    assert words(splitter, "วีระ รัก ระยอง") == ["วีระ", "รัก", "ระยอง"]


@pytest.mark.parametrize(
    ("sentence", "base"),
    [
        ("# NBA : @ KDTrey5 wins !", "tweet"),
        ("#NBA : @KDTrey5 wins !", "tweet"),
        ("Lyon , a city .", "tweet"),
        ("#NBA: @KDTrey5 wins, again!", "whitespace"),
        ("TEL: 290, SR 6% NO: 12", "whitespace"),
        ("just some words", "whitespace"),
        ("我 爱 北 京 。", "characters"),
    ],
)
def test_the_base_that_cuts_as_the_training_words_are_cut(sentence, base):
    assert choose_splitter(examples(sentence)).base == base


def test_of_many_sentences_the_first_tell():
    first, later = Example(("#", "NBA")), Example(("#NBA",))
    taught = chain(repeat(first, 20), repeat(later))
    splitter = choose_splitter(taught, limit=20)
    assert words(splitter, "#NBA #Oslo") == ["#", "NBA", "#", "Oslo"]


def test_no_example_at_all():
    assert choose_splitter([]) == Splitter("whitespace")
    assert choose_splitter([Example(())]) == Splitter("whitespace")


def test_what_comes_back():
    tags = ("B-PER", "I-PER", "O", "B-LOC")
    told = [Example(("Ann", "O'Neil", ",", "Rome"), tags), Example(("Oslo", "!"), ("B-LOC", "O"))]
    splitter, back = choose(told, "tweet")
    # The tweet base cuts O'Neil: its sentence and its entity are lost, Rome and Oslo are not.
    assert (back.sentences, back.entities, back.of_entities) == (1, 2, 3)
    assert back.which == (False, True)
    assert back.words == 5
    assert (splitter.joints, splitter.whole) == ({}, set())
    assert (splitter.longest, splitter.scripts) == (6, {"Latin"})
    _, learned = choose(told)
    assert learned.sentences == 2
    # "Oslo!" is one word to white space; joined by spaces both words are there.
    texts = [texts_of(told[1])]
    assert come_back(Splitter("whitespace").pieces, texts, spaced=False).entities == 0
    assert come_back(Splitter("whitespace").pieces, texts, written=False).entities == 1


def test_a_word_that_holds_white_space_never_comes_back():
    told = [Example(("New York", "!"), ("B-LOC", "O")), Example(("555 12",), ("B-NUM",))]
    splitter, back = choose([*told, *examples("we win !")])
    assert words(splitter, "New York!") == ["New", "York", "!"]
    assert (back.sentences, back.entities, back.of_entities) == (1, 0, 2)


def test_a_splitter_is_data():
    splitter = choose_splitter(examples("Tony O'Neil is in 北 京 .", "Cruz ' s dog #NBA"))
    record = json.loads(json.dumps(splitter.record()))
    assert splitter_from(record) == splitter
    text = "O'Neil's 北京 U.S."
    assert splitter_from(record).split(text) == splitter.split(text)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"base": None}, "no base"),
        ({"base": "tweets"}, "Unknown word splitter 'tweets'"),
        ({"joints": ["a"]}, "joints"),
        ({"joints": {"a": 1}}, "joints"),
        ({"whole": "ab"}, "whole"),
        ({"whole": [""]}, "whole"),
        ({"scripts": None}, "scripts"),
        ({"longest": -1}, "longest"),
        ({"longest": True}, "longest"),
    ],
)
def test_a_damaged_record(change, what):
    with pytest.raises(ValueError, match=what):
        splitter_from({**Splitter("tweet").record(), **change})
    with pytest.raises(ValueError, match="not an object"):
        splitter_from([])


def test_unknown_base_lists_what_there_is():
    with pytest.raises(UserError, match=r"splitter 'tweets'. Did you mean 'tweet'\?.*characters"):
        Splitter("tweets")


def test_scripts_of_a_text():
    text = "Zoë Ωμέγα мир 东京 ビル กรุง دبي दिल्ली 서울 12 !? 👍 𝐇 µ ʰ"
    names = ["Latin", "Greek", "Cyrillic", "Han", "Kana", "Thai", "Arabic", "Devanagari", "Hangul"]
    assert scripts(text) == set(names)
