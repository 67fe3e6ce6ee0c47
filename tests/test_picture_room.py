"""What one picture and all decoders together may take, and files that are no files."""

import os
import resource
import socket
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseq.pictures import reading
from mmseq.pictures.held import held_picture
from mmseq.pictures.opening import PictureProblem, open_picture
from mmseq.pictures.room import MOST, Room, bytes_needed

PEAK = """
import resource, sys
from pathlib import Path
from PIL import Image
from mmseq.pictures.opening import PictureProblem, open_picture
Image.init()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
try:
    said = open_picture(Path(sys.argv[1])).size
except PictureProblem as problem:
    said = problem.reason
print(peak() - before)
print(said)
"""


def problem_of(path):
    with pytest.raises(PictureProblem) as caught:
        open_picture(path)
    return caught.value.reason


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket, lambda p: p.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_opened(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    path = Path("picture.jpg")
    make(path)
    started = time.monotonic()
    assert problem_of(path) == "is a device, pipe or socket; name a picture file"
    assert time.monotonic() - started < 1


def test_a_file_of_100_gb_is_not_read(tmp_path):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(100_000_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert problem_of(path).startswith("its 100,000,000,000 bytes are more than the 400,000,000")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


@pytest.mark.process
@pytest.mark.parametrize("side", [6000, 10_000])
def test_sixteen_bits_take_what_was_reckoned_or_are_refused(tmp_path, side):
    """10,000 x 10,000 of them took 3.4 GB: they need 2 bytes a pixel, and 4 as RGB."""
    path = tmp_path / "grey.png"
    Image.fromarray(np.zeros((side, side), np.uint16)).save(path, compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True, timeout=120
    )
    peak, said = done.stdout.splitlines()
    assert int(peak) < MOST
    if side == 6000:
        assert said == "(6000, 6000)"
        assert int(peak) < 1.15 * 6 * side * side
    else:
        assert said == (
            "10000 x 10000 pixels (PNG, I;16) take 600 MB to decode, more than 400; make it smaller"
        )


def test_bytes_are_reckoned_from_the_header(tmp_path):
    path = tmp_path / "picture"
    for mode, form, expected in [
        ("L", "PNG", 1 + 4),
        ("RGB", "PNG", 4 + 4),
        ("RGBA", "PNG", 4 + 4),
        ("CMYK", "JPEG", 4 + 4),
        ("RGB", "WEBP", 4 + 12),
    ]:
        Image.new(mode, (40, 50)).save(path, form)
        with Image.open(path) as image:
            assert bytes_needed(image, 7) == expected * 40 * 50
    Image.new("RGB", (40, 50)).save(path, "JPEG", progressive=True)
    with Image.open(path) as image:
        assert bytes_needed(image, 7) == (4 + 2 * 3) * 40 * 50


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA", "LA", "P"])
def test_strips_give_what_the_whole_gives(tmp_path, monkeypatch, mode):
    values = np.random.default_rng(0).integers(0, 60_000, (70, 30))
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}.get(mode)
    image = Image.fromarray(values.astype(kind or np.uint8))
    if kind is None:
        image = image.convert(mode)
        if mode != "P":
            image.putalpha(Image.fromarray((values // 7 % 256).astype(np.uint8)))
    path = tmp_path / ("picture.tif" if mode in ("I", "F") else "picture.png")
    image.save(path, **({"transparency": 3} if mode == "P" else {}))
    whole = np.asarray(open_picture(path))
    monkeypatch.setattr("mmseq.pictures.opening.STRIP", 30 * 11)
    assert (np.asarray(open_picture(path)) == whole).all()
    if kind is not None:
        low, high = (values.min(), values.max()) if mode == "F" else (0, 65535)
        expected = ((values - low) / (high - low) * 255).round().astype(np.uint8)
        assert (whole == expected[..., None]).all()


def test_values_that_are_no_numbers_do_not_hide_the_others(tmp_path):
    values = np.full((40, 20), np.nan, np.float32)
    values[0], values[30] = 2, 4
    Image.fromarray(values).save(tmp_path / "nan.tif")
    shown = np.asarray(open_picture(tmp_path / "nan.tif"))
    assert (shown[30] == 255).all()
    assert shown.sum() == 20 * 3 * 255


def test_a_large_picture_inside_an_icon_is_refused(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.ico", sizes=[(32, 32)])
    open_picture(tmp_path / "a.ico")
    data = (tmp_path / "a.ico").read_bytes()
    place = data.index(b"IHDR") + 4
    header = (9000).to_bytes(4) + (9000).to_bytes(4) + data[place + 8 : place + 13]
    own = zlib.crc32(b"IHDR" + header).to_bytes(4)
    data = data[:place] + header + own + data[place + 17 :]
    with pytest.raises(PictureProblem, match="9000 x 9000 pixels"):
        open_picture(held_picture(data))


def test_decoders_wait_for_room_and_none_for_ever():
    room, lock = Room(100), threading.Lock()
    inside, most, done = 0, 0, 0

    def work(need):
        nonlocal inside, most, done
        for _ in range(20):
            with room.kept():
                with room.taken(need):
                    with lock:
                        inside += need
                        most = max(most, inside)
                    time.sleep(0.0005)
                # The picture that was made still lives.
                with lock:
                    assert inside <= 100
                    inside -= need
        with lock:
            done += 1

    threads = [threading.Thread(target=work, args=(need,), daemon=True) for need in (50, 50, 49, 7)]
    threads += [threading.Thread(target=work, args=(need,), daemon=True) for need in (100, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == 6
    assert 50 < most <= 100


def test_room_is_given_back_where_decoding_fails():
    room = Room(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), room.kept(), room.taken(80):
            raise ValueError("broken")
    with room.taken(100):
        pass


def test_a_large_file_is_read_again_and_must_be_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "KEPT", 10)
    path = tmp_path / "picture.png"
    Image.new("RGB", (20, 20), (1, 2, 3)).save(path)
    data = path.read_bytes()

    def change(sha):
        path.write_bytes(b"another")
        return True

    same, other = (
        next(reading.read_once([path], wanted, lambda found, _: found, ahead=1))
        for wanted in (lambda sha: True, change)
    )
    assert (same.made, same.sha256) == (data, other.sha256)
    assert str(other.made) == f"{path}: has changed while it was read"
