import json
from pathlib import Path

import pytest

from mmseq.builtins.conll import ConllReader
from mmseq.builtins.readers import JsonlReader
from mmseq.errors import UserError


@pytest.fixture
def conll(tmp_path):
    def read(content, name="some.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(ConllReader().read(path))

    return read


@pytest.fixture
def jsonl(tmp_path):
    def read(*records):
        path = tmp_path / "some.jsonl"
        lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        return list(JsonlReader().read(path))

    return read


def test_conll_sentences_pictures_and_lines(conll, tmp_path):
    first, second = conll("IMGID:17_06_1\nKevin\tB-PER\nDurant\tI-PER\n\n\nHi\tO\n")
    assert first.tokens == ("Kevin", "Durant")
    assert first.tags == ("B-PER", "I-PER")
    assert first.images == (Path("17_06_1.jpg"),)
    assert first.id == "17_06_1"
    assert first.where == f"{tmp_path / 'some.txt'}:2"
    assert (second.tokens, second.images, second.id, second.line) == (("Hi",), (), "some-2", 6)


def test_conll_several_pictures_and_names_with_an_ending(conll):
    (example,) = conll("IMGID:a.png\nIMGID:b.c\nx\tO\n")
    assert example.images == (Path("a.png"), Path("b.c.jpg"))
    assert example.id == "a.png"


@pytest.mark.parametrize(
    "line", ["Rome\tB-LOC", "Rome B-LOC", "Rome  B-LOC", "Rome\tNNP\t_\tB-LOC", "Rome NNP B-LOC\t "]
)
def test_conll_columns(conll, line):
    (example,) = conll(f"{line}\n")
    assert (example.tokens, example.tags) == (("Rome",), ("B-LOC",))


def test_conll_windows_lines_byte_order_mark_and_no_last_line_end(conll):
    first, second = conll("\ufeffIMGID:1\r\na\tO\r\n\r\nb\tB-X")
    assert (first.tokens, first.tags, first.id) == (("a",), ("O",), "1")
    assert (second.tokens, second.tags) == (("b",), ("B-X",))


@pytest.mark.parametrize(
    "word",
    [
        "\u200d",
        "\ufe0f",
        "\u2028",
        "\u2029",
        "\x85",
        "\xa0",
        "\u3000",
        "a\u2028b",
        "\x0b",
        "\x1c",
        "a b",
    ],
)
def test_conll_words_may_be_odd_characters(conll, word):
    (example,) = conll(f"x\tO\n{word}\tB-X\ny\tI-X\n")
    assert example.tokens == ("x", word, "y")


def test_conll_lines_of_spaces_and_tabs_are_blank(conll):
    assert [e.tokens for e in conll("a\tO\n \t \nb\tO\n\t\nc\tO\n")] == [("a",), ("b",), ("c",)]


def test_conll_document_starts_are_skipped(conll):
    examples = conll("-DOCSTART- -X- O O\n\na NN O\n-DOCSTART- -X- O O\nb NN O\n")
    assert [e.tokens for e in examples] == [("a",), ("b",)]


def test_conll_one_column_has_no_tags(conll):
    first, second = conll("IMGID:1\na\nb\n\nc\t\n")
    assert (first.tokens, first.tags) == (("a", "b"), None)
    assert (second.tokens, second.tags) == (("c",), None)


def test_conll_empty_file_has_no_sentence(conll):
    assert conll("") == []
    assert conll("\n\n") == []


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a\tO\nb\n", 2, "no tag, but line 1"),
        ("a\n\nb\tO\n", 1, "no tag, but line 3"),
        ("a\tO\n\tO\n", 2, "no word before the tab"),
        ("a\tO\nIMGID:2\nb\tO\n", 2, "blank line"),
        ("IMGID:1\n\na\tO\n", 1, "no word follows 'IMGID:1'"),
        ("a\tO\n\nIMGID:1\n", 3, "no word follows 'IMGID:1'"),
        ("IMGID: \na\tO\n", 1, "without a name"),
        (b"a\tO\nM\xfcnchen\tB-LOC\n", 2, "not UTF-8 (byte 0xfc)"),
        ("a\tO\n".encode("utf-16"), 1, "not UTF-8"),
    ],
)
def test_conll_mistakes_name_file_line_and_remedy(conll, tmp_path, content, line, reason):
    with pytest.raises(UserError) as caught:
        conll(content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'some.txt'}:{line}: ")
    assert reason in message
    assert "\n" not in message


def test_conll_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        list(ConllReader().read(tmp_path))


def test_jsonl_fields(jsonl, tmp_path):
    record = {"id": 7, "tokens": ["Hi", "Rome"], "tags": ["O", "B-LOC"], "images": ["a.jpg", "b"]}
    (example,) = jsonl("", record | {"boxes": [[1, 2], [3, 4]], "caption": "x"})
    assert example.tokens == ("Hi", "Rome")
    assert example.tags == ("O", "B-LOC")
    assert example.images == (Path("a.jpg"), Path("b"))
    assert example.id == "7"
    assert example.extras == {"boxes": [[1, 2], [3, 4]], "caption": "x"}
    assert example.where == f"{tmp_path / 'some.jsonl'}:2"


def test_jsonl_only_tokens_are_needed(jsonl):
    (bare, null, single) = jsonl(
        {"tokens": ["a"]},
        {"tokens": ["a"], "tags": None, "images": None, "id": None},
        {"tokens": ["a"], "images": "a.jpg"},
    )
    assert (bare.tags, bare.images, bare.id) == (None, (), "some-1")
    assert (null.tags, null.images, null.id) == (None, (), "some-2")
    assert single.images == (Path("a.jpg"),)


def test_jsonl_words_may_hold_line_separators(jsonl):
    (example,) = jsonl({"tokens": ["a\u2028b", "\x85", "\xa0"]})
    assert example.tokens == ("a\u2028b", "\x85", "\xa0")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"tokens": ["a"]', "not JSON (Expecting"),
        ('{"tokens": ["a"]} {"tokens": ["b"]}', "not JSON (Extra data"),
        ('["a"]', "not a JSON object"),
        ({"text": "a b"}, 'needs "tokens"'),
        ({"tokens": "a b"}, '"tokens" is "a b" (str)'),
        ({"tokens": []}, '"tokens" is empty'),
        ({"tokens": ["a", 5]}, '"tokens", entry 2 is 5 (int)'),
        ({"tokens": ["a", " "]}, '"tokens", entry 2: an empty word'),
        ('{"tokens": ["\\ud83d"]}', "half a character"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, '2 "tokens" but 1 "tags"'),
        ({"tokens": ["a"], "tags": [0]}, '"tags", entry 1 is 0: numbers need'),
        ({"tokens": ["a"], "tags": "O"}, '"tags" is "O" (str)'),
        ({"tokens": ["a"], "images": {"a": 1}}, '"images" is {"a": 1} (dict)'),
        ({"tokens": ["a"], "images": [""]}, '"images" has an empty name'),
        ({"tokens": ["a"], "id": [1]}, '"id" is [1]'),
    ],
)
def test_jsonl_mistakes_name_file_line_and_remedy(jsonl, tmp_path, record, reason):
    with pytest.raises(UserError) as caught:
        jsonl({"tokens": ["fine"]}, record)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'some.jsonl'}:2: ")
    assert reason in message
    assert "\n" not in message
