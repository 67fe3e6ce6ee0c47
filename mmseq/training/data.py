"""The data of a run: read, checked for training, reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmseq.config.config import DataConfig
from mmseq.console import Reporter
from mmseq.contracts.example import OPEN
from mmseq.data.folder import unread_files
from mmseq.data.sample.cached import sample_ceilings, sample_is_made
from mmseq.data.source import is_sample, load_data
from mmseq.data.splits import (
    SPLITS,
    Split,
    require_split,
    require_tags,
    require_whole,
    types_of,
)
from mmseq.data.tags import label_names
from mmseq.data.unknown_types import missed_line, unknown_entities


def training_splits(data: DataConfig, reporter: Reporter) -> dict[str, Split]:
    """The splits that the config names; `UserError` where ``train`` is not among them."""
    if is_sample(data) and not sample_is_made():
        reporter.line("Making the sample data (once, some 10 seconds) …")
    splits = load_data(data, data.splits, reporter.line)
    require_split(splits, "train", Path(data.path))
    return splits


def training_labels(splits: Mapping[str, Split]) -> tuple[str, ...]:
    """The tags of ``train``; `UserError` for a sentence of any split that has none, and for an open
    word of any but ``train``.

    Types that only the other splits have are no tags of the run: their entities count as missed.
    """
    for name, split in splits.items():
        require_tags(split)
        if name != "train":
            require_whole(split)
    return label_names(types_of(splits["train"]))


def data_lines(data: DataConfig, splits: Mapping[str, Split]) -> list[str]:
    """What the user reads about the data."""
    lines = [sample_ceilings()] if is_sample(data) else []
    if not is_sample(data) and (unread := unread_files(Path(data.path), SPLITS, data.reader)):
        lines.append(unread)
    for name, split in splits.items():
        facts = split.facts
        scheme = "" if split.scheme == "bio" else f"; {split.scheme.upper()} tags, read as BIO"
        lines.append(
            f"{name}: {facts.sentences} sentences, {facts.entities} entities, "
            f"{facts.pictured} with pictures ({split.path}{scheme})"
        )
        lines += split.notes
        if name == "train" and not facts.entities:
            lines.append("train: there is no entity in it: the model will learn to find none.")
        if facts.open_words or split.left_out:
            lines.append(open_line(name, split))
        if unknown := unknown_entities(split, splits["train"].facts.tags):
            lines.append(missed_line(name, unknown, "the training split"))
    return lines


def open_line(name: str, split: Split) -> str:
    """How much of a split the annotation leaves open."""
    facts = split.facts
    parts = []
    if facts.open_words:
        parts.append(f"{facts.open_words} of {facts.words} words are open ('{OPEN}')")
    if split.left_out:
        parts.append(f"sentences of open words alone, which are left out: {split.left_out}")
    return f"{name}: {'; '.join(parts)}"
