"""Running a model over sentences: tags, scores, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, distributed

from mmseq.collate import Batch, Collator, Prepared, by_length, lengths_of
from mmseq.guard import blamed, require
from mmseq.labels import spans
from mmseq.model import Model
from mmseq.processes import process_count

BATCH = 64
"""Sentences at a time in evaluation: results do not depend on it beyond rounding."""


@dataclass(frozen=True)
class Prediction:
    """Tags of one sentence with their probabilities."""

    tags: tuple[str, ...]
    scores: tuple[float, ...] = ()
    """Empty where scores were not asked for"""
    span_scores: tuple[float, ...] = ()
    """Of the entities in `tags`, in their order"""


@torch.no_grad()
def predict(
    model: Model,
    collator: Collator,
    sentences: Sequence[Prepared],
    *,
    device: torch.device,
    scores: bool = False,
    tasks: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Prediction]:
    """Predictions in the order of `sentences`; several processes share the batches.

    `tasks`: auxiliary tasks that may refine (all by default). `progress` gets the number of
    sentences of each batch done.
    """
    model.eval()
    active = list(model.tasks) if tasks is None else tasks
    found: list[tuple[int, Prediction]] = []
    lengths = lengths_of(sentences)
    rank = distributed.get_rank() if process_count() > 1 else 0
    for number, indexes in enumerate(by_length(lengths, BATCH)):
        if number % process_count() != rank:
            continue
        batch = collator.batch([sentences[i] for i in indexes]).to(device)
        found += zip(indexes, _decode(model, batch, active, scores), strict=True)
        if progress:
            progress(len(indexes))
    if process_count() > 1:
        gathered: list[list[tuple[int, Prediction]] | None] = [None] * process_count()
        distributed.all_gather_object(gathered, found)
        found = [item for part in gathered if part for item in part]
    return [prediction for _, prediction in sorted(found, key=lambda item: item[0])]


def _decode(model: Model, batch: Batch, tasks: Sequence[str], scores: bool) -> list[Prediction]:
    mask = batch.text.mask
    untagged = replace(batch, targets=replace(batch.targets, tags=None))
    emissions = model(untagged, tasks).emissions
    tags = model.decode(emissions, mask)
    lengths, rows = mask.sum(dim=1).tolist(), tags.tolist()
    named = [tuple(model.labels[t] for t in row[:n]) for row, n in zip(rows, lengths, strict=True)]
    if not scores:
        return [Prediction(names) for names in named]
    entities = [
        (row, start, end) for row, names in enumerate(named) for start, end, _ in spans(names)
    ]
    places = torch.tensor(entities, dtype=torch.long, device=mask.device).reshape(-1, 3)
    title = model.title("decoder")
    with blamed(title, emissions=emissions, mask=mask, spans=places):
        words = model.decoder.scores(emissions, tags, mask)
        whole = model.decoder.span_scores(emissions, tags, mask, places)
    require(title, "scores", words, Tensor, mask.shape)
    require(title, "span_scores", whole, Tensor, (len(places),))
    per_row: list[list[float]] = [[] for _ in rows]
    for (row, _, _), score in zip(entities, whole.tolist(), strict=True):
        per_row[row].append(score)
    return [
        Prediction(names, tuple(values[:n]), tuple(found))
        for names, values, n, found in zip(named, words.tolist(), lengths, per_row, strict=True)
    ]
