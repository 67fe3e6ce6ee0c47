"""Examples and splits: what a data folder holds, read, checked and in one tagging scheme."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mmseq.contracts.example import OPEN, Example
from mmseq.data import tags as tagging
from mmseq.data.columns import Columns, unused_columns
from mmseq.data.folder import (
    find_split,
    no_split,
    not_found,
    reader_of,
    require_folder,
    unread_files,
)
from mmseq.data.hearing import Hearing
from mmseq.data.kept import stored_sentences
from mmseq.data.naming import Naming
from mmseq.data.picture_folder import PictureFolder
from mmseq.data.reading import Rereading, takes_columns, unreadable
from mmseq.data.schemes import SchemeOption, as_bio, is_right, scheme_of
from mmseq.data.sentences import Facts, is_annotated, renamed, with_files
from mmseq.data.split_files import file_names
from mmseq.data.store import ExampleStore, StoredExamples
from mmseq.errors import UserError, did_you_mean
from mmseq.files import sha256_of

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """One file of a data folder, read: BIO tags, pictures looked up."""

    name: str
    path: Path
    sha256: str
    """Of the file's bytes"""
    examples: Sequence[Example]
    """In memory, or read from disk each time they are asked for"""
    scheme: str
    """Of the file: ``bio``, ``bioes``, ``bmes``, ``iob1`` or ``io``; ``none`` without tags"""
    word_per_line: bool = False
    left_out: int = 0
    """Sentences of the file that are not among them, since all their words are open"""
    notes: tuple[str, ...] = ()
    """What its reader says of the file, such as what of it is not read"""

    @cached_property
    def facts(self) -> Facts:
        """Facts about its sentences as a whole."""
        if isinstance(self.examples, StoredExamples):
            return self.examples.facts
        return Facts.of(self.examples)

    def where(self, example: Example, word: int) -> str:
        """``file:line`` of a word (of its sentence, where the format has no line a word)."""
        return f"{example.file}:{example.line + word * self.word_per_line}"


def load_folder(
    folder: Path,
    *,
    reader: str = "auto",
    scheme: SchemeOption = "auto",
    mapping: Mapping[str, str] | None = None,
    image_folder: Path | None = None,
    splits: Sequence[str] = SPLITS,
    store: ExampleStore | None = None,
    columns: Columns | None = None,
    naming: Naming | None = None,
) -> dict[str, Split]:
    """The splits that `folder` has, in the order of `splits`.

    Files are ``train|valid|test`` (``dev`` for ``valid``; where there is none, what others call
    them) with an ending that `reader` reads; with ``auto`` any registered reader's. `mapping`
    renames types (to ``O``: drops). Pictures are looked up in `image_folder`, else in ``images`` in
    `folder`. Sentences of files that are large enough for `store` are kept there. Readers that take
    `columns`, or the names in `naming`, get them. Sentences of ``train`` all of whose words are
    open are left out. `UserError` for a folder or picture folder that is missing, no file at all,
    two files for one split, bad content, and with a training split for a mapped type that no split
    has, and where all its words are open.
    """
    found = {name: find_split(folder, name, reader) for name in splits}
    loaded = {
        name: load_file(
            path,
            name=name,
            reader=reader,
            scheme=scheme,
            image_folder=image_folder,
            store=store,
            columns=columns,
            naming=naming,
        )
        for name, path in found.items()
        if path is not None
    }
    if not loaded:
        raise no_split(folder, tuple(splits), reader)
    if naming:
        naming.check([reader_of(split.path, reader) for split in loaded.values()])
    first, *_ = loaded.values()
    if line := unused_columns([split.path for split in loaded.values()], reader, columns):
        loaded[first.name] = replace(first, notes=(*first.notes, line))
    if "train" in loaded:
        # Data for a finished run need not have every type that the run's mapping names.
        check_mapping(loaded.values(), mapping or {})
    if "train" in loaded:
        loaded["train"] = annotated(loaded["train"])
    return {name: rename_types(split, mapping or {}) for name, split in loaded.items()}


def annotated(split: Split) -> Split:
    """The split without sentences of which no word's tag is known: nothing is learned from them.
    `UserError` where it has no others.
    """
    examples, kept = split.examples, split.examples
    if isinstance(examples, StoredExamples):
        if examples.facts.unknown:
            kept = examples.chosen([i for i, e in enumerate(examples) if is_annotated(e)])
    elif not all(map(is_annotated, examples)):
        kept = list(filter(is_annotated, examples))
    if kept is examples:
        return split
    if not kept:
        raise UserError(
            f"{split.path}: every word is open ('{OPEN}'), so that there is nothing to learn; give "
            "some words their tags."
        )
    return replace(split, examples=kept, left_out=len(examples) - len(kept))


def load_file(
    path: Path,
    *,
    name: str = "",
    reader: str = "auto",
    scheme: SchemeOption = "auto",
    mapping: Mapping[str, str] | None = None,
    image_folder: Path | None = None,
    store: ExampleStore | None = None,
    columns: Columns | None = None,
    hearing: Hearing | None = None,
    naming: Naming | None = None,
) -> Split:
    """One file as a split, with the options of `load_folder`; `name` is its stem unless given.

    Where `hearing` counts faults, the sentences without any are read.
    """
    if not path.is_file():
        raise not_found(path, "data file")
    if image_folder is not None:
        require_folder(image_folder, "picture folder")
    entry = reader_of(path, reader)
    hearing = hearing or Hearing()
    find = PictureFolder(image_folder or path.parent / "images").find
    split = Split(name or path.stem, path, _digest(path), [], "none", entry.load().word_per_line)
    said = dict(columns or {}) if takes_columns(entry) else {}
    file = Rereading(path, entry, said, hearing, naming or Naming())
    examples: Sequence[Example]
    stored = stored_sentences(store, split.sha256, split.where, file, scheme, find)
    if stored is not None:
        examples, found = stored, stored.scheme
        hearing.notes.update(dict.fromkeys(stored.notes))
    else:
        read = list(file)
        found = scheme_of(read, scheme, split.path, split.where, hearing)
        if hearing.faults:
            read = [example for example in read if is_right(example, found)]
        examples = [with_files(example, find) for example in as_bio(read, found)]
    split = replace(split, examples=examples, scheme=found, notes=tuple(hearing.notes))
    return rename_types(split, mapping or {})


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise unreadable(path, error) from error


def check_mapping(splits: Iterable[Split], mapping: Mapping[str, str]) -> None:
    """`UserError` for a type to rename that none of the splits has."""
    present = sorted({kind for split in splits for kind in types_of(split)})
    for kind in mapping:
        if kind not in present:
            hint = did_you_mean(kind, present)
            raise UserError(
                f"Cannot map type '{kind}': the data has no such type.{hint} "
                f"Types: {', '.join(present) or 'none'}."
            )


def rename_types(split: Split, mapping: Mapping[str, str]) -> Split:
    """The split with types renamed; ``O`` drops a type. `UserError` for what cannot be a type."""
    if not mapping:
        return split
    for kind, target in mapping.items():
        if not tagging.is_tag(f"B-{target}"):
            raise UserError(f"Cannot map type '{kind}' to '{target}': not a type; O drops a type.")
    if isinstance(split.examples, StoredExamples):
        return replace(split, examples=split.examples.renamed(mapping))
    return replace(split, examples=[renamed(e, mapping) for e in split.examples])


def require_split(splits: Mapping[str, Split], name: str, folder: Path) -> Split:
    """The split `name`; `UserError` if the folder has no such file."""
    if name in splits:
        return splits[name]
    names = " or ".join(f"{stem}.txt, {stem}.jsonl" for stem in file_names(name))
    unread = unread_files(folder, SPLITS) if folder.is_dir() else ""
    more = f" {unread}" if unread else ""
    raise UserError(f"{folder}: no split '{name}'; add its file ({names}, …).{more}")


def require_tags(split: Split) -> None:
    """`UserError` naming the first sentence without tags."""
    if split.facts.untagged is not None:
        example = split.examples[split.facts.untagged]
        remedy = untagged_remedy(split.name)
        line = f"{example.where}: the sentence has no tags; '{split.name}' needs them{remedy}."
        raise UserError(" ".join((line, *split.notes)))


def untagged_remedy(split: str) -> str:
    """What to do with sentences of a split that have no tags, after a semicolon; empty for train,
    from which is learned.
    """
    if split not in ("valid", "test"):
        return ""
    return "; add them, or call the file otherwise and tag it by `mmseq predict RUN --input FILE`"


def require_whole(split: Split) -> None:
    """`UserError` naming the first word that the annotation leaves open."""
    if split.facts.first_open is not None:
        example = split.examples[split.facts.first_open]
        word = (example.tags or ()).index(OPEN)
        raise UserError(
            f"{split.where(example, word)}: the tag of '{example.tokens[word]}' is open "
            f"('{OPEN}'), which is for training alone; give the word its tag, or leave out the "
            "sentence."
        )
    if split.left_out:
        raise UserError(
            f"{split.path}: all words of {split.left_out} of its sentences are open ('{OPEN}'), "
            "which is for training alone; give words their tags, or leave out the sentences."
        )


def types_of(split: Split) -> tuple[str, ...]:
    """The entity types in a split's tags, sorted."""
    return tuple(sorted({tagging.split_tag(tag)[1] for tag in split.facts.tags} - {""}))


def missing_pictures(examples: Iterable[Example]) -> list[tuple[Example, Path]]:
    """Every mention of a picture that has no file; nothing is opened."""
    exists: dict[Path, bool] = {}
    missing = []
    for example in examples:
        for path in example.images:
            if path not in exists:
                # A name may be too long for a path, which pathlib raises.
                exists[path] = os.path.isfile(path)
            if not exists[path]:
                missing.append((example, path))
    return missing
