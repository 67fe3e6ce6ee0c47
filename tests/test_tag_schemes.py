"""Tagging schemes of files: read as BIO, or what is no tag is named with the way to write it."""

import pytest

from mmseq.data import tags as labels
from mmseq.data.splits import load_file
from mmseq.errors import UserError


@pytest.fixture
def read(tmp_path):
    """`read("B-X O", scheme=…)`: the scheme and the tags in BIO of one sentence."""

    def read(tags, suffix=".txt", **options):
        path = tmp_path / f"a{suffix}"
        path.write_text("".join(f"w\t{tag}\n" for tag in tags.split(" ")), encoding="utf-8")
        split = load_file(path, **options)
        return split.scheme, " ".join(split.examples[0].tags)

    return read


@pytest.mark.parametrize(
    ("tags", "scheme", "bio"),
    [
        ("B-NAME M-NAME E-NAME O S-LOC", "bmes", "B-NAME I-NAME I-NAME O B-LOC"),
        ("B-X M-X M-X E-X W-Y W-Y O", "bmes", "B-X I-X I-X I-X B-Y B-Y O"),
        ("B-X E-X S-X", "bioes", "B-X I-X B-X"),
        ("B-X L-X U-X I-X", "bioes", "B-X I-X B-X B-X"),
        ("W-X M-X", "bmes", "B-X B-X"),  # after what closes, a stray M opens
        ("M-X E-X O", "bmes", "I-X I-X O"),
        ("B-X ? E-X", "bioes", "B-X ? I-X"),
    ],
)
def test_bmes_and_bmewo_are_recognised(read, tags, scheme, bio):
    assert read(tags) == (scheme, bio)
    assert read(tags, scheme="bmes") == ("bmes", bio)


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("PERSON PERSON O O PLACE", "B-PERSON I-PERSON O O B-PLACE"),
        ("PER LOC LOC PER", "B-PER B-LOC I-LOC B-PER"),
        ("I-PER I-PER O I-PER I-LOC", "B-PER I-PER O B-PER B-LOC"),
        ("cell-line cell-line", "B-cell-line I-cell-line"),
        ("B-cell T-cell T-cell O", "B-B-cell B-T-cell I-T-cell O"),
        ("? PER PER O", "? ? I-PER O"),
        ("O O", "O O"),
    ],
)
def test_io_is_read_when_it_is_named(read, tags, bio):
    assert read(tags, scheme="io") == ("io", bio)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("B-PER I-PER O", "a.txt:1: tag 'B-PER' has a prefix, and scheme io has types alone"),
        ("O I-PER LOC", "a.txt:2: tag 'I-PER' begins with I-, but 'LOC'"),
        ("PER o", "a.txt:2: 'o' is not a type; write O"),
        ("PER 0", "a.txt:2: '0' is not a type"),
        ("PER _", "a.txt:2: '_' is not a type"),
        ("PER -", "a.txt:2: '-' is not a type"),
        ("O B I", "a.txt:2: 'B' is not a type, but a prefix without one"),
        ("O ran/O", "a.txt:2: 'ran/O' is a word with its tag"),
        ('O "PER"', "a.txt:2: '\"PER\"' is in quotes"),
    ],
)
def test_what_is_not_io_is_refused(read, reason, tags):
    with pytest.raises(UserError) as caught:
        read(tags, scheme="io")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("PERSON", "'PERSON' is not a tag; write O, or B-, I- "),
        ("PERSON", "of types alone: scheme io (data.scheme, --scheme)"),
        ("B", "'B' is not a tag; write O, or B-, I- "),
        ("PER-B", "the prefix stands behind the type; write B-PER"),
        ("PER_I", "write I-PER"),
        ("b-per", "write B-per"),
        ("B_PER", "write B-PER"),
        ("B:PER", "write B-PER"),
        ("B\u2013PER", "'B\u2013PER' (U+2013) is not a tag; write B-PER"),
        ("\u0412-PER", "'\u0412-PER' (U+0412) is not a tag"),  # a Cyrillic В
        ("\u041e", "'\u041e' (U+041E) is not a tag"),  # a Cyrillic О
        ("o", "'o' is not a tag; write O, the large letter"),
        ("0", "'0' is not a tag; write O"),
        ("0", "numbers need the names of tags: data.tag_names"),
        ("17", "'17' is not a tag; numbers need the names of tags: data.tag_names"),
        ("_", "'_' is not a tag; write O outside entities"),
        ("*", "'*' is not a tag; write O outside entities"),
        ('"B-PER"', "write B-PER, without quotes"),
        ("ran/O", "it seems to be a word with its tag; write a word a line"),
        ("Oslo|B-LOC", "it seems to be a word with its tag"),
        ("B-", "'B-' is not a tag"),
        ("B-PER|B-ORG", "'B-PER|B-ORG' is 2 tags; give each word one"),
        ("B-PER|O", "is 2 tags"),
        ("B-PER,O,O", "is 3 tags"),
        ("O|O", "is 2 tags"),
        ("B-PER,I-ORG", "is 2 tags"),
        ("B-PER;O;I-ORG", "is 3 tags"),
        ("B-PER/B-ORG", "is 2 tags"),
        ("B-P\u200bER", "'B-P\\u200bER' holds what cannot be seen (U+200B)"),
        ("B-\xa0PER", "'B-\\xa0PER' holds what cannot be seen (U+00A0)"),
        ("\u200b", "'' is not a tag"),
    ],
)
def test_what_is_no_tag_is_named_with_the_way_to_write_it(read, tmp_path, tag, reason):
    with pytest.raises(UserError) as caught:
        read(f"O {tag}")
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}:2: ")
    assert reason in str(caught.value)


def test_several_tags_in_a_cell_with_a_space(tmp_path):
    (tmp_path / "a.txt").write_text("w\tB-PER I-ORG\n")
    with pytest.raises(UserError, match="'B-PER I-ORG' is 2 tags"):
        load_file(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "tag",
    [
        "B-PER-FIC",
        "B-PER.NOM",
        "B-その他",
        "B-O",
        "B-creative work",
        "B-A/B",
        "B-I/O",
        "B-نیم\u200cفاصله",
    ],
)
def test_types_of_every_kind_stay(tmp_path, tag):
    (tmp_path / "a.txt").write_text(f"w\t{tag}\n", encoding="utf-8")
    assert load_file(tmp_path / "a.txt").examples[0].tags == (tag,)


def test_a_scheme_that_does_not_fit_names_the_one_that_does(read):
    with pytest.raises(UserError, match="'M-X' is not of scheme bio; .* to bmes or auto"):
        read("B-X M-X E-X", scheme="bio")
    with pytest.raises(UserError, match="'E-X' is not of scheme iob1; .* to bioes or auto"):
        read("B-X E-X", scheme="iob1")


def test_json_lines_are_read_in_any_scheme(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"tokens": ["a", "b", "c"], "tags": ["PER", "PER", null]}\n')
    split = load_file(file, scheme="io")
    assert split.examples[0].tags == ("B-PER", "I-PER", "?")
    with pytest.raises(UserError, match="a.jsonl:1: 'PER' is not a tag"):
        load_file(file)


def test_io_by_the_definition():
    # An entity is a longest run of one type.
    tags = ("A", "A", "O", "B", "A")
    assert labels.spans(labels.io_to_bio(tags)) == [(0, 2, "A"), (3, 4, "B"), (4, 5, "A")]
