"""Pictures of data that come from elsewhere stay in their folder; standard input is read by one."""

import io
import os
import subprocess
import sys

import pytest
from PIL import Image

from mmseq import UserError
from mmseq.jobs.shipping import pack_data
from mmseq.standard_input import taken_input


def given(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/etc/passwd", "'/etc/passwd'"),
        ("../a.png", "'../a.png'"),
        ("b/../../a.png", "'b/../../a.png'"),
        ("..", "'..'"),
        ("~/a.png", "'~/a.png'"),
        ("C:\\\\a.png", "'C:\\\\a.png'"),
        ("..\\\\a.png", "'..\\\\a.png'"),
    ],
)
def test_a_picture_that_standard_input_names_lies_in_the_folder(
    pictured_run, run_cli, monkeypatch, tmp_path, name, shown
):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    line = f'{{"text": "Jordan", "images": ["{name}"]}}\n'
    given(monkeypatch, '{"text": "so tired"}\n' + line)
    folder = tmp_path / "pictures"
    done = run_cli("predict", pictured_run, "--format", "jsonl", "--images", folder)
    assert (done.code, done.err) == (
        2,
        f"Error: standard input:2: picture {shown} leads out of the picture folder ({folder}); "
        "from standard input name pictures within it (--images), or give the file with --input.\n",
    )


def test_of_a_file_pictures_may_lie_anywhere(pictured_run, run_cli, monkeypatch, tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "in.jsonl"
    lines = [f'{{"text": "Jordan", "images": "{name}"}}' for name in (tmp_path / "a.png", "a.png")]
    source.write_text("\n".join(lines))
    done = run_cli("predict", pictured_run, "--input", source, "--images", tmp_path)
    assert (done.code, done.err) == (0, "")
    given(monkeypatch, '{"text": "Jordan", "images": ["a.png"]}')
    done = run_cli("predict", pictured_run, "--format", "jsonl", "--images", tmp_path)
    assert (done.code, done.err) == (0, "")


@pytest.fixture
def shipped(tmp_path):
    """`shipped(name)`: pack data whose second sentence names that picture."""
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    Image.new("RGB", (20, 20)).save(tmp_path / "secret.png")
    Image.new("RGB", (20, 20)).save(data / "images" / "a.png")

    def pack(name):
        lines = f"IMGID:a.png\nOslo\tB-LOC\n\nIMGID:{name}\nLima\tB-LOC\n"
        (data / "train.txt").write_text(lines, encoding="utf-8")
        return pack_data({"path": str(data), "splits": ["train"]})

    return pack


@pytest.mark.parametrize("how", ["absolute", "upwards", "link", "folder"])
def test_no_picture_from_elsewhere_is_sent_to_other_machines(shipped, tmp_path, how):
    images = tmp_path / "data" / "images"
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    (images / "folder").symlink_to(tmp_path)
    name = {
        "absolute": str(tmp_path / "secret.png"),
        "upwards": "../../secret.png",
        "link": "link.png",
        "folder": "folder/secret.png",
    }[how]
    with pytest.raises(UserError, match=r"train\.txt:\d+: picture '.*does not lie in the picture"):
        shipped(name)


def test_links_within_the_folder_are_sent(shipped, tmp_path):
    (tmp_path / "data" / "images" / "link.png").symlink_to("a.png")
    assert shipped("link.png")


PROGRAM = """
import os, sys
from mmseq.standard_input import taken_input
with taken_input() as data:
    print(repr(sys.stdin.read()), os.read(0, 10), data.readline(), flush=True)
    print(data.read())
print(repr(sys.stdin.readline()), os.read(0, 10))
"""


@pytest.mark.process
def test_standard_input_is_the_command_s_alone():
    """A line is there as soon as it was written; to others there is nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdin.write("first\n")
        process.stdin.flush()
        assert process.stdout.readline() == "'' b'' b'first\\n'\n"
        process.stdin.write("second\n")
        process.stdin.close()
        assert process.stdout.readline() == "b'second\\n'\n"
        assert process.stdout.readline() == "'' b''\n"


def test_a_stream_without_a_descriptor_is_taken_too(monkeypatch):
    given(monkeypatch, "a\n")
    with taken_input() as data:
        assert sys.stdin.read() == ""
        assert data.read() == b"a\n"
    monkeypatch.setattr("sys.stdin", None)
    with taken_input() as data:
        assert data.read() == b""


def test_predict_gives_standard_input_back(pictured_run, run_cli, monkeypatch):
    given(monkeypatch, "Jordan\n")
    stream, descriptor = sys.stdin, os.fstat(0)
    assert run_cli("predict", pictured_run).code == 0
    assert sys.stdin is stream
    assert os.fstat(0) == descriptor
