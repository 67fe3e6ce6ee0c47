"""Examples and splits: what a data folder holds, read, checked and in one tagging scheme."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from mmseq import labels as tagging
from mmseq.errors import ComponentError, UserError, closest, one_line
from mmseq.example import Example
from mmseq.lookup import (
    PictureFolder,
    file_names,
    find_split,
    no_split,
    not_found,
    reader_of,
    require_folder,
)

if TYPE_CHECKING:
    from mmseq.registry import Entry

SPLITS = ("train", "valid", "test")
SchemeOption = Literal["auto", "bio", "bioes", "iob1"]


class Reader(ABC):
    """A file to examples.

    It has no options, since files are read by their ending. A file that cannot be opened or is no
    UTF-8 need not be looked after: the engine says so.
    """

    suffixes: ClassVar[tuple[str, ...]]
    """File endings it reads, with the dot"""
    word_per_line: ClassVar[bool] = False
    """True: word i of a sentence stands i lines below its first, which messages then name"""
    example_file: ClassVar[str] = ""
    """A small file of the format, two sentences or more: `mmseq show` prints it, checks read it"""

    @abstractmethod
    def read(self, path: Path) -> Iterator[Example]:
        """Examples in file order; `UserError` naming file, line and remedy for a bad line.
        Tags as written; pictures as file names, which the engine looks up.
        """


@dataclass(frozen=True)
class Split:
    """One file of a data folder, read: BIO tags, pictures looked up."""

    name: str
    path: Path
    sha256: str
    """Of the file's bytes"""
    examples: list[Example]
    scheme: str
    """Of the file: ``bio``, ``bioes`` or ``iob1``; ``none`` without tags"""
    word_per_line: bool = False

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
) -> dict[str, Split]:
    """The splits that `folder` has, in the order of `splits`.

    Files are ``train|valid|test`` (``dev`` for ``valid``) with an ending that `reader` reads; with
    ``auto`` any registered reader's. `mapping` renames types (to ``O``: drops). Pictures are
    looked up in `image_folder`, else in ``images`` in `folder`. `UserError` for a folder or
    picture folder that is missing, no file at all, two files for one split, bad content, and with
    a training split for a mapped type that no split has.
    """
    found = {name: find_split(folder, name, reader) for name in splits}
    loaded = {
        name: load_file(path, name=name, reader=reader, scheme=scheme, image_folder=image_folder)
        for name, path in found.items()
        if path is not None
    }
    if not loaded:
        raise no_split(folder, tuple(splits), reader)
    if "train" in loaded:
        # Data for a finished run need not have every type that the run's mapping names.
        check_mapping(loaded.values(), mapping or {})
    return {name: rename_types(split, mapping or {}) for name, split in loaded.items()}


def load_file(
    path: Path,
    *,
    name: str = "",
    reader: str = "auto",
    scheme: SchemeOption = "auto",
    mapping: Mapping[str, str] | None = None,
    image_folder: Path | None = None,
) -> Split:
    """One file as a split, with the options of `load_folder`; `name` is its stem unless given."""
    if not path.is_file():
        raise not_found(path, "data file")
    if image_folder is not None:
        require_folder(image_folder, "picture folder")
    entry = reader_of(path, reader)
    pictures = PictureFolder(image_folder or path.parent / "images")
    examples = [
        replace(example, images=tuple(pictures.find(image) for image in example.images))
        for example in read_examples(path, entry)
    ]
    if not examples:
        raise UserError(f"{path}: holds no sentence; fill it or remove it.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    split = Split(name or path.stem, path, digest, examples, "none", entry.load().word_per_line)
    return rename_types(_to_bio(split, scheme), mapping or {})


def read_examples(path: Path, entry: Entry) -> Iterator[Example]:
    """What the reader `entry` makes of a file, one by one.

    `UserError` for a file that cannot be read; `ComponentError` naming the reader for what it
    raises else, and for examples of the wrong types.
    """
    place = f"{entry.full_title} on {path}"
    after = "at its beginning"
    try:
        for number, example in enumerate(entry.load()().read(path), 1):
            if fault := _fault(example):
                raise ComponentError(f"{place}, the sentence {after}: {fault}.")
            after = f"after line {example.line}" if example.line else f"after sentence {number}"
            yield example
    except (UserError, ComponentError):
        raise
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read ({reason}); check the file.") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{path}: not UTF-8 (byte {byte:#04x}); save the file as UTF-8.") from error
    # A stranger's code may raise anything.
    except Exception as error:
        reason = one_line(error).rstrip(".")
        raise ComponentError(f"{place} failed {after}: {reason}.") from error


def _fault(example: object) -> str:
    """What is wrong with the types of what a reader gave; empty: nothing."""
    if not isinstance(example, Example):
        return f"it is {type(example).__name__}, not mmseq.Example"
    parts = {"tokens": str, "images": Path} | ({} if example.tags is None else {"tags": str})
    for name, kind in parts.items():
        value = getattr(example, name)
        if not (isinstance(value, tuple) and all(isinstance(part, kind) for part in value)):
            return f"{name} are {value!r}, not a tuple of {kind.__name__}"
    if not all(path.name for path in example.images):
        return "a picture's name is empty"
    return "" if example.tokens else "it has no word"


def _to_bio(split: Split, scheme: SchemeOption) -> Split:
    """The split with BIO tags and the scheme of its file; `scheme` is what the user says it is."""
    tagged = [example.tags for example in split.examples if example.tags is not None]
    if not tagged:
        return split
    _check_tags(split)
    detected = tagging.detect_scheme(tagged)
    if scheme in ("bio", "iob1") and detected == "bioes":
        for example in split.examples:
            for index, tag in enumerate(example.tags or ()):
                if tag != "O" and tag[0] not in "BI":
                    raise UserError(
                        f"{split.where(example, index)}: tag '{tag}' is not of scheme {scheme}; "
                        "set the scheme (data.scheme, --scheme) to bioes or auto."
                    )
    found = detected if scheme == "auto" else scheme
    if found == "bio":
        return replace(split, scheme=found)
    convert = tagging.bioes_to_bio if found == "bioes" else tagging.iob1_to_bio
    examples = [replace(e, tags=e.tags and convert(e.tags)) for e in split.examples]
    return replace(split, scheme=found, examples=examples)


def _check_tags(split: Split) -> None:
    """`UserError` for what a plugin's reader let through: not a tag, or not one a word."""
    for example in split.examples:
        words, tags = len(example.tokens), example.tags or ()
        if tags and len(tags) != words:
            raise UserError(
                f"{example.where}: {words} words but {len(tags)} tags; give every word a tag."
            )
        for index, tag in enumerate(tags):
            if not tagging.is_tag(tag):
                where = split.where(example, index)
                raise UserError(f"{where}: '{tag}' is not a tag; {tagging.TAG_FORM}.")


def check_mapping(splits: Iterable[Split], mapping: Mapping[str, str]) -> None:
    """`UserError` for a type to rename that none of the splits has."""
    present = sorted({kind for split in splits for kind in types_of(split)})
    for kind in mapping:
        if kind not in present:
            guess = closest(kind, present)
            hint = f" Did you mean '{guess}'?" if guess else ""
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
    examples = [
        replace(e, tags=e.tags and tagging.map_types(e.tags, mapping)) for e in split.examples
    ]
    return replace(split, examples=examples)


def require_split(splits: Mapping[str, Split], name: str, folder: Path) -> Split:
    """The split `name`; `UserError` if the folder has no such file."""
    if name in splits:
        return splits[name]
    names = " or ".join(f"{stem}.txt, {stem}.jsonl" for stem in file_names(name))
    raise UserError(f"{folder}: no split '{name}'; add its file ({names}, …).")


def require_tags(split: Split) -> None:
    """`UserError` naming the first sentence without tags."""
    for example in split.examples:
        if example.tags is None:
            raise UserError(
                f"{example.where}: the sentence has no tags; '{split.name}' needs them."
            )


def types_of(split: Split) -> tuple[str, ...]:
    """The entity types in a split's tags, sorted."""
    tags = {tag for example in split.examples for tag in example.tags or ()}
    return tuple(sorted({tagging.split_tag(tag)[1] for tag in tags} - {""}))


def check_known(split: Split, labels: Iterable[str]) -> None:
    """`UserError` naming the first word whose type is not among the run's `labels`."""
    known = {tagging.split_tag(label)[1] for label in labels} - {""}
    if known.issuperset(types_of(split)):
        return
    for example in split.examples:
        for index, tag in enumerate(example.tags or ()):
            kind = tagging.split_tag(tag)[1]
            if kind and kind not in known:
                raise UserError(
                    f"{split.where(example, index)}: the run does not know the type of tag '{tag}' "
                    f"(it knows {', '.join(sorted(known))}); rename it (`--map {kind}=…`) or "
                    f"ignore it (`--map {kind}=O`)."
                )


def missing_pictures(examples: Iterable[Example]) -> list[tuple[Example, Path]]:
    """Every mention of a picture that has no file; nothing is opened."""
    exists: dict[Path, bool] = {}
    missing = []
    for example in examples:
        for path in example.images:
            if path not in exists:
                exists[path] = path.is_file()
            if not exists[path]:
                missing.append((example, path))
    return missing
