"""Which sentences make a batch, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmseq.config.config import TrainConfig
from mmseq.model.collate import Prepared, PreparedLater


def lengths_of(sentences: Sequence[Prepared]) -> Sequence[int]:
    """What batches of like length go by: a sentence's length as the text encoder finds it. Those on
    disk are not encoded yet; of them it must have been found beforehand, or it is their words.
    """
    if isinstance(sentences, PreparedLater):
        return sentences.lengths
    return [sentence.length for sentence in sentences]


BUCKET = 50
"""Batches to a bucket: long enough to sort by length, short enough to stay random."""


def training_order(
    lengths: Sequence[int], batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Batches of sentence numbers, alike in length, in an order drawn from seed and epoch."""
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(lengths))
    batches: list[list[int]] = []
    size = BUCKET * batch_size
    for start in range(0, len(order), size):
        bucket = sorted(order[start : start + size].tolist(), key=lambda i: lengths[i])
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def by_length(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Batches of sentence numbers, longest first, for evaluation."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def hidden_pictures(sentences: int, share: float, seed: int, epoch: int) -> list[bool]:
    """Whose pictures are hidden in an epoch: each sentence's with probability `share`."""
    draws = np.random.default_rng([seed, epoch, 1]).random(sentences)
    return [bool(draw < share) for draw in draws]


def steps_in_epoch(sentences: int, train: TrainConfig, processes: int) -> int:
    """How many `epoch_steps` gives for as many sentences."""
    whole, rest = divmod(sentences, train.batch_size * processes)
    # Fewer sentences than processes join another batch, where there is one.
    batches = whole + (rest >= processes or (rest > 0 and not whole))
    return -(-batches // train.accumulate)


def epoch_steps(
    lengths: Sequence[int], train: TrainConfig, epoch: int, process: int, processes: int
) -> list[list[list[int]]]:
    """An epoch's optimiser steps: of each the micro-batches of one process, as sentence numbers.

    Every batch is shared out over the processes, so that each has equally many batches.
    """
    batches = training_order(lengths, train.batch_size * processes, train.seed, epoch)
    if processes > 1:
        # A batch with fewer sentences than processes would leave one with nothing to do: its
        # sentences join the batch before, those of the first one the batch after.
        merged: list[list[int]] = []
        for batch in batches:
            if merged and min(len(batch), len(merged[-1])) < processes:
                merged[-1] = merged[-1] + batch
            else:
                merged.append(batch)
        batches = [batch[process::processes] for batch in merged]
    size = train.accumulate
    return [batches[i : i + size] for i in range(0, len(batches), size)]
