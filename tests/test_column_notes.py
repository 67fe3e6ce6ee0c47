"""What is said of files of columns beside their sentences, and which column a message proposes."""

import pytest

from mmseq.data.naming import Naming
from mmseq.data.splits import load_file
from mmseq.errors import UserError


@pytest.fixture
def read(tmp_path):
    """`read(text, columns=…)`: pairs of word and tag of each sentence, and the notes."""

    def call(text, **options):
        path = tmp_path / "a.txt"
        path.write_text(text)
        split = load_file(path, **options)
        pairs = [list(zip(e.tokens, e.tags, strict=True)) for e in split.examples]
        return pairs, [note.removeprefix(f"{path}") for note in split.notes]

    return call


@pytest.mark.parametrize(
    ("rows", "proposed"),
    [
        (["B-PER\tAnna", "O\tran"], "word=2,tag=1"),
        (["Anna\tB-PER\t0.98", "ran\tO\t0.99"], "word=1,tag=2"),
        (["Anna B-PER NNP", "ran O VBD"], "word=1,tag=2"),
        (["Anna NNP B-PER _", "ran VBD O _"], "word=1,tag=3"),
        # A document's name, its part, the number of the word.
        ([f"bc/1 0 {n} w{n} O" for n in range(5)], "word=4,tag=-1"),
        ([f"{n} {n} {w} B-PER NNP" for n, w in enumerate(("a", "b"))], "word=3,tag=4"),
        (["1\tAnna", "2\tran", "", "1\tin", "2\tOslo"], "word=2,tag=0"),
    ],
)
def test_the_columns_that_a_message_proposes_are_read(read, run_cli, tmp_path, rows, proposed):
    text = "\n".join(rows) + "\n"
    with pytest.raises(UserError) as caught:
        read(text)
    assert f"--columns {proposed}" in str(caught.value)
    done = run_cli("data", "show", tmp_path / "a.txt", "--columns", proposed)
    assert done.code == 0


def test_another_column_with_tags_is_no_matter_where_the_tags_are_types(read):
    pairs, notes = read("Anna B-PER PER\nran O O\n", scheme="io")
    assert pairs == [[("Anna", "B-PER"), ("ran", "O")]]
    assert notes == [
        ": column 2 holds tags, too, and is not read; to read it in place of column 3: "
        "data.columns = {word = 1, tag = 2}, --columns word=1,tag=2."
    ]


def test_contractions_and_words_that_nobody_wrote_are_no_words(read):
    text = "1-2\tzum\t_\n1\tzu\tO\n2\tdem\tO\n2.1\tx\tO\n3\tHaus\tB-LOC\n\n1\ta\tO\n2\tb\tO\n"
    pairs, notes = read(text, columns={"word": 2, "tag": 3})
    assert pairs == [
        [("zu", "O"), ("dem", "O"), ("Haus", "B-LOC")],
        [("a", "O"), ("b", "O")],
    ]
    assert notes == [
        ":1: lines of contractions and empty words (3-4, 3.1), which are skipped for the words "
        "below: 2, of which this is the first."
    ]


def test_numbers_with_hyphens_in_another_first_column_are_none(read):
    pairs, notes = read("4-5\tAnna\tO\n7.5\tran\tO\n", columns={"word": 2, "tag": 3})
    assert pairs == [[("Anna", "O"), ("ran", "O")]]
    assert notes == []


def test_numbers_as_tags_get_the_names_that_the_user_gives(read):
    named = Naming({}, ["O", "B-PER"])
    assert read("Anna\t1\nran\t0\nso\tO\n", naming=named) == (
        [[("Anna", "B-PER"), ("ran", "O"), ("so", "O")]],
        [],
    )
    with pytest.raises(UserError, match="a.txt:2: the tag is 2, but data.tag_names has 2 names, 0"):
        read("Anna\t1\nran\t2\n", naming=named)
    with pytest.raises(UserError, match="a.txt:1: '1' is not a tag; numbers need .*--tag-names"):
        read("Anna\t1\nran\t0\n")


@pytest.mark.parametrize("line", ["# IMGID:1", "# image = 1.jpg", "# img_id: 1", "# Picture=a"])
def test_comments_that_seem_to_name_pictures_are_told_apart(read, line):
    pairs, notes = read(f"{line}\na\tO\n\n# a comment of words\nb\tO\n")
    assert pairs == [[("a", "O")], [("b", "O")]]
    assert notes == [
        ":4: comment lines, which are skipped: 1, of which this is the first.",
        ":1: comment lines that seem to name pictures, which are skipped; write IMGID:NAME without "
        "'#': 1, of which this is the first.",
    ]


def test_a_file_without_a_blank_line_is_told(read):
    assert read("a\tO\n" * 300)[1] == [": one sentence of 300 words; a blank line ends a sentence."]
    assert read("a\tO\n" * 299)[1] == []
    assert read("a\tO\n" * 300 + "\nb\tO\n")[1] == []


def test_a_table_with_a_column_of_sentences_is_for_the_import(read):
    with pytest.raises(UserError, match="Where 'sentence_id' .*: `mmseq data import csv`"):
        read("sentence_id\tword\tlabels\n0\tAnna\tB-PER\n")


def test_a_sentence_a_line_with_its_tags_is_no_word(read):
    with pytest.raises(UserError, match="a.txt:1: 'B-PER O O' is 3 tags; give each word one"):
        read("Anna ran home\tB-PER O O\nBo sat\tB-PER O\n")


@pytest.mark.parametrize(
    "line", ["###MEDLINE:95369245", "# id 5239d808 domain=en", "# id 5239d808\tdomain=en"]
)
def test_marks_of_documents_before_a_sentence_are_comments(read, line):
    pairs, notes = read(f"{line}\n\nIL-2 _ _ B-DNA\ngene _ _ I-DNA\n\n{line}\n# _ _ O\n")
    assert pairs == [[("IL-2", "B-DNA"), ("gene", "I-DNA")], [("#", "O")]]
    assert notes == [":1: comment lines, which are skipped: 2, of which this is the first."]


def test_words_of_hash_signs_stay(read):
    assert read("###x\tB-A\n###\tO\n")[0] == [[("###x", "B-A"), ("###", "O")]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"tokens": ["a"], "tags": ["O"]}\n', "JSON, not columns; name the file a.jsonl"),
        ('<?xml version="1.0"?>\n<doc>\n', "XML or HTML, not columns"),
        ("<!DOCTYPE html>\n<p>a</p>\n", "XML or HTML, not columns"),
    ],
)
def test_files_that_hold_no_columns_are_named(read, text, reason):
    with pytest.raises(UserError, match=f"a.txt:1: {reason}"):
        read(text)
