"""Files: written whole or not at all, locked, and read with a line that says what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from mmseq.durable import put
from mmseq.errors import UserError
from mmseq.toml_mistakes import remedy

try:
    # Named anew, since other modules take it from here.
    import fcntl as fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]

STALE_LOCK = 120.0
"""Seconds after which a mark is taken to be a dead process's, where there is no fcntl"""
LONGEST_NAME = 255
"""Bytes of a file's name on nearly every file system"""
DEEPEST = 50
"""Tables and lists within each other in a TOML file"""
STALE_FILE = 3600.0
"""Seconds without a write after which a file under way is taken to be a dead process's"""


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A file beside `path` to write into; it takes the place of `path` when the block ends.

    A kill or a loss of power leaves what was there, or the whole of the new file; where the block
    raises, what was there stays and the other file is removed. `shared`: several processes may
    write `path` at the same time, so that each needs a file of its own beside it.
    """
    beside = f".{path.name}.{os.getpid()}" if shared else f"{path.name}.part"
    temporary = path.with_name(beside)
    if shared:
        _sweep(path)
    try:
        yield temporary
        put(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        # A write is refused by a number alone; the reader wants to know of which file.
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


def _sweep(path: Path) -> None:
    """Remove what killed processes left beside `path`: their own files, and those of the library
    that writes weights, which has names of its own for them.
    """
    with suppress(OSError):
        for file in path.parent.iterdir():
            own = file.name.startswith(f".{path.name}.") or re.fullmatch(r"\.tmp\w{6}", file.name)
            # On another machine its process cannot be asked for; nobody writes that slowly.
            if own and time.time() - file.stat().st_mtime > STALE_FILE:
                file.unlink()


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """While a library writes into the folder `path`: what the system refuses it is an `OSError`, in
    whatever it is wrapped. Those written in Rust end with ``(os error 28)``.
    """
    try:
        yield
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if isinstance(error, OSError) or number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


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
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        way = remedy(text, str(error))
        raise UserError(f"{path}: not valid TOML: {error}{way}.") from error
    except RecursionError as error:
        raise _too_deep(path) from error
    # Python reads no number of more than 4,300 digits.
    except ValueError as error:
        raise UserError(
            f"{path}: a number in it has too many digits; write a shorter one."
        ) from error
    if depth(found) > DEEPEST:
        raise _too_deep(path)
    return found


def _too_deep(path: Path) -> UserError:
    return UserError(
        f"{path}: tables or lists in it lie more than {DEEPEST} deep; no setting does."
    )


def depth(value: Any) -> int:
    """How deep tables and lists lie in each other."""
    deepest, open_ = 0, [(value, 1)]
    while open_:
        inner, depth = open_.pop()
        if isinstance(inner, dict | list):
            deepest = max(deepest, depth)
            within = inner.values() if isinstance(inner, dict) else inner
            open_ += [(one, depth + 1) for one in within]
    return deepest


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


def at_home(path: str | Path, setting: str = "") -> Path:
    """A path with the home folder for ``~``; one of a user that there is not stays as it is.
    `UserError` for what no file can be called, with the `setting` that names it.
    """
    if fault := name_fault(os.fspath(path)):
        raise UserError(f"{setting}: {fault}" if setting else fault)
    return Path(os.path.expanduser(path))


def name_fault(path: str) -> str:
    """Why no file can have that path, with the remedy; empty where one can."""
    if "\0" in path:
        return f"{path!r}: holds the character NUL, which no name of a file has; remove it."
    part = max(path.split("/"), key=len)
    length = len(os.fsencode(part)) if os.name != "nt" else len(part)
    if length > LONGEST_NAME:
        return (
            f"{shorten(part)}: a name of {length} bytes, and {LONGEST_NAME} are the most; give a "
            "shorter one."
        )
    return ""


def shorten(name: str) -> str:
    """The two ends of a long name."""
    return name if len(name) <= 60 else f"{name[:30]}…{name[-20:]}"


def user_cache() -> Path:
    """Folder for what can be made again: `MMSEQ_CACHE`, else `mmseq` in the user's cache folder.
    `UserError` where the user has no home folder, as in some containers.
    """
    if own := os.environ.get("MMSEQ_CACHE"):
        return at_home(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return at_home(base) / "mmseq"
    home = os.path.expanduser("~")
    if home == "~":
        raise UserError(
            "This user has no home folder for what is kept between runs; name a folder that may be "
            "written into in the environment variable MMSEQ_CACHE."
        )
    return Path(home, ".cache", "mmseq")
