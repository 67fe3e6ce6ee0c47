"""Pictures in memory, in place of files: for those who tag from Python."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_LOSSLESS = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
"""Modes that PNG keeps; TIFF keeps CMYK and F, and others are RGB under another name"""


class HeldPicture(type(Path())):  # type: ignore[misc]
    """A path that names no file, with the bytes of one. Equal bytes are one path."""

    content: bytes


def held_picture(content: bytes) -> HeldPicture:
    """The bytes of a picture file as a path that `mmseq.pictures.opening` can open."""
    path = HeldPicture(f"<picture {hashlib.sha256(content).hexdigest()}>")
    path.content = content
    return path


def bytes_of(image: Image) -> bytes:
    """A Pillow image as a file that loses nothing of it; its orientation goes along."""
    form = "PNG" if image.mode in _LOSSLESS else "TIFF"
    if form == "TIFF" and image.mode not in ("CMYK", "F"):
        image, form = image.convert("RGBA" if image.mode in ("RGBa", "La", "PA") else "RGB"), "PNG"
    file = io.BytesIO()
    image.save(file, form, exif=image.getexif())
    return file.getvalue()
