"""Pages and frames behind the first, counted by hand."""

import io
from pathlib import Path

import pytest
from PIL import Image

from mmseq.pictures.frames import frames_line, further_frames

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def picture(form, number=3, **options):
    first, *rest = [Image.new("RGB", (32, 24), colour) for colour in COLOURS[:number]]
    file = io.BytesIO()
    first.save(file, form, **({"save_all": True, "append_images": rest} if rest else {}), **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["TIFF", "GIF", "WEBP", "PNG"])
def test_what_stands_behind_the_first_is_counted(form):
    assert further_frames(picture(form)) == 2
    assert further_frames(picture(form, 1)) == 0


def test_a_smaller_copy_of_a_page_is_no_page():
    pages = [Image.new("RGB", (32, 24), colour) for colour in COLOURS]
    # Tag 254: a preview; tag 255 would be its older form.
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert further_frames(file.getvalue()) == 1


@pytest.mark.parametrize("data", [b"", b"II*\0", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"text"])
def test_what_cannot_be_opened_has_none(data):
    assert further_frames(data) == 0


def test_a_file_cut_short_behind_its_first_page_is_no_error():
    assert further_frames(picture("TIFF")[:-40]) in (0, 1, 2)


def test_what_is_said():
    frames = {Path(f"{number}.tif"): 2 for number in range(6)}
    assert frames_line(frames) == (
        "Only the first page or frame of a file is used: 12 more in 6 files are left out. "
        "0.tif (2 more); 1.tif (2 more); 2.tif (2 more); 3.tif (2 more); 4.tif (2 more); …"
    )
