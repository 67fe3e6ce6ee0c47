"""One checksum for the pictures of many sentences, whatever their files are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.pictures.opening import PictureProblem, read_picture

Contents = dict[Path, str]
"""Path -> SHA-256 of a file's bytes, or the kind of problem where it could not be read."""


def images_sha256(examples: Iterable[Example], known: Contents | None = None) -> str:
    """SHA-256 over the contents of each sentence's pictures, in the order of the sentences.

    Moving or renaming the folder does not change it; another content, another order and a missing
    file do. What is `known` is not read again, so that the checksum of a run tells what the run
    saw, though a file has changed since; what is read here is added.
    """
    known = {} if known is None else known
    digest = hashlib.sha256()
    for example in examples:
        for path in example.images:
            digest.update(f"{content_of(path, known)} ".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def content_of(path: Path, known: Contents) -> str:
    """SHA-256 of a file, or the kind of its problem: as `known`, else read and added to it."""
    if path not in known:
        try:
            known[path] = hashlib.sha256(read_picture(path)).hexdigest()
        except PictureProblem as problem:
            known[path] = problem.kind
    return known[path]
