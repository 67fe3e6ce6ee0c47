"""What data hold, a folder or one file, and what in them will trouble training: a JSON report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import Any

from mmseq.contracts.example import OPEN, Example
from mmseq.data.columns import Columns, check_columns
from mmseq.data.folder import find_split, no_split, not_found, reader_of, unread_files
from mmseq.data.hearing import Hearing
from mmseq.data.naming import Naming
from mmseq.data.schemes import SchemeOption
from mmseq.data.sentences import is_annotated
from mmseq.data.split_files import split_named
from mmseq.data.splits import (
    SPLITS,
    Split,
    annotated,
    check_mapping,
    load_file,
    rename_types,
    require_whole,
    untagged_remedy,
)
from mmseq.data.tags import orphans, repair, spans
from mmseq.data.unknown_types import unknown_entities
from mmseq.datacheck.fields import further_fields
from mmseq.datacheck.pictures import finding, open_all, picture_facts
from mmseq.datacheck.words import odd_words
from mmseq.errors import UserError

PERCENTILES = (50, 90, 95, 99)


def check_folder(
    folder: Path,
    *,
    reader: str = "auto",
    scheme: SchemeOption = "auto",
    mapping: Mapping[str, str] | None = None,
    image_folder: Path | None = None,
    subwords: Callable[[Sequence[str]], int] | None = None,
    columns: Columns | None = None,
    naming: Naming | None = None,
) -> dict[str, Any]:
    """A report on a data folder, or on one file, fit for JSON; options as in
    `mmseq.data.splits.load_folder`. A file is held to what its name says it is: training data need
    tags, and only they may leave words open.

    `subwords` gives the length of a sentence as the text encoder will see it. What cannot be read
    is a line in ``problems``, one for each kind of fault of a file, and the rest is still checked:
    other files, and sentences without a fault. Every picture is opened once.
    """
    alone = folder if folder.is_file() else None
    names = (split_named(alone) or alone.stem,) if alone else SPLITS
    problems: list[str] = []
    splits: dict[str, Split] = {}
    if image_folder is not None and not image_folder.is_dir():
        problems.append(str(not_found(image_folder, "picture folder")))
        image_folder = None
    faulty: set[str] = set()
    paths: list[Path] = []
    for name in names:
        hearing = Hearing(counting=True)
        try:
            if path := alone or find_split(folder, name, reader):
                paths.append(path)
                split = load_file(
                    path,
                    name=name,
                    reader=reader,
                    scheme=scheme,
                    image_folder=image_folder,
                    columns=columns,
                    hearing=hearing,
                    naming=naming,
                )
                if split.examples:
                    splits[name] = split
        except UserError as error:
            problems += [*hearing.lines(), str(error)]
        else:
            problems += hearing.lines()
        faulty |= {name} if hearing.faults else set()
    try:
        check_columns(paths, reader, columns)
    except UserError as error:
        problems.append(str(error))
    if not splits and not problems:
        problems.append(str(no_split(folder, SPLITS, reader)))
    try:
        if splits:
            check_mapping(splits.values(), mapping or {})
        splits = {name: rename_types(split, mapping or {}) for name, split in splits.items()}
    except UserError as error:
        problems.append(str(error))
    problems += _no_tags(splits, alone=alone is not None)
    problems += _open_words(splits)
    if naming:
        problems += _not_told(naming, splits, reader)
    pictures, frames = open_all(
        {path for split in splits.values() for e in split.examples for path in e.images}
    )
    unread = "" if alone else unread_files(folder, SPLITS, reader)
    return {
        "folder": str(alone.parent if alone else folder),
        **({"file": str(alone)} if alone else {}),
        "problems": list(dict.fromkeys(problems)),
        "notes": [unread] if unread else [],
        # Of sentences that are left out, types may be missing.
        "unknown": {} if "train" in faulty else _unknown_types(splits),
        "splits": {
            name: _split(split, pictures, frames, subwords) for name, split in splits.items()
        },
        "shared": {
            f"{a.name}-{b.name}": {
                "sentences": _shared_sentences(a, b),
                "pictures": _shared_pictures(a, b),
            }
            for a, b in combinations(splits.values(), 2)
        },
    }


def _no_tags(splits: Mapping[str, Split], *, alone: bool) -> list[str]:
    """What training would refuse: sentences of its splits without tags. One file is held to that
    where it is called ``train``; others may be there to be tagged.
    """
    found = []
    for name in ("train",) if alone else SPLITS:
        if (split := splits.get(name)) is None:
            continue
        untagged = [example.where for example in split.examples if example.tags is None]
        if untagged:
            learns = ", from which training learns" if name == "train" else ""
            found.append(
                f"{name}: {len(untagged):,} of {len(split.examples):,} sentences have no "
                f"tags{learns}; the first is {untagged[0]}{untagged_remedy(name)}."
            )
    return found


def _not_told(naming: Naming, splits: Mapping[str, Split], reader: str) -> list[str]:
    """Names that no reader of these files is told."""
    try:
        naming.check([reader_of(split.path, reader) for split in splits.values()])
    except UserError as error:
        return [str(error)]
    return []


def _unknown_types(splits: Mapping[str, Split]) -> dict[str, dict[str, int]]:
    """Of each split that has any: its entities of types that the tags of ``train`` lack, by type. A
    tagger cannot find them, and in training they count as missed.
    """
    train = splits.get("train")
    if train is None or train.facts.untagged is not None:
        return {}
    found = {name: unknown_entities(split, train.facts.tags) for name, split in splits.items()}
    return {name: types for name, types in found.items() if types}


def _open_words(splits: Mapping[str, Split]) -> list[str]:
    """What training would refuse: nothing but open words in ``train``, and the first one of every
    other split.
    """
    found = []
    for name, split in splits.items():
        try:
            if name == "train":
                annotated(split)
            elif name in SPLITS:
                require_whole(split)
        except UserError as error:
            found.append(f"{name}: {error}")
    return found


def _split(
    split: Split,
    pictures: Mapping[Path, tuple[str, str]],
    frames: Mapping[Path, int],
    subwords: Callable[[Sequence[str]], int] | None,
) -> dict[str, Any]:
    tagged = [example for example in split.examples if example.tags is not None]
    entities = Counter(kind for e in tagged for _, _, kind in spans(e.tags or ()))
    return {
        "file": str(split.path),
        "sha256": split.sha256,
        "scheme": split.scheme,
        "notes": list(split.notes),
        "sentences": len(split.examples),
        "words": sum(len(example.tokens) for example in split.examples),
        "entities": dict(sorted(entities.items())),
        "untagged": finding([e.where for e in split.examples if e.tags is None]),
        "open": {
            **finding(
                [split.where(e, i) for e in tagged for i, t in enumerate(e.tags or ()) if t == OPEN]
            ),
            "unannotated": sum(not is_annotated(e) for e in tagged),
        },
        "length": {
            "words": percentiles([len(example.tokens) for example in split.examples]),
            "subwords": subwords and percentiles([subwords(e.tokens) for e in split.examples]),
        },
        "orphans": _orphans(split, tagged),
        "duplicates": _duplicates(split),
        "odd_words": odd_words(split),
        "pictures": picture_facts(split, pictures, frames),
        "fields": {
            name: {**found, **{what: finding(found[what]) for what in ("missing", "odd")}}
            for name, found in further_fields(split.examples).items()
        },
    }


def percentiles(lengths: Sequence[int]) -> dict[str, int]:
    """The lengths that the given percentages of sentences do not exceed, and the largest."""
    ordered = sorted(lengths)
    ranks = {str(p): ordered[ceil(p / 100 * len(ordered)) - 1] for p in PERCENTILES}
    return {**ranks, "max": ordered[-1]}


def _orphans(split: Split, tagged: Sequence[Example]) -> dict[str, Any]:
    """Orphan ``I-`` tags, and how many gold entities each way to read them makes."""
    found = [
        {"where": split.where(e, index), "word": e.tokens[index], "tag": (e.tags or ())[index]}
        for e in tagged
        for index in orphans(e.tags or ())
    ]
    tags = [example.tags or () for example in tagged]
    return {
        **finding(found),
        "gold": {
            "default": sum(len(spans(t)) for t in tags),
            "strict": _begun(tags),
            "repaired": _begun(repair(t) for t in tags),
        },
    }


def _begun(sentences: Iterable[Sequence[str]]) -> int:
    """Entities by strict IOB2: each begins with ``B-``."""
    return sum(tags[start][0] == "B" for tags in sentences for start, _, _ in spans(tags))


def _duplicates(split: Split) -> dict[str, Any]:
    """Sentences whose words an earlier sentence of the split has too."""
    first: dict[tuple[str, ...], Example] = {}
    pairs = []
    for example in split.examples:
        earlier = first.setdefault(example.tokens, example)
        if earlier is not example:
            pairs.append([earlier.where, example.where])
    return finding(pairs)


def _shared_sentences(one: Split, other: Split) -> dict[str, Any]:
    """Sentences of `other` whose words a sentence of `one` has too."""
    first = {example.tokens: example for example in reversed(one.examples)}
    return finding([[first[e.tokens].where, e.where] for e in other.examples if e.tokens in first])


def _shared_pictures(one: Split, other: Split) -> dict[str, Any]:
    """Pictures that both splits mention."""
    first, second = _mentions(one), _mentions(other)
    shared = [path for path in reversed(first) if path in second]
    return finding([[str(path), first[path], second[path]] for path in shared])


def _mentions(split: Split) -> dict[Path, str]:
    """Each picture of a split and the sentence that mentions it first."""
    return {path: e.where for e in reversed(split.examples) for path in reversed(e.images)}
