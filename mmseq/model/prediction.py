"""Running a model over sentences: tags, scores, in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmseq.console import Advance, unseen
from mmseq.contracts.decoder import Decoder
from mmseq.data.tags import spans
from mmseq.model import calls
from mmseq.model.batch import Batch
from mmseq.model.collate import Collator, Prepared
from mmseq.model.model import Model
from mmseq.model.order import by_length
from mmseq.processes import from_all, process_count, process_index

BATCH = 64
"""Sentences at a time in evaluation: results do not depend on it beyond rounding."""

CHUNK = 512
"""Sentences among which those alike in length are batched; no more need be ready at once."""


@dataclass(frozen=True)
class Prediction:
    """Tags of one sentence with their probabilities."""

    tags: tuple[str, ...]
    scores: tuple[float, ...] = ()
    """Empty where scores were not asked for"""
    span_scores: tuple[float, ...] = ()
    """Of the entities in `tags`, in their order"""
    probability: float | None = None
    """Of all `tags` together; told of alternatives"""
    alternatives: tuple[Prediction, ...] = ()
    """The best tag sequences, these first; empty where they were not asked for"""


@dataclass(frozen=True)
class Asked:
    """What is wanted beside the tags."""

    words: bool
    """The probability of each word's tag"""
    spans: bool
    """The probability of each entity"""
    best: int
    """So many ways to tag a sentence"""
    least: float
    """Entities that score less are left out"""


def gives_k_best(decoder: Decoder) -> bool:
    """Whether it has a `k_best` of its own."""
    return type(decoder).k_best is not Decoder.k_best


@torch.no_grad()
def predict(
    model: Model,
    collator: Collator,
    sentences: Sequence[Prepared],
    *,
    device: torch.device,
    scores: bool = False,
    span_scores: bool = False,
    best: int = 0,
    min_score: float = 0.0,
    tasks: Sequence[str] | None = None,
    advance: Advance = unseen,
) -> list[Prediction]:
    """Predictions in the order of `sentences`; several processes share them by chunks.

    `scores`: with probabilities, and with the `best` most probable tag sequences; entities whose
    probability is below `min_score` are then left out, their words O. `span_scores`: with those of
    the entities alone, which cost less. `tasks`: auxiliary tasks that may refine (all by default).
    `advance` gets the number of sentences of each batch done.
    """
    if model.training:
        model.eval()
    active = list(model.tasks) if tasks is None else tasks
    found: list[tuple[int, Prediction]] = []
    size = max(1, min(CHUNK, -(-len(sentences) // process_count())))
    for number, start in enumerate(range(0, len(sentences), size)):
        if number % process_count() != process_index():
            continue
        chunk = sentences[start : start + size]
        for indexes in by_length([sentence.length for sentence in chunk], BATCH):
            batch = collator.batch([chunk[i] for i in indexes]).to(device)
            places = [start + i for i in indexes]
            asked = Asked(words=scores, spans=scores or span_scores, best=best, least=min_score)
            decoded = _decode(model, batch, active, asked)
            found += zip(places, decoded, strict=True)
            advance(len(indexes))
    found = [item for part in from_all(found) for item in part]
    return [prediction for _, prediction in sorted(found, key=lambda item: item[0])]


def _decode(model: Model, batch: Batch, tasks: Sequence[str], asked: Asked) -> list[Prediction]:
    mask = batch.text.mask
    untagged = replace(batch, targets=replace(batch.targets, tags=None))
    emissions = model(untagged, tasks).emissions
    tags = model.decode(emissions, mask)
    named = _named(model, tags, mask)
    if not asked.spans:
        return [Prediction(names) for names in named]
    whole = _span_scores(model, emissions, tags, mask, named)
    if not asked.words:
        pairs = zip(named, whole, strict=True)
        return [Prediction(names, span_scores=found) for names, found in pairs]
    if asked.least > 0:
        tags, whole = _likely(model, tags, named, whole, asked.least)
        named = _named(model, tags, mask)
    words = calls.scores(model.title("decoder"), model.decoder, emissions, tags, mask)
    others = _alternatives(model, emissions, mask, asked.best) if asked.best else [()] * len(named)
    return [
        Prediction(names, tuple(values[: len(names)]), found, alternatives=alternatives)
        for names, values, found, alternatives in zip(
            named, words.tolist(), whole, others, strict=True
        )
    ]


def _alternatives(
    model: Model, emissions: Tensor, mask: Tensor, best: int
) -> list[tuple[Prediction, ...]]:
    """The `best` tag sequences of each sentence, or as many as it has."""
    paths, logs = calls.k_best(model.title("decoder"), model.decoder, emissions, mask, best)
    found: list[list[Prediction]] = [[] for _ in mask]
    for tags, rank in zip(paths.unbind(1), logs.unbind(1), strict=True):
        named = _named(model, tags, mask)
        whole = _span_scores(model, emissions, tags, mask, named)
        for row, names, values, log in zip(found, named, whole, rank.tolist(), strict=True):
            if log > -math.inf:
                row.append(Prediction(names, (), values, math.exp(log)))
    return [tuple(row) for row in found]


def _likely(
    model: Model,
    tags: Tensor,
    named: Sequence[Sequence[str]],
    scores: Sequence[tuple[float, ...]],
    least: float,
) -> tuple[Tensor, list[tuple[float, ...]]]:
    """Tags and scores without the entities that score below `least`."""
    tags, kept = tags.clone(), []
    for row, (names, own) in enumerate(zip(named, scores, strict=True)):
        for (start, end, _), score in zip(spans(names), own, strict=True):
            if score < least:
                tags[row, start:end] = model.labels.index("O")
        kept.append(tuple(score for score in own if score >= least))
    return tags, kept


def _named(model: Model, tags: Tensor, mask: Tensor) -> list[tuple[str, ...]]:
    lengths = mask.sum(dim=1).tolist()
    rows = zip(tags.tolist(), lengths, strict=True)
    return [tuple(model.labels[tag] for tag in row[:length]) for row, length in rows]


def _span_scores(
    model: Model, emissions: Tensor, tags: Tensor, mask: Tensor, named: Sequence[Sequence[str]]
) -> list[tuple[float, ...]]:
    """Of the entities of each sentence, in their order."""
    entities = [
        (row, start, end) for row, names in enumerate(named) for start, end, _ in spans(names)
    ]
    places = torch.tensor(entities, dtype=torch.long, device=mask.device).reshape(-1, 3)
    whole = calls.span_scores(model.title("decoder"), model.decoder, emissions, tags, mask, places)
    per_row: list[list[float]] = [[] for _ in named]
    for (row, _, _), score in zip(entities, whole.tolist(), strict=True):
        per_row[row].append(score)
    return [tuple(found) for found in per_row]
