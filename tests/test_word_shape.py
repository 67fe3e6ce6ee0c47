import pytest

from mmseq.builtins.text.word_shape import SHAPES, word_shape


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("paris", "lower"),
        ("Paris", "title"),
        ("O'brien", "title"),
        ("NBA", "upper"),
        ("U.S.", "upper"),
        ("J", "letter"),
        ("J.", "letter"),
        ("iPhone", "mixed"),
        ("McDonald", "mixed"),
        ("2016", "number"),
        ("1st", "number"),
        ("G20", "letter"),
        ("B2B", "upper"),
        ("…", "other"),
        ("#", "other"),
        ("", "other"),
        ("東京", "lower"),
        ("Élan", "title"),
    ],
)
def test_how_a_word_is_written(word, shape):
    assert word_shape(word) == shape
    assert shape in SHAPES
