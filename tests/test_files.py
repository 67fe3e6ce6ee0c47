"""Files are written whole or not at all, and locked."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from mmseq.errors import UserError
from mmseq.files import (
    locked,
    replacing,
    sha256_of,
    user_cache,
    write_json,
    write_text,
)


@pytest.mark.parametrize("several", [False, True])
def test_a_failed_write_leaves_what_was_there_and_nothing_beside_it(tmp_path, several):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half():
        with replacing(path, shared=several) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_value_that_is_no_json_leaves_what_was_there(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"f1": 50.0})
    with pytest.raises(TypeError):
        write_json(path, {"f1": {1, 2}})
    assert json.loads(path.read_text()) == {"f1": 50.0}
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_what_cannot_take_the_place_is_removed(tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(OSError, match="table.csv"):
        write_text(tmp_path / "table.csv", "new")
    assert os.listdir(tmp_path) == ["table.csv"]


def test_while_it_is_written_the_old_content_is_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path) as beside:
        assert beside.name == "table.csv.part"
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_processes_that_write_the_same_file_have_one_each_beside_it(tmp_path):
    with replacing(tmp_path / "weights", shared=True) as beside:
        assert beside.name == f".weights.{os.getpid()}"
        beside.write_text("all of it")
    assert os.listdir(tmp_path) == ["weights"]


def test_permissions_are_those_that_the_user_gives_new_files(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "table.csv", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "table.csv").stat().st_mode) == 0o640


def test_json_as_it_lies_on_disk(tmp_path):
    write_json(tmp_path / "a.json", {"labels": ["O", "B-PER"]})
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n  "labels": [\n    "O",\n    "B-PER"\n  ]\n}\n'
    )


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    (tmp_path / "b").write_bytes(bytes(3 << 20))
    assert sha256_of(tmp_path / "b") == hashlib.sha256(bytes(3 << 20)).hexdigest()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_another_process_has_locked_is_refused(tmp_path, kind):
    path = tmp_path / "own"
    path.mkdir() if kind == "folder" else path.write_text("kept")
    with locked(path, "taken by another"):
        with pytest.raises(UserError) as caught, locked(path, "taken, and told so"):
            pytest.fail("two are inside")
        assert str(caught.value) == "taken, and told so"
    with locked(path, "taken by another"):
        pass
    assert path.is_dir() or path.read_text() == "kept"


def test_an_error_inside_ends_the_lock(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path, "taken by another"):
        raise KeyError
    with locked(tmp_path, "taken by another"):
        pass


def test_what_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "nothing"):
        pass


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel's lock", "mark"])
def test_processes_take_turns(tmp_path, kernel):
    """Four processes add 1 a hundred times each to a number in a file; no addition is lost."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mmseq import files\n"
        f"if not {kernel}: files.fcntl = None\n"
        "folder = Path(sys.argv[1])\n"
        "for _ in range(100):\n"
        "    with files.locked(folder / 'lock'):\n"
        "        number = folder / 'number'\n"
        "        number.write_text(str(int(number.read_text()) + 1))\n"
    )
    (tmp_path / "number").write_text("0")
    (tmp_path / "lock").touch()
    all_of_them = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for _ in range(4)]
    assert [process.wait(120) for process in all_of_them] == [0] * 4
    assert (tmp_path / "number").read_text() == "400"


def test_a_dead_process_s_mark_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr("mmseq.files.fcntl", None)
    mark = tmp_path / "lock.held"
    mark.touch()
    os.utime(mark, (0, 0))
    with locked(tmp_path / "lock"):
        assert mark.stat().st_mtime > 0
    assert not mark.exists()


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "own"))
    assert user_cache() == tmp_path / "own"
    monkeypatch.delenv("MMSEQ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache() == tmp_path / "xdg" / "mmseq"
