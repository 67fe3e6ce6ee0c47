"""Files of columns as people have them: what is read, and what is refused in one line."""

import json

import pytest

from mmseq.data.splits import load_file, load_folder
from mmseq.errors import UserError

INDEXED = (
    "1\tAnna\tB-PER\tO\n2\tran\tO\tO\n\n1\tThe\tO\tO\n2\tOslo\tB-ORG\tB-LOC\n3\tclub\tI-ORG\tO\n"
)


@pytest.fixture
def read(tmp_path):
    """`read(content, columns=…)`: words and tags of each sentence, and what is said of the file."""

    def read(content, **options):
        path = tmp_path / "a.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        split = load_file(path, **options)
        found = [[e.tokens, e.tags] for e in split.examples]
        return found, [note.removeprefix(str(tmp_path) + "/") for note in split.notes]

    return read


@pytest.fixture
def refused(tmp_path, read):
    """`refused(content)`: the one line, without the folder."""

    def refused(content, **options):
        with pytest.raises(UserError) as caught:
            read(content, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value).removeprefix(str(tmp_path) + "/")

    return refused


def sentence(text):
    """``Anna/B-PER ran/O`` as words and tags."""
    words, _, tags = zip(*(pair.rpartition("/") for pair in text.split()), strict=True)
    return [words, tags]


OUTER = [sentence("Anna/B-PER ran/O"), sentence("The/O Oslo/B-ORG club/I-ORG")]
INNER = [sentence("Anna/O ran/O"), sentence("The/O Oslo/B-LOC club/O")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"word": 2, "tag": 3}, OUTER),
        ({"word": 2, "tag": -2}, OUTER),
        ({"word": -3, "tag": 4}, INNER),
        ({"word": 2}, INNER),
        ({"word": 2, "tag": 0}, [[words, None] for words, _ in OUTER]),
    ],
)
def test_columns_are_counted_from_1_and_from_the_end_below_0(read, columns, expected):
    assert read(INDEXED, columns=columns)[0] == expected


def test_columns_by_the_names_of_the_first_line(read, refused):
    text = "# a comment\nid\ttoken\tNER_tag\n1\tAnna\tB-PER\n2\tran\tO\n"
    assert read(text, columns={"word": "token", "tag": "ner_tag"})[0] == [OUTER[0]]
    line = refused(text, columns={"word": "token", "tag": "labels"})
    assert line.startswith("a.txt:2: no column is called 'labels' (tag)")
    assert "id, token, NER_tag" in line
    plus = "# global.columns = ID FORM NER\n" + text.split("\n", 2)[2]
    assert read(plus, columns={"word": "FORM", "tag": "NER"})[0] == [OUTER[0]]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"word": 2, "tag": 5}, "a.txt:1: 4 columns, so that column 5 (tag) is not there"),
        ({"word": -5}, "column -5 (word) is not there"),
        ({"word": 2, "tag": 2}, "cannot hold both word and tag"),
        ({"word": 0}, "counted from 1"),
        ({"wrod": 1}, "Unknown column 'wrod'. Did you mean 'word'? Available: tag, word."),
    ],
)
def test_columns_that_are_not_there_are_refused(refused, columns, reason):
    assert reason in refused(INDEXED, columns=columns)


@pytest.mark.parametrize(
    ("content", "tag"),
    [
        (INDEXED, 3),
        ("1\tAnna\tanna\tPROPN\tB-PER\n2\tran\trun\tVERB\tO\n", -1),  # CoNLL-U
        ("1\tAnna\tB-PER\tO\n", 3),
        ("0 Anna B-PER\n1 ran O\n\n0 Bo B-PER\n", -1),  # from 0
        ("1-2\tim\t_\tO\n1\tin\t_\tO\n2\tdem\t_\tO\n2.1\tx\t_\tO\n", -1),  # ranges, empty nodes
        ("1\tAnna\tO\n2\tran\tO\n\n3\tBo\tO\n4\tran\tO\n", -1),  # through the whole file
        ("1\tO\n2\tO\n\n1\tO\n2\tO\n", 0),
    ],
)
def test_a_first_column_that_counts_is_refused_with_the_option_that_says_which(
    refused, content, tag
):
    line = refused(content)
    assert line.startswith("a.txt:1: the first column counts the words")
    assert f"data.columns = {{word = 2, tag = {tag}}}, --columns word=2,tag={tag}." in line


@pytest.mark.parametrize(
    "content",
    ["1\tO\n2\tO\n3\tO\n", "1 CD O\nman NN O\n", "2 CD B-X\n3 CD I-X\n", "1\n2\n3\n"],
)
def test_numbers_that_are_words_are_words(read, content):
    words = tuple(line.split()[0] for line in content.splitlines())
    assert read(content)[0][0][0] == words
    assert read(INDEXED, columns={"word": 1})[0][0][0] == ("1", "2")


def test_a_first_column_that_names_the_document_is_refused(refused):
    line = refused("bc/cctv 0 In O\nbc/cctv 1 Oslo B-LOC\n\n" + "bc/cctv 0 a O\n" * 3)
    assert line.startswith(
        "a.txt:1: the first column is the same throughout a sentence ('bc/cctv')"
    )
    assert "--columns" in line


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("Acme NNP B-NP B-ORG\nsold VBD B-VP\n", "a.txt:2: 3 columns, but line 1 has 4;"),
        ("New York B-LOC\nis O\n", "a.txt:2: 2 columns, but line 1 has 3;"),
        ("in O\nNew York B-LOC\n", "a.txt:2: 3 columns, but line 1 has 2;"),
        ("Anna\tB-PER\x85ran\tO\nin\tO\n", "a.txt:2: 2 columns, but line 1 has 3;"),
        (
            "in\tO\nAnna\tB-PER\x85ran\tO\n",
            "a.txt:2: 3 columns, but line 1 has 2 (it holds U+0085)",
        ),
        ("# c\nin\tO\n\nAnna\tLee\tB-PER\n", "a.txt:4: 3 columns, but line 2 has 2;"),
        ("a b\nc\n", "a.txt:2: no tag, but line 1 has one"),
        ("a\nb c\n", "a.txt:2: 2 columns, but line 1 has 1;"),
        ("a\nb O\n", "a.txt:1: no tag, but line 2 has one"),
        ("a O\n O\n", "a.txt:2: no word before the tag;"),
        ("1\tAnna\tO\n2\t\tO\n", "a.txt:2: no word in column 2;"),
        ("a\tO\nb\t \n", "a.txt:2: no tag, but line 1 has one"),
    ],
)
def test_lines_with_other_columns_than_the_first_are_refused(refused, content, place):
    columns = {"word": 2} if "column 2" in place else None
    assert refused(content, columns=columns).startswith(place)


def test_empty_last_cells_and_aligned_spaces_are_no_further_columns(read):
    found = [sentence("Anna/B-PER ran/O")]
    for text in ("Anna\tB-PER\t\nran\tO\n", "Anna   B-PER\nran    O   \n", "Anna B-PER\t\nran O\n"):
        assert read(text) == (found, [])
    text = "Anna\tB-PER\tsure\nran\tO\t\n"
    assert read(text, columns={"word": 1, "tag": 2})[0] == found


def test_lines_that_are_separated_otherwise_are_read_and_said(read):
    found, notes = read("New York\tB-LOC\nis O\n\nbig\tO\n")
    assert found == [[("New York", "is"), ("B-LOC", "O")], sentence("big/O")]
    (note,) = notes
    assert note.startswith("a.txt:2: lines whose columns are separated in another way")


@pytest.mark.parametrize(
    ("content", "mark"),
    [
        ("Anna,B-PER\nran,O\n", "','"),
        ("Word,Tag\nAnna,B-PER\nran,O\n", "','"),
        ("1;Anna;B-PER\n2;ran;O\n", "';'"),
        ("Anna|B-PER\nran|O\n", "'|'"),
        ("Anna\xa0B-PER\nran\xa0O\n", "U+00A0"),
        ("Anna\u3000B-PER\nran\u3000O\n", "U+3000"),
        ("Anna, B-PER\nran, O\n", "','"),
        ("Anna/B-PER\n", "'/'"),
    ],
)
def test_other_separators_are_named(refused, content, mark):
    line = refused(content)
    assert f"word and tag seem to be separated by {mark} in every line; separate columns" in line


def test_words_that_look_glued_are_words_beside_others(read):
    assert read("I/O\nports\n")[0] == [[("I/O", "ports"), None]]
    assert read("I/O\n")[0] == [[("I/O",), None]]
    assert read("a, O\nb O\n")[0] == [sentence("a,/O b/O")]


@pytest.mark.parametrize(
    ("content", "expected", "skipped"),
    [
        ("# text = vitamin O\nvitamin B-FOOD\nO I-FOOD\n", "vitamin/B-FOOD O/I-FOOD", 1),
        ("# id 7f\tdomain=en\n\nthe _ _ O\n", "the/O", 1),
        ("#\thttp://x.org\t[2010]\t.\nAnna\tB-PER\tO\n", "Anna/O", 1),
        ("# a b c\nIMGID:1\n# d e f\nran\tO\n", "ran/O", 2),
        ("#begin document (bc/x); part 000\nran O\n\n#end document\n", "ran/O", 2),
        ("# newdoc id = x\n# sent_id = 1\nran\tO\n", "ran/O", 2),
        ("#\tO\nNBA\tB-ORG\n#happy\tO\n", "#/O NBA/B-ORG #happy/O", 0),
        ("# O\nNBA B-ORG\n", "#/O NBA/B-ORG", 0),
        ("a O\n# O\n", "a/O #/O", 0),
        ("#1 O\nb O\n", "#1/O b/O", 0),
        ("# O\n", "#/O", 0),
    ],
)
def test_comments_are_skipped_and_said_and_words_stay(read, content, expected, skipped):
    found, notes = read(content)
    assert found == [sentence(expected)]
    told = [note for note in notes if "comment lines" in note]
    assert len(told) == bool(skipped)
    assert all(f"skipped: {skipped}, of which" in note for note in told)


def test_a_comment_within_a_sentence_is_none(refused):
    assert refused("a O\n# b c d\n").startswith("a.txt:2: 4 columns, but line 1 has 2")


def test_further_columns_of_tags_are_named_and_the_last_is_read(read):
    found, notes = read("Acme NNP B-NP B-ORG\nsold VBD B-VP O\n")
    assert found == [sentence("Acme/B-ORG sold/O")]
    (note,) = notes
    assert note == (
        "a.txt: column 3 holds tags, too, and is not read; to read it in place of column 4: "
        "data.columns = {word = 1, tag = 3}, --columns word=1,tag=3."
    )
    assert read(INDEXED, columns={"word": 2, "tag": 3})[1][0].startswith("a.txt: column 4 holds")


def test_a_line_of_names_is_named(refused):
    line = refused("token\tner_tag\nAnna\tB-PER\n")
    assert line.startswith("a.txt:1: a line of names")
    assert '{word = "token", tag = "ner_tag"}, --columns word=token,tag=ner_tag' in line
    # With types alone it would be a word of type ner_tag.
    assert "a line of names" in refused("Word Tag\nAnna PER\n", scheme="io")


def test_line_ends(read, refused):
    found = [sentence("Anna/B-PER ran/O"), sentence("in/O")]
    for end in ("\n", "\r\n", "\r"):
        text = f"Anna\tB-PER{end}ran\tO{end}{end}in\tO{end}"
        assert read(text)[0] == found
        assert read(text.rstrip())[0] == found
    assert "a.txt:1: a carriage return (CR) within a line" in refused(
        "Anna\tB-PER\rran\tO\nin\tO\n"
    )
    assert "a.txt:2: a carriage return" in refused(
        "Anna\tB-PER\n\r\nin\tO\rran\tO\n".replace("\r\n", "", 1)
    )


@pytest.mark.parametrize(
    "blank", ["\xa0", "\f", " \t", "\u3000", "\ufeff", "\u200b", "\x85", "\x1f"]
)
def test_lines_of_what_cannot_be_seen_end_a_sentence(read, blank):
    assert read(f"Anna\tB-PER\n{blank}\nran\tO\n")[0] == [sentence("Anna/B-PER"), sentence("ran/O")]


def test_byte_order_marks_of_files_that_were_put_together(read):
    one = "\ufeffIMGID:1\nAnna\tB-PER\n\n"
    found, notes = read(one + one.replace("IMGID:1\n", "") + "\ufeff" + one)
    assert found == [sentence("Anna/B-PER")] * 3
    assert notes == []


def test_utf_16_without_a_mark_is_named(refused):
    assert "U+0000: UTF-16" in refused("Anna\tB-PER\n".encode("utf-16-le"))


def test_unseen_ends_of_tags_and_pictures_are_left_out_and_said(tmp_path, read):
    found, notes = read(
        "IMGID:17\xa0\nAnna\tB-PER\nLee\tI-PER\xa0\nran\tO\u200b\n\nBob\t\u2060B-PER\n"
    )
    assert found == [sentence("Anna/B-PER Lee/I-PER ran/O"), sentence("Bob/B-PER")]
    assert notes == [
        "a.txt:1: white space or invisible characters (U+00A0) at the ends of names of pictures "
        "are left out (1 of them; this is the first).",
        "a.txt:3: white space or invisible characters (U+00A0, U+200B, U+2060) at the ends of tags "
        "are left out (3 of them; this is the first).",
    ]
    lines = tmp_path / "a.jsonl"
    record = {"tokens": [" Anna\u200d"], "tags": ["B-PER\u200e "], "images": ["1.jpg\u200b"]}
    lines.write_text(json.dumps(record))
    split = load_file(lines)
    (example,) = split.examples
    assert (example.tokens, example.tags) == ((" Anna\u200d",), ("B-PER",))
    assert example.images == (tmp_path / "images" / "1.jpg",)
    assert len(split.notes) == 2


def test_columns_are_for_readers_that_take_them(tmp_path):
    (tmp_path / "train.txt").write_text(INDEXED)
    (tmp_path / "valid.jsonl").write_text('{"tokens": ["a"], "tags": ["O"]}\n')
    splits = load_folder(tmp_path, columns={"word": 2, "tag": 3})
    assert [e.tokens for e in splits["valid"].examples] == [("a",)]
    assert splits["train"].examples[1].tags == ("O", "B-ORG", "I-ORG")
    (tmp_path / "train.txt").unlink()
    assert splits["valid"].notes == ()
    split = load_folder(tmp_path, columns={"word": 2, "tag": 3})["valid"]
    assert split.notes == (
        f"{split.path}: reader 'jsonl' has no columns to choose; leave out data.columns, "
        "--columns.",
    )


def test_columns_of_json_lines_are_refused_where_they_are_asked_for(tmp_path, run_cli):
    file = tmp_path / "a.jsonl"
    file.write_text('{"tokens": ["a"], "tags": ["O"]}\n')
    for command in (("data", "show", file), ("score", file, file)):
        wrong = run_cli(*command, "--columns", "word=2")
        assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
        assert "reader 'jsonl' has no columns to choose" in wrong.err
