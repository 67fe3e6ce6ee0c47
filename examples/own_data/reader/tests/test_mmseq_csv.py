from pathlib import Path

import pytest
from mmseq_csv import CsvReader

import mmseq
from mmseq.testing import check_reader

HEADER = "sentence,tags,picture\n"
GOOD = "Hello Venus,O B-GOD,a.png\n"


def read(folder, text):
    path = folder / "train.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(CsvReader().read(path))


def test_a_row_is_a_sentence_with_tags_and_picture(tmp_path):
    one, two = read(tmp_path, HEADER + GOOD + "So  tired,,\n")
    assert one == mmseq.Example(
        ("Hello", "Venus"), ("O", "B-GOD"), (Path("a.png"),), "train-2", {}, one.file, 2
    )
    assert (two.tokens, two.tags, two.images, two.line) == (("So", "tired"), None, (), 3)


def test_columns_in_any_order_and_further_ones(tmp_path):
    text = '\ufeffpicture,caption,sentence,tags\r\na.png,"a, b",Hi,O\r\n'
    (example,) = read(tmp_path, text)
    assert (example.tokens, example.images) == (("Hi",), (Path("a.png"),))
    assert example.extras == {"caption": "a, b"}


def test_a_quoted_cell_may_hold_commas_marks_and_line_ends(tmp_path):
    text = HEADER + '"a ,\n""b""",O O O,\n\n,,\nc,O,\n'
    one, two = read(tmp_path, text)
    assert (one.tokens, one.line) == (("a", ",", '"b"'), 2)
    # Lines 2 and 3 are the first sentence; 4 is blank, 5 has empty cells alone.
    assert (two.tokens, two.line) == (("c",), 6)


BROKEN = {
    "sentence;tags;picture\n": (1, "no column 'sentence' (there are: sentence;tags;picture)"),
    "sentence,tags\n": (1, "no column 'picture'"),
    HEADER + GOOD + "Oh , no,O O O,\n": (3, "4 cells, and the first row names 3 columns"),
    HEADER + GOOD + "a b,O,\n": (3, "2 words and 1 tags"),
    HEADER + GOOD + ",O,a.png\n": (3, "no word in 'sentence'"),
    HEADER + "a b,O GOD,\n": (2, "'GOD' is not a tag"),
    HEADER + "a b,O B-,\n": (2, "'B-' is not a tag"),
    HEADER + GOOD + 'a,O,"b.png\n': (3, "not CSV (unexpected end of data)"),
    HEADER.encode() + GOOD.encode() + b"caf\xe9,O,\n": (3, "not UTF-8"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.items(), ids=[t[1][:20] for t in BROKEN.values()])
def test_a_mistake_is_told_with_its_line_and_a_remedy(tmp_path, text, told):
    line, reason = told
    with pytest.raises(mmseq.UserError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'train.csv'}:{line}: {reason}")
    # What is wrong; what to do about it.
    assert "; " in str(error.value).replace(reason, "")


def test_it_keeps_the_contract_of_a_reader():
    check_reader(CsvReader, broken={text: line for text, (line, _) in BROKEN.items()})
