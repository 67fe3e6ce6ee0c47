"""Pages and frames of a picture file behind the first, which is the one that is used."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from mmseq.pictures.opening import MAX_PIXELS, quiet_pillow

SEVERAL = ("TIFF", "GIF", "WEBP", "PNG", "AVIF")
"""Formats that may hold several. Not JPEG: what cameras put behind a photograph is no page"""
_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8")
_SHOWN = 5
_SMALLER = 254
"""TIFF's tag that tells a preview (bit 0) from a page"""


def further_frames(data: bytes) -> int:
    """How many pages or frames stand behind the first; 0 for what cannot be opened.

    Smaller copies of a page, as scanners put beside it, do not count. Nothing is decoded of
    formats that say how many there are.
    """
    if not _may_have_several(data):
        return 0
    try:
        with quiet_pillow(), Image.open(io.BytesIO(data), formats=_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                return 0
            number = int(getattr(image, "n_frames", 1))
            if image.format == "TIFF":
                return sum(_is_page(image, index) for index in range(1, number))
            return number - 1
    # The first is what counts; whatever is wrong behind it, it can be used.
    except Exception:
        return 0


def frames_line(frames: Mapping[Path, int]) -> str:
    """What is said of files that hold more than one picture: path -> how many are not used."""
    first = "; ".join(f"{path} ({number:,} more)" for path, number in list(frames.items())[:_SHOWN])
    more = "; …" if len(frames) > _SHOWN else ""
    return (
        f"Only the first page or frame of a file is used: {sum(frames.values()):,} more in "
        f"{len(frames):,} files are left out. {first}{more}"
    )


def _may_have_several(data: bytes) -> bool:
    """By what is quickly seen: a file of one JPEG or PNG is not opened again."""
    if data[:4] == b"RIFF":
        return b"ANIM" in data[:64]
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"acTL" in data[: data.find(b"IDAT")]
    return data[:4] in _BEGINNINGS or data[4:12] == b"ftypavis"


def _formats() -> list[str]:
    Image.init()
    return [name for name in SEVERAL if name in Image.OPEN]


def _is_page(image: Image.Image, index: int) -> bool:
    image.seek(index)
    tags = getattr(image, "tag_v2", {})
    return not int(tags.get(_SMALLER, 0)) & 1
