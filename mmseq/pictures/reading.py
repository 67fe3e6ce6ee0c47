"""Picture files read once: their bytes hashed, and what is wanted made of the same bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from mmseq.pictures.frames import further_frames
from mmseq.pictures.held import HeldPicture
from mmseq.pictures.opening import PictureProblem, quiet_pillow, read_picture

THREADS = 4
"""Pictures read and decoded at a time, while the encoder works on the batch before"""
KEPT = 8 << 20
"""Bytes of a file that are kept until it is decoded; larger ones are read again, one at a time"""
_one_large = threading.Lock()
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Read(Generic[T]):
    """A file that was read, or could not be."""

    path: Path
    sha256: str | None
    """Of its bytes; None where there are none to be had (`made` says why)"""
    made: T | PictureProblem | None
    """What was made of the bytes, or why that cannot be; None where it was not wanted"""
    frames: int = 0
    """Pages and frames behind the first, which nothing is made of"""


def read_once(
    paths: Sequence[Path],
    wanted: Callable[[str], bool],
    make: Callable[[bytes, Path], T],
    ahead: int,
) -> Iterator[Read[T]]:
    """Read each file once, in order; where its hash is `wanted`, `make` gets the same bytes.

    Threads read, hash and make, at most some `ahead` files before the one that is asked for, and
    bytes are let go when their file is done: memory does not grow with the number of files. A file
    of more than `KEPT` bytes is read a second time for `make`, and must hold the same then.
    `wanted` is asked in the caller's thread, in the order of `paths`. `make` may raise
    `PictureProblem`.
    """

    def made(found: tuple[str, bytes | None, int], path: Path) -> T | PictureProblem:
        sha, data, _ = found
        try:
            if data is not None:
                return make(data, path)
            with _one_large:
                data = read_picture(path)
                if hashlib.sha256(data).hexdigest() != sha:
                    raise PictureProblem(path, "unreadable", "has changed while it was read")
                return make(data, path)
        except PictureProblem as problem:
            return problem

    waiting: deque[Read[T] | tuple[Path, str, int, Future[T | PictureProblem]]] = deque()
    with _threads() as pool:
        for path, found in zip(paths, _in_order(pool, _read, paths), strict=True):
            if isinstance(found, PictureProblem):
                waiting.append(Read(path, None, found))
            elif wanted(found[0]):
                waiting.append((path, found[0], found[2], pool.submit(made, found, path)))
            else:
                waiting.append(Read(path, found[0], None, found[2]))
            while waiting and (isinstance(waiting[0], Read) or len(waiting) > ahead):
                yield _settled(waiting.popleft())
        while waiting:
            yield _settled(waiting.popleft())


def _read(path: Path) -> tuple[str, bytes | None, int] | PictureProblem:
    """Hash, bytes where they are kept, and pages behind the first."""
    try:
        if isinstance(path, HeldPicture) or _size(path) <= KEPT:
            return _told(read_picture(path), keep=True)
        with _one_large:
            return _told(read_picture(path), keep=False)
    except PictureProblem as problem:
        return problem


def _told(data: bytes, *, keep: bool) -> tuple[str, bytes | None, int]:
    return hashlib.sha256(data).hexdigest(), data if keep else None, further_frames(data)


def _size(path: Path) -> int:
    """Of a file; 0 of one that cannot be asked, which is told when it is read."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _settled(item: Read[T] | tuple[Path, str, int, Future[T | PictureProblem]]) -> Read[T]:
    if isinstance(item, Read):
        return item
    path, sha, frames, future = item
    return Read(path, sha, future.result(), frames)


def _in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Results in order, a few items ahead of what is asked for."""
    running: deque[Future[R]] = deque()
    for item in items:
        running.append(pool.submit(work, item))
        if len(running) > 2 * THREADS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Threads in each of which torch computes on one core: a picture is small, and every thread
    would else bring threads of its own, which hold up the encoder's.
    """
    torch_threads = torch.get_num_threads()
    alone = ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with quiet_pillow(), alone as pool:
            yield pool
    finally:
        # This thread has kept its own; threads that start later get what was set last.
        torch.set_num_threads(torch_threads)
