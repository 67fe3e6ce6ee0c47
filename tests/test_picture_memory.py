"""One picture takes so much memory at most, all decoders together so much, and no file hangs."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from mmseq.pictures import opening
from mmseq.pictures.held import held_picture
from mmseq.pictures.opening import PictureProblem, open_picture
from mmseq.pictures.room import MOST, TOGETHER, Room

PEAK = """
import json, resource, sys
from pathlib import Path
from PIL import Image
from mmseq.pictures.opening import PictureProblem, open_picture
from mmseq.pictures.room import bytes_needed
Image.init()
path = Path(sys.argv[1])
with Image.open(path) as image:
    need = bytes_needed(image, path.stat().st_size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_picture(path)
    said = ""
except PictureProblem as problem:
    said = problem.reason
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([(peak - before) * 1024, need, said]))
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in KiB by Linux alone")


def peak_of(path):
    """Bytes that a process grows by over opening the picture, those foretold, and what is said."""
    command = [sys.executable, "-c", PEAK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def drawn(mode, side):
    """A picture of that mode that compresses well."""
    if mode == "I;16":
        values = np.zeros((side, side), np.uint16)
        values[: side // 2] = 40_000
        return Image.fromarray(values)
    return Image.new(mode, (side, side), 1)


@linux
@pytest.mark.parametrize(
    ("mode", "form", "more"),
    [
        ("I;16", "png", {}),
        ("I;16", "tiff", {}),
        ("F", "tiff", {}),
        ("I", "tiff", {}),
        ("P", "png", {}),
        ("P", "png", {"transparency": 0}),
        ("LA", "png", {}),
        ("RGBA", "png", {}),
        ("RGB", "jpeg", {}),
        ("RGB", "jpeg", {"progressive": True}),
        ("CMYK", "jpeg", {}),
        ("RGB", "bmp", {}),
        ("RGB", "webp", {"lossless": True}),
        ("RGB", "ppm", {}),
        ("1", "png", {}),
        ("RGB", "tiff", {"compression": "tiff_lzw"}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) or "plain",
)
def test_no_more_is_taken_than_is_foretold(mode, form, more, tmp_path):
    path = tmp_path / f"a.{form}"
    drawn(mode, 3000).save(path, form, **more)
    peak, need, said = peak_of(path)
    assert said == ""
    # The file is read, and Python and its libraries grow a little beside.
    assert peak <= need + path.stat().st_size + 24e6


@linux
def test_what_would_take_more_is_refused_before(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (9500, 9500)).save(path, compress_level=1)
    peak, need, said = peak_of(path)
    assert need > MOST
    assert "9500 x 9500 pixels (PNG, RGBA) take" in said
    assert said.endswith("to decode, more than 400; make it smaller")
    assert peak < 50e6


def quickly(path):
    """The problem of a picture, told within a second."""
    started = time.monotonic()
    with pytest.raises(PictureProblem) as problem:
        open_picture(path)
    assert time.monotonic() - started < 1
    return problem.value


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    named = socket.socket(socket.AF_UNIX)
    named.bind(str(tmp_path / "socket.jpg"))
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "socket.jpg", "link.jpg"):
        problem = quickly(tmp_path / name)
        assert problem.reason == "is a device, pipe or socket; name a picture file"
    named.close()


def test_bytes_from_python_go_the_same_way(monkeypatch):
    monkeypatch.setattr(opening, "MOST", 10)
    assert "20 bytes are more than the 10" in quickly(held_picture(b"x" * 20)).reason


def test_what_needs_more_than_there_is_has_all_of_it():
    room = Room(100)
    with room.taken(1000):
        assert room._left == 0
    assert room._left == 100
    assert TOGETHER == 2 * MOST
