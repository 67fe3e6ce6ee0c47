"""The end of a process among several, as the others see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import distributed

from mmseq.errors import UserError
from mmseq.processes import process_count, process_index
from mmseq.runs import folder as runs

_MEETING = re.compile(r"gloo|nccl|ProcessGroup|c10d|TCPStore", re.IGNORECASE)
"""In what torch says where the processes cannot meet"""
_GONE = re.compile(r"clos|reset|broken pipe|refused|timed? ?out|abort|terminat|recv", re.IGNORECASE)
_RANK = re.compile(r"\b(?:remote|peer|from) rank:? (\d+)", re.IGNORECASE)


@contextmanager
def others_here(folder: Path) -> Iterator[None]:
    """While inside, another process of the run in `folder` that ends, however that comes, is a
    `UserError` that says how to go on: what fails here is not at fault, whichever component it is.
    """
    try:
        yield
    except RuntimeError as error:
        if process_count() < 2 or (reason := _lost(error)) is None:
            raise
        rank = _RANK.search(reason)
        which = f"process {rank[1]}" if rank else "another process"
        raise UserError(
            f"{folder}: {which} of this run has ended, as process {process_index()} sees; what it "
            "printed says why. Go on from the last checkpoint with: "
            f"{runs.resuming(folder, process_count())}"
        ) from error


def _lost(error: BaseException) -> str | None:
    """What torch says of processes that cannot meet, in an error or what it comes from."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if isinstance(cause, distributed.DistBackendError):
            return text
        if isinstance(cause, RuntimeError) and _MEETING.search(text) and _GONE.search(text):
            return text
        cause = cause.__cause__ or cause.__context__
    return None
