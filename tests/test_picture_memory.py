"""One picture takes so much memory at most, all decoders together so much, and no file hangs."""

import json
import os
import socket
import subprocess
import sys
import threading
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
def test_a_large_picture_of_sixteen_bits_stays_within_what_one_may_take(tmp_path):
    path = tmp_path / "a.png"
    drawn("I;16", 7000).save(path, compress_level=1)
    peak, need, said = peak_of(path)
    assert (said, need <= MOST) == ("", True)
    assert peak <= MOST


@linux
def test_what_would_take_more_is_refused_before(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (9500, 9500)).save(path, compress_level=1)
    peak, need, said = peak_of(path)
    assert need > MOST
    assert "9500 x 9500 pixels (PNG, RGBA) take" in said
    assert said.endswith("to decode, more than 400; make it smaller")
    assert peak < 50e6


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA", "LA", "P"])
def test_strips_give_what_the_whole_gives(mode, tmp_path, monkeypatch):
    generator = np.random.default_rng(1)
    if mode == "F":
        made = Image.fromarray(generator.normal(size=(37, 53)).astype(np.float32))
    elif mode in ("I", "I;16"):
        values = generator.integers(0, 70_000 if mode == "I" else 65_536, (37, 53))
        made = Image.fromarray(values.astype(np.int32 if mode == "I" else np.uint16))
    else:
        pixels = generator.integers(0, 256, (37, 53, 4)).astype(np.uint8)
        made = Image.fromarray(pixels, "RGBA").convert(mode)
    path = tmp_path / "a.tiff"
    made.save(path, "TIFF")
    whole = np.asarray(open_picture(path))
    monkeypatch.setattr(opening, "STRIP", 53 * 5)
    assert np.array_equal(np.asarray(open_picture(path)), whole)
    if mode == "F":
        # By hand: the range of the values, spread over 0 to 255.
        values = np.asarray(made, np.float64)
        spread = (values - values.min()) / (values.max() - values.min()) * 255
        assert np.array_equal(whole[..., 0], spread.round().astype(np.uint8))


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


def test_a_file_of_many_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(100 << 30)
    assert "107,374,182,400 bytes are more than the 400,000,000" in quickly(path).reason


def test_bytes_from_python_go_the_same_way(monkeypatch):
    monkeypatch.setattr(opening, "MOST", 10)
    assert "20 bytes are more than the 10" in quickly(held_picture(b"x" * 20)).reason


def test_decoders_wait_for_room_and_none_waits_for_ever():
    room, at_once, most, guard = Room(100), 0, 0, threading.Lock()

    def decode(need):
        nonlocal at_once, most
        for _ in range(30):
            with room.kept():
                with room.taken(need), guard:
                    at_once += need
                    most = max(most, at_once)
                time.sleep(0.0005)
                with guard:
                    at_once -= need

    threads = [threading.Thread(target=decode, args=(n,)) for n in (30, 60, 80, 100, 20, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert 60 <= most <= 100


def test_what_needs_more_than_there_is_has_all_of_it():
    room = Room(100)
    with room.taken(1000):
        assert room._left == 0
    assert room._left == 100
    assert TOGETHER == 2 * MOST


def test_an_error_gives_the_room_back():
    room = Room(100)

    def fail():
        with room.kept(), room.taken(70):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert room._left == 100
