"""Opening pictures: any common file to RGB, or a problem that is counted, never a fake picture."""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mmseq.data.picture_names import elsewhere, shown
from mmseq.pictures.forms import foreign_form
from mmseq.pictures.held import HeldPicture
from mmseq.pictures.room import MOST, ROOM, bytes_needed, sizes_inside

MIN_SIDE = 16
"""Pixels; a picture with a shorter side can show nothing"""
MAX_PIXELS = 100_000_000
"""Pixels; a file that claims more is refused before it is decoded"""
ICON = b"\0\0\1\0"
MAX_ICON_PIXELS = 1 << 20
"""Pixels of a picture inside an icon, whose own size is 256 x 256 at most"""
STRIP = 1 << 17
"""Pixels that are converted at a time"""
# Named, because Pillow hands some others (EPS) to programs outside.
FORMATS = (
    "JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "ICO", "JPEG2000", "TGA",
    "AVIF",
)  # fmt: skip

Kind = Literal["missing", "unreadable", "tiny"]


class PictureProblem(Exception):
    """A picture that cannot be used: missing, unreadable or tiny."""

    def __init__(self, path: Path, kind: Kind, reason: str) -> None:
        super().__init__(f"{shown(path)}: {reason}")
        self.path = path
        self.kind: Kind = kind
        self.reason = reason

    def __reduce__(self) -> tuple[type[PictureProblem], tuple[Path, Kind, str]]:
        return type(self), (self.path, self.kind, self.reason)


def open_picture(path: Path) -> Image.Image:
    """The picture in RGB, upright and wholly decoded.

    Orientation is taken from EXIF, transparency is laid over white, 16-bit and float greys are
    scaled to 8 bits, of an animation the first frame is taken. Raises `PictureProblem`.
    """
    return decode_picture(read_picture(path), path)


def read_picture(path: Path) -> bytes:
    """The bytes of a picture file, `MOST` at most. Raises `PictureProblem`.

    A device, pipe or socket is not opened: some wait, some end never.
    """
    if isinstance(path, HeldPicture):
        if len(path.content) > MOST:
            raise _too_large(path, len(path.content))
        return path.content
    try:
        return _bytes_of(Path(path))
    except (FileNotFoundError, NotADirectoryError):
        raise PictureProblem(path, "missing", elsewhere(path) or _absent(Path(path))) from None
    except IsADirectoryError:
        reason = "is a folder; name the picture in it"
        raise PictureProblem(path, "unreadable", reason) from None
    except (OSError, ValueError) as error:
        if reason := elsewhere(path):
            raise PictureProblem(path, "missing", reason) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureProblem(path, "unreadable", reason) from error


def _bytes_of(path: Path) -> bytes:
    _require_file(path, path.stat().st_mode)
    # What it has become since is not waited for.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        state = os.fstat(handle)
        _require_file(path, state.st_mode)
        if state.st_size > MOST:
            raise _too_large(path, state.st_size)
        return file.read(state.st_size)


def _require_file(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        reason = "is a device, pipe or socket; name a picture file"
        raise PictureProblem(path, "unreadable", reason)


def _too_large(path: Path, size: int) -> PictureProblem:
    reason = f"its {size:,} bytes are more than the {MOST:,} that are read; make it smaller"
    return PictureProblem(path, "unreadable", reason)


def _absent(path: Path) -> str:
    """That a file is not there, and one whose name differs in capitals or ending if that is."""
    near = _in_small_letters(path.parent).get(path.stem.casefold())
    if near is None or near == path.name:
        return "no such file"
    if Path(near).stem != path.stem:
        return f"no such file; {near} is there, but capitals count"
    return f"no such file; {near} is there: name it with its ending"


@lru_cache(maxsize=16)
def _in_small_letters(directory: Path) -> dict[str, str]:
    """Names in a directory by what they are without capitals and ending; for messages alone."""
    try:
        return {Path(name).stem.casefold(): name for name in sorted(os.listdir(directory))}
    except OSError:
        return {}


def decode_picture(data: bytes, path: Path) -> Image.Image:
    """As `open_picture`, from the bytes of the file; `path` names it in a problem."""
    if not data:
        raise PictureProblem(path, "unreadable", "the file is empty")
    with quiet_pillow():
        try:
            # Pillow decodes what is in an icon when it opens it.
            for size in sizes_inside(data) if data.startswith(ICON) else ():
                _check_size(size, path, MAX_ICON_PIXELS)
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                _check_size(image.size, path)
                with ROOM.taken(_need(image, len(data), path)):
                    image.load()
                    return _to_rgb(_upright(image))
        except PictureProblem:
            raise
        except UnidentifiedImageError:
            form = foreign_form(data)
            reason = f"not a picture but {form}" if form else "not a picture"
            raise PictureProblem(path, "unreadable", reason) from None
        except Exception as error:  # Pillow's decoders raise nearly everything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PictureProblem(path, "unreadable", reason) from error


def summarise(problems: Collection[PictureProblem], total: int) -> list[str]:
    """One line on the pictures that cannot be used, of `total`; no line where there is none."""
    if not problems:
        return []
    counts = Counter(problem.kind for problem in problems)
    kinds: tuple[Kind, ...] = ("missing", "unreadable", "tiny")
    parts = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    first = "; ".join(str(problem) for problem in list(problems)[:5])
    return [
        f"{len(problems)} of {total} pictures cannot be used ({parts}); "
        f"their sentences are used without them. First: {first}"
    ]


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    # Which of them there are depends on how Pillow was built.
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_size(size: tuple[int, int], path: Path, most: int = MAX_PIXELS) -> None:
    width, height = size
    if width * height > most:
        reason = f"{width} x {height} pixels are more than the {most:,} that are decoded"
        raise PictureProblem(path, "unreadable", reason)
    if min(width, height) < MIN_SIDE:
        reason = f"{width} x {height} pixels; a side needs {MIN_SIDE}"
        raise PictureProblem(path, "tiny", reason)


def _need(image: Image.Image, file_bytes: int, path: Path) -> int:
    need = bytes_needed(image, file_bytes)
    if need > MOST:
        width, height = image.size
        reason = (
            f"{width} x {height} pixels ({image.format}, {image.mode}) take {need / 1e6:,.0f} MB "
            f"to decode, more than {MOST / 1e6:,.0f}; make it smaller"
        )
        raise PictureProblem(path, "unreadable", reason)
    return need


def _upright(image: Image.Image) -> Image.Image:
    # Broken EXIF is no reason to lose the picture.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _in_eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _over_white(image)
    if image.mode != "RGB":
        return image.convert("RGB")
    # A copy even of RGB, as the opened file is closed on return; a large one lives on instead.
    return image if 8 * image.width * image.height > MOST else image.copy()


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Where rows begin, and these rows: what is computed of all at once takes many times it."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _over_white(image: Image.Image) -> Image.Image:
    made = Image.new("RGB", image.size)
    for top, strip in _strips(image):
        rgba = strip.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        made.paste(Image.alpha_composite(white, rgba).convert("RGB"), (0, top))
    return made


def _in_eight_bits(image: Image.Image) -> Image.Image:
    def values(strip: Image.Image) -> NDArray[np.float64]:
        return np.asarray(strip).astype(np.float64)

    # Of values that are no number the others; none where there are no others.
    highest = [float(np.fmax.reduce(values(s), axis=None)) for _, s in _strips(image)]
    high = float(np.fmax.reduce(highest))
    if image.mode == "F":
        lowest = [float(np.fmin.reduce(values(s), axis=None)) for _, s in _strips(image)]
        low = float(np.fmin.reduce(lowest))
    else:
        # Mode I also holds 16-bit files; what goes beyond is scaled by its own largest value.
        low, high = 0.0, max(65535.0, high)
    made = Image.new("RGB", image.size)
    for top, strip in _strips(image):
        scaled = (values(strip) - low) / ((high - low) or 1.0) * 255.0
        eight = np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8)
        made.paste(Image.fromarray(eight).convert("RGB"), (0, top))
    return made


_lock = threading.Lock()
_inside = 0
_filters: warnings.catch_warnings[None] | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings from Pillow inside; may be entered by several threads at once.

    Warning filters belong to the whole process, and `warnings.catch_warnings` in threads that
    overlap can leave them wrong: the first thread in sets them and the last one out restores them.
    """
    global _inside, _filters
    with _lock:
        if _inside == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _filters is not None:
                _filters.__exit__(None, None, None)
                _filters = None
