"""The record beside an output that is not whole yet: what it is made of, and how much is done."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from mmseq.errors import UserError
from mmseq.files import sha256_of, write_json

EMPTY = hashlib.sha256().hexdigest()


class _Model(BaseModel):
    # Keys of a newer version stay unread.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Done(_Model):
    """How far an output has come, always behind a whole chunk.

    Sentences of a chunk are put into batches together, whose rounding reaches the last digit of a
    score: what goes on here has the chunks, and so the bytes, of what was never interrupted.
    """

    lines: NonNegativeInt = 0
    """Of the input; 0 where its reader does not tell lines"""
    read: NonNegativeInt = 0
    """Sentences of the input, without those in lines that were bad"""
    left_out: NonNegativeInt = 0
    """Bad lines among `lines`"""
    sentences: NonNegativeInt = 0
    """Of the output"""
    bytes: NonNegativeInt = 0
    """Of the output, that these sentences take"""
    sha256: str = EMPTY
    """Of these bytes"""
    input_sha256: str = EMPTY
    """Of these lines of the input"""


NOTHING = Done()


class Input(_Model):
    """The file that is tagged."""

    name: str
    sha256: str


class Record(_Model):
    """What decides the bytes of an output, and how much of it is done."""

    run: dict[str, str]
    """Files of the run -> SHA-256"""
    input: Input | None
    """None: a pipe, which cannot be gone back to"""
    options: dict[str, Any]
    """By their flags"""
    done: Done = NOTHING

    def write(self, path: Path) -> None:
        """Whole or not at all; `OSError` as writing gives it."""
        write_json(path, self.model_dump())


def read_record(path: Path, part: Path) -> Record:
    """`UserError` where it is missing or damaged, since nobody knows then what `part` holds."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        reason = "missing"
    except OSError as error:
        reason = f"unreadable ({error.strerror})"
    except ValidationError as error:
        reason = f"damaged ({error.errors()[0]['msg']})"
    raise UserError(
        f"{path}: {reason}, so that nobody can tell what {part} holds; delete {part} and begin "
        "anew without --resume."
    )


def run_checksums(run: Path) -> dict[str, str]:
    """Of the files that say what a run predicts; those in its assets together."""
    found = {
        name: sha256_of(run / name) for name in ("model.safetensors", "config.toml", "labels.json")
    }
    together = hashlib.sha256()
    for path in sorted((run / "assets").rglob("*")):
        if path.is_file():
            together.update(f"{path.relative_to(run).as_posix()} {sha256_of(path)}\n".encode())
    return {**found, "assets": together.hexdigest()}


def require_same_run(part: Path, old: Record, new: Record) -> None:
    """`UserError` where `part` was begun with another run, or cannot be gone on with."""
    anew = f"or delete {part} to begin anew"
    if old.input is None:
        raise UserError(
            f"--resume: {part} was made of a pipe, which cannot be gone back to; give another "
            f"--output for the rest, {anew}."
        )
    for name, checksum in old.run.items():
        if new.run.get(name) != checksum:
            raise UserError(
                f"--resume: {part} was begun with another run, whose {name} is not that of this "
                f"one; give the run that it was begun with, {anew}."
            )


def require_same_options(part: Path, old: Record, new: Record) -> None:
    """`UserError` naming an option that is not as it was when `part` was begun."""
    for flag in {**old.options, **new.options}:
        before, now = old.options.get(flag), new.options.get(flag)
        if before != now:
            raise UserError(
                f"--resume: {part} was begun {_with(flag, before)}, and now it is "
                f"{_with(flag, now)}; give the options that it was begun with, or delete {part} "
                "to begin anew."
            )


def _with(flag: str, value: Any) -> str:
    if value in (None, False, [], {}):
        return f"without {flag}"
    if value is True:
        return f"with {flag}"
    if isinstance(value, dict):
        value = ",".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"with {flag} {value}"
