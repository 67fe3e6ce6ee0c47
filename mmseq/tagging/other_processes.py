"""A tagger in other processes: sent to them by pickle, or used by children of its own."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch

from mmseq.errors import UserError


@cache
def answer_in_children() -> None:
    """Let this process's children tag with what it has loaded, where it has tagged before.

    The threads that torch computes with stay behind in a fork, and a child would wait for them for
    ever: it computes with one.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_one_thread)


def _one_thread() -> None:
    torch.set_num_threads(1)


def stamp(folder: Path) -> tuple[int, int]:
    """Size and time of a run's weights: others have another."""
    found = (folder / "model.safetensors").stat()
    return found.st_size, found.st_mtime_ns


def require_same_weights(folder: Path, known: tuple[int, int]) -> None:
    """`UserError` where a run, loaded again for a pickle of its tagger, is another one by now."""
    if stamp(folder) != known:
        raise UserError(
            f"{folder}: the run's weights have changed since its tagger was pickled; load it anew."
        )
