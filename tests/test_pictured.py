"""What is said where pictures are looked at and are not there, before anything is computed."""

import pytest

from mmseq.data.splits import load_folder
from mmseq.training.pictured import picture_lines


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()

    def said(train, **others):
        for name, text in {"train": train, **others}.items():
            (tmp_path / f"{name}.txt").write_text(text)
        return picture_lines(load_folder(tmp_path), "fusion 'gate'", "d/images")

    return said


def test_nothing_is_said_where_all_are_there(lines):
    assert lines("IMGID:a\nx\tO\n\ny\tO\n", test="y\tO\n") == []


def test_training_data_without_a_picture(lines):
    (line,) = lines("x\tO\n", valid="y\tO\n")
    assert line.startswith("train names no picture, and fusion 'gate' looks at pictures")
    assert "words alone" in line


def test_files_that_are_there_are_counted(lines, tmp_path):
    several = "IMGID:a\nx\tO\n\nIMGID:b\nx\tO\n\nIMGID:a\nx\tO\n\nIMGID:http://a/b.jpg\nx\tO\n"
    first, second = lines(several, test="IMGID:c\nx\tO\n")
    assert first == (
        f"train: 1 of 3 picture files are there. First that is not: {tmp_path}/images/b.jpg "
        "(no such file)."
    )
    assert second.startswith("test: 0 of 1 picture files are there.")
    assert "words alone" not in second


def test_training_data_of_which_no_picture_is_there(lines):
    (line,) = lines("IMGID:http://a/b.jpg\nx\tO\n")
    assert "0 of 1 picture files" in line
    assert "http://a/b.jpg (is a URL; download it and name the file)" in line
    assert "Fusion 'gate' looks at pictures: the model learns from words alone" in line
    assert "looked up in d/images; --images" in line
