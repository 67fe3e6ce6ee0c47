"""Before a file or folder gets its name its content is on the disk, and the name after it."""

import os

import pytest

from mmseq.durable import put_folder
from mmseq.files import replacing, write_text


@pytest.fixture
def events(monkeypatch):
    """What is synchronised and renamed, in order: a path of what is synchronised, as it is then."""
    found = []
    real = {name: getattr(os, name) for name in ("fsync", "replace", "rename")}

    def fsync(handle):
        found.append(("synchronise", os.readlink(f"/proc/self/fd/{handle}")))
        real["fsync"](handle)

    def renaming(name):
        def rename(source, target):
            found.append(("rename", str(target)))
            real[name](source, target)

        return rename

    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, renaming(name))
    return found


linux = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="which file a handle is of is told by /proc"
)


@linux
def test_a_file_is_on_the_disk_before_its_name_is_there(events, tmp_path):
    write_text(tmp_path / "a.json", "{}")
    assert events == [
        ("synchronise", str(tmp_path / "a.json.part")),
        ("rename", str(tmp_path / "a.json")),
        ("synchronise", str(tmp_path)),
    ]


@linux
def test_all_of_a_folder_is_on_the_disk_before_its_name_is_there(events, tmp_path):
    draft = tmp_path / "draft"
    (draft / "images").mkdir(parents=True)
    (draft / "train.jsonl").write_text("{}")
    (draft / "images" / "a.jpg").write_bytes(b"a")
    put_folder(draft, tmp_path / "data")
    renamed = events.index(("rename", str(tmp_path / "data")))
    assert {path for _, path in events[:renamed]} == {
        str(draft),
        str(draft / "images"),
        str(draft / "train.jsonl"),
        str(draft / "images" / "a.jpg"),
    }
    assert events[renamed + 1 :] == [("synchronise", str(tmp_path))]


def test_a_disk_that_fails_leaves_what_was_there(monkeypatch, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fsync(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_killed_processes_left_beside_a_shared_file_is_swept_when_it_is_old(tmp_path):
    path = tmp_path / "lengths.i32"
    old, new, other = (tmp_path / n for n in (".lengths.i32.1", ".lengths.i32.2", ".other.1"))
    library = tmp_path / ".tmpAbC123"
    for file in (old, new, other, library):
        file.write_text("half")
    for file in (old, other, library):
        os.utime(file, (0, 0))
    with replacing(path, shared=True) as beside:
        beside.write_text("whole")
    assert set(tmp_path.iterdir()) == {path, new, other}
