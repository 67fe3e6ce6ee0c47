"""Which file of a folder is which split, by hand; and which are named as not read."""

import pytest

from mmseq.data.folder import find_split, unread_files
from mmseq.data.splits import SPLITS, load_folder, require_split
from mmseq.errors import UserError


@pytest.fixture
def folder(tmp_path):
    def make(*files):
        for name in files:
            (tmp_path / name).write_text("a\tO\n")
        return tmp_path

    return make


def found(folder):
    paths = {split: find_split(folder, split) for split in SPLITS}
    return {split: path.name for split, path in paths.items() if path}


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (("train.txt", "val.txt"), ("train.txt", "val.txt")),
        (("train.txt", "validation.conll"), ("train.txt", "validation.conll")),
        (("train.txt", "devel.txt", "test.txt"), ("train.txt", "devel.txt", "test.txt")),
        (("train.txt", "testa.txt", "testb.txt"), ("train.txt", "testa.txt", "testb.txt")),
        (("Train.txt", "DEV.TXT", "Test.Conll"), ("Train.txt", "DEV.TXT", "Test.Conll")),
        (("training.txt", "development.txt"), ("training.txt", "development.txt")),
        # The split's own name wins, and ``dev`` is one.
        (("train.txt", "valid.txt", "val.txt"), ("train.txt", "valid.txt")),
        (("train.txt", "dev.txt", "validation.txt"), ("train.txt", "dev.txt")),
        (("train.txt", "training.txt"), ("train.txt",)),
        # ``eval`` is for validation where nothing else is, else the test file.
        (("train.txt", "eval.txt"), ("train.txt", "eval.txt")),
        (("train.txt", "eval.txt", "test.txt"), ("train.txt", "eval.txt", "test.txt")),
        (("train.txt", "dev.txt", "eval.txt"), ("train.txt", "dev.txt", "eval.txt")),
        (("train.txt", "val.txt", "eval.txt"), ("train.txt", "val.txt", "eval.txt")),
        (("train.txt", "dev.txt", "eval.txt", "test.txt"), ("train.txt", "dev.txt", "test.txt")),
        # Parts of names say nothing.
        (("train.txt", "tweets_val.txt", "train_ids.txt"), ("train.txt",)),
    ],
)
def test_files_of_splits(folder, files, splits):
    assert found(folder(*files)) == dict(zip(SPLITS, splits, strict=False))


@pytest.mark.parametrize(
    "files",
    [("val.txt", "validation.txt"), ("val.txt", "Val.conll"), ("devel.txt", "testa.txt")],
)
def test_two_files_that_may_be_a_split_are_an_error_that_names_both(folder, files):
    data = folder("train.txt", *files)
    with pytest.raises(UserError, match="both claim to be the split 'valid'") as caught:
        load_folder(data)
    assert all(name in str(caught.value) for name in files)


@pytest.mark.parametrize(
    ("files", "unread"),
    [
        (("train.txt", "valid.txt", "test.txt", "notes.txt", "README.md"), []),
        (("train.txt", "valid.txt", "val.txt"), ["val.txt"]),
        (("train.txt", "eng.testa", "eng.testb"), ["eng.testa", "eng.testb"]),
        (("train.txt", "tweets_val.txt", "test_results.md"), ["tweets_val.txt"]),
        (("train.txt", "dev.xlsx"), ["dev.xlsx (no reader for its ending)"]),
        (("train.txt", "test.txt.gz"), ["test.txt.gz (no reader for its ending)"]),
        (("train.txt", "latest.txt", "contest.txt"), []),
    ],
)
def test_files_that_are_not_read_are_named(folder, files, unread):
    line = unread_files(folder(*files), SPLITS)
    named = line.removeprefix("Not read: ").partition(". Files of")[0].split(", ")
    expected = [str(folder() / name) for name in unread]
    assert [name.removesuffix(" (no reader for its ending)") for name in named if name] == [
        name.removesuffix(" (no reader for its ending)") for name in expected
    ]
    assert line.count("no reader") == sum("(" in name or name[-1] in "ab" for name in unread)


def test_a_split_that_is_asked_for_names_what_may_be_it(folder):
    data = folder("train.txt", "eng.testb")
    with pytest.raises(UserError, match=r"no split 'test'.*Not read: .*eng\.testb"):
        require_split(load_folder(data), "test", data)
