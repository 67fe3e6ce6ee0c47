"""The fused states of a split's entity words: what a finished run has made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mmseq.contracts.example import Example
from mmseq.data.source import choose_split, load_data
from mmseq.data.splits import require_split, require_tags, types_of
from mmseq.data.tags import split_tag
from mmseq.errors import UserError
from mmseq.model.order import by_length
from mmseq.model.prediction import BATCH
from mmseq.tagging.tagger import Tagger, load
from mmseq.training.initial import build_seeded, take_initial_weights


@dataclass(frozen=True)
class EntityStates:
    """N entity words with their vectors, in the order of the data."""

    vectors: NDArray[np.float32]
    """(N, F): the view ``fused`` in evaluation mode"""
    types: tuple[str, ...]
    """Of each word's gold tag, B- and I- alike"""
    words: tuple[str, ...]


def entity_states(
    run: str | Path | Tagger,
    *,
    split: str = "test",
    data: str | Path | None = None,
    images: str | Path | None = None,
    trained: bool = True,
) -> EntityStates:
    """Fused states of the entity words in a split of a finished run's own data.

    `run`: its folder, or the run as `mmseq.load` gives it. `data`, `images`: another data folder
    (or file) and picture folder, as in ``mmseq evaluate``; types that the run does not know may
    occur. `trained = False`: of the model before its first step, rebuilt from the run's config
    and seed; that needs the run's training data and the pretrained weights it started from, and
    seeds the random generators as training does.

    Raises `mmseq.UserError` for a run that cannot be loaded, or cannot be rebuilt, and for a
    split that is missing, has a sentence without tags, or has no entity.
    """
    tagger = run if isinstance(run, Tagger) else load(run)
    found = choose_split(tagger.config.data, split, data, images)
    if not types_of(found):
        raise UserError(
            f"{found.path}: no entity in its split '{split}'; choose another split or other data."
        )
    require_tags(found)
    some = [example for example in found.examples if set(example.tags or ()) != {"O"}]
    return _states(tagger if trained else _before_training(tagger), some)


def _before_training(tagger: Tagger) -> Tagger:
    """The same run with the weights that its training began with."""
    config = tagger.config
    try:
        train = require_split(load_data(config.data, ("train",)), "train", Path(config.data.path))
        model, _ = build_seeded(config, tagger.labels, train.examples)
        take_initial_weights(model, config)
    except UserError as error:
        raise UserError(f"{tagger.folder}: cannot be built as before training: {error}") from error
    before = Tagger(tagger.folder, config, model, tagger.device, tagger.splitter)
    before.reporter = tagger.reporter
    return before


@torch.no_grad()
def _states(tagger: Tagger, examples: Sequence[Example]) -> EntityStates:
    """Of sentences that have an entity each."""
    kinds = [[split_tag(tag)[1] for tag in example.tags or ()] for example in examples]
    places = [[place for place, kind in enumerate(row) if kind] for row in kinds]
    collator = tagger.collator(examples)
    prepared = [collator.prepare(replace(example, tags=None)) for example in examples]
    vectors: dict[int, NDArray[np.float32]] = {}
    with tagger.reporter.progress("sentences", len(examples)) as advance:
        for numbers in by_length([len(row) for row in kinds], BATCH):
            batch = collator.batch([prepared[number] for number in numbers]).to(tagger.device)
            views, _ = tagger.model.views(batch)
            for number, fused in zip(numbers, views["fused"].float().cpu().numpy(), strict=True):
                vectors[number] = fused[places[number]]
            advance(len(numbers))
    return EntityStates(
        np.concatenate([vectors[number] for number in range(len(examples))]),
        tuple(kind for row in kinds for kind in row if kind),
        tuple(e.tokens[place] for e, row in zip(examples, places, strict=True) for place in row),
    )
