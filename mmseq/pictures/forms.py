"""Files that are no picture which can be opened, told by their first bytes, with the remedy."""

from __future__ import annotations

import re
from typing import Final

_PHONE = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%!PS", "EPS or PostScript, a drawing: export it as PNG"),
    (b"8BPS", "a Photoshop file (PSD): export it as PNG"),
    (b"\xff\x0a", "JPEG XL: convert it to JPEG"),
    (b"\0\0\0\x0cJXL ", "JPEG XL: convert it to JPEG"),
    (b"AT&TFORM", "DjVu: export its page as PNG"),
    (b"PK\x03\x04", "a ZIP archive: unpack it"),
    (b"\x1f\x8b", "compressed (gzip): unpack it"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM): save a frame of it as PNG"),
    (b"version https://git-lfs", "a pointer of Git LFS: run `git lfs pull`"),
)
_PAGE = re.compile(rb"<(!doctype html|html|head|body)\b", re.IGNORECASE)
_DRAWING = re.compile(rb"<svg\b|<!doctype svg\b", re.IGNORECASE)


def foreign_form(data: bytes) -> str:
    """What a file is that Pillow finds no picture in, and what to do; empty where that is unknown.

    `data`: its bytes; the first of them tell.
    """
    begin = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data[4:8] == b"ftyp":
        brand = data[8:12].lower()
        if brand in _PHONE:
            return "HEIC, as phones save photographs: convert it to JPEG"
        if brand in (b"avif", b"avis"):
            return "AVIF, which Pillow cannot open here: convert it to JPEG"
        return "a video (MP4 or its kin): save a frame of it as PNG"
    if b"%PDF-" in data[:1024]:
        return "PDF: export its page as PNG"
    for first, what in _BEGINNINGS:
        if data.startswith(first):
            return what
    if begin.startswith(b"<"):
        # A drawing inside a web page is the page's.
        if _PAGE.match(begin) or (_PAGE.search(begin) and not _DRAWING.search(begin)):
            return "a web page (HTML): download the picture itself"
        if _DRAWING.search(data[:8192]):
            return "SVG, a drawing: export it as PNG"
    return ""
