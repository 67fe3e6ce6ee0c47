"""Files: written whole or not at all, locked, and read with a line that says what is wrong."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmseq.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; `UserError` with file and line where it is missing or broken."""
    try:
        # Some editors put a byte order mark in front.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}.") from error


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """A file or folder is this process's alone while inside; `UserError` with the text `taken`
    where another process has it.

    The lock is the kernel's: it ends with its process, whatever ends that.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(taken) from error
        except OSError:
            pass  # a network file system without locks
        yield
    finally:
        os.close(handle)


def read_json(path: Path) -> Any:
    """A JSON file; `UserError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged or unreadable ({error}).") from error


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a final newline; a kill leaves the file whole or absent."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def user_cache() -> Path:
    """Folder for what can be made again: `MMSEQ_CACHE`, else `mmseq` in the user's cache folder."""
    if own := os.environ.get("MMSEQ_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "mmseq"
