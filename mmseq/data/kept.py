"""Sentences of a large file: from the store, or put there first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.data.reading import Rereading
from mmseq.data.schemes import SchemeOption, as_bio, scheme_of
from mmseq.data.store import ExampleStore, NotKept, StoredExamples


def stored_sentences(
    store: ExampleStore | None,
    sha256: str,
    where: Callable[[Example, int], str],
    examples: Rereading,
    scheme: SchemeOption,
    find: Callable[[Path], Path],
) -> StoredExamples | None:
    """The sentences of a large file in the store, put there if they are not; None where they stay
    in memory. `sha256`: of the file; `where`: names a sentence's word for messages.
    """
    path = examples.path
    if store is None or path.stat().st_size < store.least:
        return None
    way = {"reader": examples.entry.full_title, "scheme": scheme, "columns": examples.columns}
    way |= examples.naming.options(examples.entry)
    folder = store.folder(sha256, way)
    stored = store.open(folder, path, find)
    if stored is not None:
        return stored
    found = scheme_of(examples, scheme, path, where)
    # Another process may be putting its own, which is the same, in place of a damaged one.
    try:
        for _ in range(3):
            store.write(folder, path, as_bio(examples, found), found, examples.hearing.notes)
            stored = store.open(folder, path, find)
            if stored is not None:
                return stored
        raise NotKept(f"{folder}: what was written there cannot be read; check the disk.")
    except NotKept as error:
        store.tell(f"{error} Until then they stay in memory.")
    return None
