"""How long the text encoder finds sentences that lie on disk: found in one pass, and kept there.

Batches go by these lengths, and sentences in memory, which are encoded once and kept, have theirs
at hand. So `data.cache` decides where sentences lie, and nothing about the training.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic_core import to_jsonable_python

from mmseq.config.config import Choice
from mmseq.console import Reporter
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.errors import ComponentError
from mmseq.files import refusals
from mmseq.model import calls
from mmseq.model.collate import PreparedLater
from mmseq.processes import any_of_all, from_all, process_count, process_index
from mmseq.runs.identity import contents_of

EVERY = 1000
"""Sentences between two steps of the progress"""


def find_lengths(
    sentences: PreparedLater,
    encoder: TextEncoder,
    choice: Choice,
    fitted: Any,
    *,
    device: torch.device,
    reporter: Reporter,
) -> None:
    """Make batches of `sentences` go by the encoder's `length`. Every process must call it.

    `choice`, `fitted`: what the encoder was built from. What has been found before is read from the
    store; the rest is shared out over the processes.
    """
    if type(encoder).length is TextEncoder.length:
        return  # The number of words, which the store has.
    examples = sentences.examples
    key = _key(encoder, choice, fitted)
    kept = examples.encoded_lengths(key)
    # Processes on several machines have a store each: they look together, or not at all.
    if any_of_all(kept is None, device):
        found = array("i")
        for part in from_all(_part(sentences, encoder, choice.entry.full_title, reporter)):
            found.frombytes(part)
        examples.keep_encoded_lengths(key, found)
        kept = found
    assert kept is not None
    sentences.lengths = kept


def _part(sentences: PreparedLater, encoder: TextEncoder, title: str, reporter: Reporter) -> bytes:
    """The share of this process in the lengths, four bytes each."""
    total, count = len(sentences), process_count()
    first, last = (total * (process_index() + i) // count for i in (0, 1))
    lengths = array("i")
    with reporter.progress("lengths of sentences on disk", last - first) as advance:
        for number in range(first, last):
            _, length = calls.encode(title, encoder, sentences.examples[number])
            try:
                lengths.append(length)
            except OverflowError as error:
                raise ComponentError(
                    f"{title}: what length gives is {length}; give at most 2147483647."
                ) from error
            if len(lengths) % EVERY == 0:
                advance(EVERY)
        advance(len(lengths) % EVERY)
    return lengths.tobytes()


def _key(encoder: TextEncoder, choice: Choice, fitted: Any) -> str:
    """SHA-256 of all that decides how an encoder reads a sentence."""
    with TemporaryDirectory() as folder:
        with refusals(Path(folder)):
            encoder.save_assets(Path(folder))
        assets = contents_of(Path(folder))
    options = to_jsonable_python(dict(choice.options), fallback=repr)
    record: Sequence[Any] = [choice.entry.provider, choice.name, options, fitted, assets]
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
