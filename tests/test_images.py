import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseq.pictures.opening import PictureProblem, open_picture, summarise


def save(path, image, **options):
    image.save(path, **options)
    return path


def problem_of(path):
    with pytest.raises(PictureProblem) as caught:
        open_picture(path)
    assert caught.value.path == path
    return caught.value


def test_orientation_from_exif_is_applied(tmp_path):
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    opened = open_picture(save(tmp_path / "a.jpg", image, exif=exif))
    assert opened.size == (20, 40)
    assert opened.mode == "RGB"


def test_broken_exif_does_not_lose_the_picture(tmp_path):
    path = save(
        tmp_path / "a.jpg", Image.new("RGB", (32, 32)), exif=b"Exif\0\0II*\0\xff\xff\xff\xff"
    )
    assert open_picture(path).size == (32, 32)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    path = save(tmp_path / "a.png", Image.new(mode, (20, 20)))  # wholly transparent black
    assert open_picture(path).getpixel((3, 3)) == (255, 255, 255)


def test_a_palette_with_transparency_gives_white_and_no_warning(tmp_path):
    image = Image.new("P", (20, 20))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 1)
    path = save(tmp_path / "a.png", image, transparency=b"\x00\xff")
    opened = open_picture(path)
    assert opened.getpixel((5, 5)) == (255, 255, 255)
    assert opened.getpixel((0, 0)) == (0, 0, 255)


def test_cmyk_is_converted(tmp_path):
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (20, 20), (0, 255, 255, 0)), quality=95)
    red, green, blue = open_picture(path).getpixel((5, 5))
    assert red > 200
    assert max(green, blue) < 60


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.full((20, 20), 257 * 100, dtype=np.uint16)
    path = save(tmp_path / "a.png", Image.fromarray(values))
    assert open_picture(path).getpixel((5, 5)) == (100, 100, 100)


def test_float_grey_is_spread_over_its_range(tmp_path):
    values = np.zeros((20, 20), dtype=np.float32)
    values[0, 0] = 0.5
    opened = open_picture(save(tmp_path / "a.tiff", Image.fromarray(values)))
    assert opened.getpixel((0, 0)) == (255, 255, 255)
    assert opened.getpixel((5, 5)) == (0, 0, 0)


def test_black_and_white(tmp_path):
    path = save(tmp_path / "a.png", Image.new("1", (20, 20), 1))
    assert open_picture(path).getpixel((5, 5)) == (255, 255, 255)


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert open_picture(path).getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif"])
def test_a_truncated_file_is_unreadable(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert problem_of(path).kind == "unreadable"


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_unreadable(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert problem_of(path).kind == "unreadable"


def test_a_missing_file_and_a_folder(tmp_path):
    assert problem_of(tmp_path / "none.jpg").kind == "missing"
    assert problem_of(tmp_path).kind == "unreadable"


def test_a_side_of_fifteen_pixels_is_tiny_and_sixteen_is_not(tmp_path):
    assert problem_of(save(tmp_path / "a.png", Image.new("RGB", (200, 15)))).kind == "tiny"
    assert open_picture(save(tmp_path / "b.png", Image.new("RGB", (200, 16)))).size == (200, 16)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    problem = problem_of(path)
    assert problem.kind == "unreadable"
    assert "pixels" in problem.reason


def test_postscript_is_not_handed_to_another_program(tmp_path):
    path = tmp_path / "a.eps"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\n")
    assert problem_of(path).reason.startswith("not a picture but EPS")


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by -->\n<svg/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html><svg/></html>", "a web page"),
        (b"<html><body>404</body></html>", "a web page"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"\xff\x0a\x10\x20", "JPEG XL"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS"),
        (b"PK\x03\x04\0", "a ZIP archive"),
    ],
)
def test_what_is_no_picture_is_named_as_what_it_is(tmp_path, data, form):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    problem = problem_of(path)
    assert problem.kind == "unreadable"
    assert problem.reason.startswith(f"not a picture but {form}")


def test_a_name_that_differs_in_capitals_is_told(tmp_path):
    (tmp_path / "Photo.JPG").write_bytes(b"")
    reason = "no such file; Photo.JPG is there, but capitals count"
    assert problem_of(tmp_path / "photo.jpg").reason == reason
    assert problem_of(tmp_path / "other.jpg").reason == "no such file"
    assert problem_of(tmp_path / "none" / "photo.jpg").reason == "no such file"


def test_a_name_without_its_ending_is_told(tmp_path):
    (tmp_path / "photo.JPG").write_bytes(b"")
    reason = "no such file; photo.JPG is there: name it with its ending"
    assert problem_of(tmp_path / "photo").reason == reason


@pytest.mark.parametrize("data", [b"not a picture", b"<xml/>", b"{}", b"\xff\xd8 cut"])
def test_nothing_is_guessed_of_other_files(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert problem_of(path).reason == "not a picture"


def test_threads_leave_the_warning_filters_as_they_were(tmp_path):
    image = Image.new("P", (300, 300))
    path = save(tmp_path / "a.png", image, transparency=b"\x00\xff")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        assert all(opened.mode == "RGB" for opened in pool.map(open_picture, [path] * 64))
    assert warnings.filters == before


def test_the_summary_counts_kinds_and_names_five():
    kinds = ["missing", "tiny", "missing", "unreadable", "missing", "tiny"]
    problems = [PictureProblem(Path(f"{i}.jpg"), kind, "why") for i, kind in enumerate(kinds)]
    (line,) = summarise(problems, 9)
    assert line.startswith("6 of 9 pictures cannot be used (3 missing, 1 unreadable, 2 tiny);")
    assert "First: 0.jpg: why" in line
    assert "4.jpg: why" in line
    assert "5.jpg" not in line
    assert summarise([], 9) == []


def test_a_problem_survives_pickling():
    again = pickle.loads(pickle.dumps(PictureProblem(Path("a.jpg"), "tiny", "why")))
    assert (again.path, again.kind, again.reason) == (Path("a.jpg"), "tiny", "why")
