"""Files: written whole or not at all, locked, and read with a line that says what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from mmseq.errors import UserError
from mmseq.toml_mistakes import remedy

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]

STALE_LOCK = 120.0
"""Seconds after which a mark is taken to be a dead process's, where there is no fcntl"""


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A file beside `path` to write into; it takes the place of `path` when the block ends.

    A kill leaves what was there, or the whole of the new file; where the block raises, what was
    there stays and the other file is removed. `shared`: several processes may write `path` at the
    same time, so that each needs a file of its own beside it.
    """
    beside = f".{path.name}.{os.getpid()}" if shared else f"{path.name}.part"
    temporary = path.with_name(beside)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """A text file as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """A JSON file; `UserError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    # Of lists in lists without end.
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged or unreadable ({error}).") from error


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a final newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; `UserError` with file and line where it is missing or broken."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a TOML file.") from error
    try:
        text = content.decode(_encoding(content)).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line} is not UTF-8; give a TOML file in UTF-8.") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        way = remedy(text, str(error))
        raise UserError(f"{path}: not valid TOML: {error}{way}.") from error


def _encoding(content: bytes) -> str:
    """Some editors put a byte order mark in front; PowerShell's > writes UTF-16. TOML has no NUL
    but in text of more bytes a character.
    """
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    zeros = [index for index, byte in enumerate(content[:2]) if not byte]
    return {0: "utf-16-be", 1: "utf-16-le"}[zeros[0]] if len(zeros) == 1 else "utf-8-sig"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path, taken: str | None = None) -> Iterator[None]:
    """A file or folder that exists is this process's alone while inside.

    Where another process has it: `UserError` with the text `taken`, or without a text, wait.

    The lock is the kernel's: it ends with its process, whatever ends that. Without one (Windows),
    a file beside `path` marks that it is taken for those who wait; nobody is turned away.
    """
    if fcntl is None:
        with nullcontext() if taken else _marked(path.with_name(path.name + ".held")):
            yield
        return
    handle = _opened(path)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB if taken else fcntl.LOCK_EX)
        except BlockingIOError as error:
            raise UserError(taken) from error
        except OSError:  # a network file system without locks
            if not taken:
                raise
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    """For writing where that can be: network file systems lock nothing else."""
    try:
        return os.open(path, os.O_RDWR)
    except OSError:  # a folder, or a file that may only be read
        return os.open(path, os.O_RDONLY)


@contextmanager
def _marked(mark: Path) -> Iterator[None]:
    """The file `mark` is there while inside, made by this process."""
    while True:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                if time.time() - mark.stat().st_mtime > STALE_LOCK:
                    mark.unlink()
            time.sleep(0.02)
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def at_home(path: str | Path) -> Path:
    """A path with the home folder for ``~``; one of a user that there is not stays as it is."""
    return Path(os.path.expanduser(path))


def user_cache() -> Path:
    """Folder for what can be made again: `MMSEQ_CACHE`, else `mmseq` in the user's cache folder.

    `UserError` where none is named and the user has no home.
    """
    if own := os.environ.get("MMSEQ_CACHE"):
        return at_home(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return at_home(base) / "mmseq"
    try:
        return Path.home() / ".cache" / "mmseq"
    except RuntimeError:
        raise UserError(
            "There is no home folder (HOME) to keep anything in: MMSEQ_CACHE names one."
        ) from None
