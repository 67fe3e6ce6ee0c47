"""How much memory decoding a picture takes, and the room that all decoders have together."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

MOST = 400_000_000
"""Bytes that one picture may take while it is decoded; its file may have as many"""
TOGETHER = 800_000_000
"""Bytes that all may take at a time"""
_STORED = {"1": 1, "L": 1, "P": 1}
"""Bytes that Pillow takes for a pixel of a mode; two for 16 bits, four for others"""
_DECODERS = {"WEBP": 12, "AVIF": 12, "JPEG2000": 16, "BMP": 4, "DIB": 4, "PPM": 8, "ICO": 8}
"""Bytes that a format's decoder keeps for a pixel beside Pillow's picture, at most"""
_INSIDE = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{8})", re.DOTALL)
_ORIENTATION, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH, _BITS = 274, 278, 322, 323, 258


class Room:
    """Bytes that threads share: who needs more than are left waits until others give back theirs.

    Nobody asks for more while he has some, so that nobody waits for himself or in a circle.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._left = size
        self._changed = threading.Condition()
        self._own = threading.local()

    @contextmanager
    def taken(self, need: int) -> Iterator[None]:
        """`need` bytes are this thread's while inside, and while inside `kept`."""
        need = min(need, self.size)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= need)
            self._left -= need
        owed = getattr(self._own, "owed", None)
        try:
            yield
        finally:
            if owed is None:
                self._give_back(need)
            else:
                owed.append(need)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is taken inside is given back at the end: a decoded picture lives on. Take once."""
        self._own.owed = []
        try:
            yield
        finally:
            owed, self._own.owed = self._own.owed, None
            self._give_back(sum(owed))

    def _give_back(self, need: int) -> None:
        with self._changed:
            self._left += need
            self._changed.notify_all()


ROOM = Room(TOGETHER)


def bytes_needed(image: Image.Image, file_bytes: int) -> int:
    """The most that it takes at a time to make an opened picture RGB, by what its header says."""
    pixels = image.width * image.height
    stored = 2 if image.mode.startswith("I;16") else _STORED.get(image.mode, 4)
    # A PNG file that has not told of EXIF would be decoded to look for it at the end.
    known = image.format != "PNG" or "exif" in image.info
    turned = stored if known and image.getexif().get(_ORIENTATION, 1) != 1 else 0
    # RGB is not copied where there is no room.
    made = 0 if image.mode == "RGB" and 8 * pixels > MOST else 4
    decoder = _DECODERS.get(image.format or "", 0)
    if image.info.get("progressive") or image.info.get("progression"):
        decoder += 2 * len(image.getbands())
    beside = decoder * pixels
    if image.format == "TIFF" and image.info.get("compression", "raw") != "raw":
        beside += file_bytes + _strip_bytes(image)
    return pixels * stored + max(beside, pixels * max(turned, made))


def _strip_bytes(image: Image.Image) -> int:
    """What of a TIFF is decoded at a time."""
    tags = getattr(image, "tag_v2", {})
    rows = min(int(tags.get(_ROWS_PER_STRIP, image.height)), image.height)
    area = int(tags.get(_TILE_WIDTH, image.width)) * int(tags.get(_TILE_LENGTH, rows))
    bits = tags.get(_BITS, (8,))
    return area * sum(bits if isinstance(bits, tuple) else (bits,)) // 8


def sizes_inside(data: bytes) -> list[tuple[int, int]]:
    """Widths and heights of the PNG pictures in an icon."""
    found = _INSIDE.findall(data)
    return [(int.from_bytes(size[:4]), int.from_bytes(size[4:])) for size in found]
