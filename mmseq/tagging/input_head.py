"""The lines of an input that are done: whether they are still what they were."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from mmseq.errors import UserError
from mmseq.files import sha256_of
from mmseq.tagging.part_record import Done, Input


class InputHead:
    """The checksum of an input's first lines, read along as they are done."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines = 0
        self._sha256 = hashlib.sha256()

    def through(self, lines: int) -> str:
        """SHA-256 of the first `lines` lines, or of all there are; never fewer than before."""
        while self._lines < lines and (line := self._file.readline()):
            self._sha256.update(line)
            self._lines += 1
        return self._sha256.hexdigest()


def require_same_input(
    source: Path, head: InputHead, old: Input, now: Input, done: Done, part: Path
) -> str:
    """What is to be said of an input that has changed behind the lines that are done: what is done
    stays, so that a bad line can be mended. Empty: it has not changed. `UserError` where a line
    that is done has changed, or it is not told which they are.
    """
    same = old.sha256 == now.sha256
    told = done.lines > 0 or not done.read
    same_so_far = same or (told and head.through(done.lines) == done.input_sha256)
    if old.name != now.name or not same_so_far:
        raise UserError(
            f"--resume: {part} was begun with another input ({old.name}), of which {source} does "
            f"not have what is done; give that input, or delete {part} to begin anew."
        )
    head.through(done.lines)
    if same:
        return ""
    return (
        f"{source} has changed since {part} was begun, behind line {done.lines:,}; the "
        f"{done.sentences:,} sentences before stay."
    )


def input_of(source: Path) -> Input:
    """Its name, which sentences may be named after, and its checksum."""
    return Input(name=source.name, sha256=sha256_of(source))
