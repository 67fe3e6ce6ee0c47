"""One checksum for the pictures of many sentences, whatever their files are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.pictures.opening import PictureProblem, read_picture


def images_sha256(examples: Iterable[Example]) -> str:
    """SHA-256 over the contents of each sentence's pictures, in the order of the sentences.

    Moving or renaming the folder does not change it; another content, another order and a missing
    file do.
    """
    known: dict[Path, str] = {}
    digest = hashlib.sha256()
    for example in examples:
        for path in example.images:
            if path not in known:
                known[path] = _content(path)
            digest.update(f"{known[path]} ".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(read_picture(path)).hexdigest()
    except PictureProblem as problem:
        return problem.kind
