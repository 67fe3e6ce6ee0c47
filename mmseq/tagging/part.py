"""An output while it is made: NAME.part, which becomes NAME when all is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from mmseq.durable import put
from mmseq.errors import UserError, counted
from mmseq.files import locked
from mmseq.prose import say
from mmseq.tagging.bad_lines import BadLine
from mmseq.tagging.input_head import InputHead, require_same_input
from mmseq.tagging.part_record import (
    NOTHING,
    Done,
    Record,
    read_record,
    require_same_options,
    require_same_run,
)


def part_of(target: Path) -> Path:
    """NAME.part of NAME."""
    return target.with_name(f"{target.name}.part")


def record_of(target: Path) -> Path:
    """NAME.part.json of NAME."""
    return target.with_name(f"{target.name}.part.json")


def require_begun(target: Path, *, resume: bool) -> None:
    """`UserError` where there is a NAME.part and nobody said what to do with it, or there is none
    to resume; call it before the work.
    """
    part = part_of(target)
    there = os.path.exists(part)
    if resume and not there:
        raise UserError(f"--resume: there is no {part} to go on with; leave out --resume to begin.")
    if there and not resume:
        raise _exists(part)


def _exists(part: Path) -> UserError:
    return UserError(
        f"{part}: exists, what an earlier call has done: go on with --resume, or delete it to "
        "begin anew."
    )


class Part:
    """NAME.part and its record, open to be written: a chunk at a time."""

    def __init__(self, target: Path, file: int, record: Record, head: InputHead | None) -> None:
        self._target, self._file, self._record, self._head = target, file, record, head
        self._sha256 = hashlib.sha256()
        self._ends: list[int] = []
        """Of the sentences behind the last whole chunk, in bytes"""

    @property
    def done(self) -> Done:
        """What of the input need not be read again."""
        return self._record.done

    @property
    def sentences(self) -> int:
        """How many it holds, by what has been written."""
        return self.done.sentences + len(self._ends)

    @property
    def path(self) -> Path:
        """NAME.part."""
        return part_of(self._target)

    def begin(self) -> None:
        """Write the record; what is behind the last whole chunk goes, half a line among it.
        `UserError` where the file is not what the record says.
        """
        try:
            left = self.done.bytes
            with open(self._file, "rb", closefd=False) as file:
                while left and (block := file.read(min(left, 1 << 20))):
                    self._sha256.update(block)
                    left -= len(block)
            if left or self._sha256.hexdigest() != self.done.sha256:
                raise UserError(
                    f"{self.path}: has changed since it was written; delete it and begin anew "
                    "without --resume."
                )
            os.ftruncate(self._file, self.done.bytes)
            os.lseek(self._file, self.done.bytes, os.SEEK_SET)
            self._record.write(record_of(self._target))
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, sentences: Sequence[bytes], *, lines: int, left_out: int, read: int) -> None:
        """Write a chunk: its tagged sentences. `lines`, `left_out`: of the input, up to its end;
        `read`: sentences that were taken of the input for it, 0 where the chunk is not whole.
        `UserError` where there is no room.
        """
        end = self._ends[-1] if self._ends else self.done.bytes
        ends = []
        for sentence in sentences:
            end += len(sentence)
            ends.append(end)
        data = b"".join(sentences)
        try:
            self._append(data)
        except OSError as error:
            size = os.fstat(self._file).st_size
            self._ends += [end for end in ends if end <= size]
            raise self._unwritable(error) from error
        self._sha256.update(data)
        self._ends += ends
        if read:
            try:
                self._note(lines, left_out, read)
            except OSError as error:
                raise self._unwritable(error) from error

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _note(self, lines: int, left_out: int, read: int) -> None:
        """Note that a whole chunk is done, once its bytes are on the disk."""
        os.fsync(self._file)
        done = Done(
            lines=lines,
            read=self.done.read + read,
            left_out=left_out,
            sentences=self.sentences,
            bytes=self._ends[-1] if self._ends else self.done.bytes,
            sha256=self._sha256.hexdigest(),
            input_sha256=self._head.through(lines) if self._head else NOTHING.input_sha256,
        )
        record = self._record.model_copy(update={"done": done})
        record.write(record_of(self._target))
        self._record, self._ends = record, []

    def finish(self) -> None:
        """Make it NAME. `UserError` where there is one by now."""
        try:
            if os.path.exists(self._target):
                raise UserError(
                    f"--output {self._target}: exists by now; {self.path} is whole, give it "
                    "another name."
                )
            put(self.path, self._target)
        except OSError as error:
            raise UserError(f"{self._unwritable(error)} {self._held()}") from error
        # Whole without it.
        with suppress(OSError):
            record_of(self._target).unlink()

    def keep(self, error: BaseException) -> NoReturn:
        """Raise the error again with what is kept, and how to go on; where that is nothing, there
        is no file.
        """
        ends = self._ends[-1] if self._ends else self.done.bytes
        with suppress(OSError):
            os.ftruncate(self._file, ends)
        if not ends and not self.done.read:
            with suppress(OSError):
                self.path.unlink()
                record_of(self._target).unlink()
            raise error
        if isinstance(error, UserError):
            raise UserError(f"{error} {self._held(bad=isinstance(error, BadLine))}") from error
        say(self._held(), err=True)
        raise error

    def _held(self, *, bad: bool = False) -> str:
        """How much is kept, and how to go on; `bad`: a line of the input was bad."""
        held = f"{self.path} holds {counted(self.sentences, 'sentence')}"
        if self._record.input is None:
            return (
                f"{held}; a pipe cannot be gone back to: for the rest of it give another --output."
            )
        leaving = ", or with --resume --skip-bad to leave bad lines out" if bad else ""
        return f"{held}: go on with --resume{leaving}."

    def _unwritable(self, error: OSError) -> UserError:
        reason = error.strerror or str(error)
        return UserError(f"{self.path}: cannot be written ({reason}); make room.")


@contextmanager
def part_file(
    target: Path, record: Record, source: Path | None, *, resume: bool
) -> Iterator[tuple[Part, str]]:
    """NAME.part to write into, anew or where it ended, and a line on an input that has changed
    since. It becomes NAME when the block ends, and is kept where the block raises.

    `record`: what decides the output now. `source`: the input, None for a pipe. `UserError` where
    another process writes it, where it is of another run, input or option, or cannot be written.
    """
    path = part_of(target)
    with ExitStack() as stack:
        try:
            flags = os.O_RDWR if resume else os.O_RDWR | os.O_CREAT | os.O_EXCL
            file = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
        except FileExistsError as error:
            raise _exists(path) from error
        except OSError as error:
            raise UserError(
                f"--output {target}: cannot be written ({error.strerror}); give another place."
            ) from error
        stack.callback(os.close, file)
        stack.enter_context(locked(path, f"{path}: another process is writing it; let it end."))
        head = InputHead(stack.enter_context(source.open("rb"))) if source else None
        changed = ""
        # A kill right at the beginning leaves an empty file.
        if resume and (os.fstat(file).st_size or record_of(target).exists()):
            old = read_record(record_of(target), path)
            require_same_run(path, old, record)
            if source and head and old.input and record.input:
                changed = require_same_input(source, head, old.input, record.input, old.done, path)
            require_same_options(path, old, record)
            record = record.model_copy(update={"done": old.done})
        part = Part(target, file, record, head)
        begun = False
        try:
            part.begin()
            begun = True
            yield part, changed
        except BaseException as error:
            if resume and not begun:
                raise
            part.keep(error)
        part.finish()
