"""Splits and folds written: sentences as JSON lines, their pictures beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.data.json_lines import json_line
from mmseq.data.new_folder import place_picture
from mmseq.data.picture_names import elsewhere, written
from mmseq.data.splits import SPLITS
from mmseq.data.tags import spans


@dataclass
class Written:
    """What a split holds."""

    sentences: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    """Of each type"""
    pictures: set[str] = field(default_factory=set)
    """Names of those that there are"""
    missing: int = 0
    """Mentions of pictures that there are not"""

    def add(self, example: Example, pictures: Iterable[str], missing: int) -> None:
        """Count a sentence."""
        self.sentences += 1
        self.entities.update(kind for _, _, kind in spans(example.tags or ()))
        self.pictures.update(pictures)
        self.missing += missing


def splits_of_fold(fold: int, folds: int) -> dict[int, str]:
    """Part -> split. A fold is tested on the part of its number and, of three and more, chosen by
    the next one; it learns from the others.
    """
    names = dict.fromkeys(range(folds), "train") | {fold: "test"}
    if folds > 2:
        names[(fold + 1) % folds] = "valid"
    return names


def write_splits(
    folder: Path,
    examples: Iterable[Example],
    parts: Sequence[int],
    splits: Mapping[int, str],
    image_folder: Path,
) -> dict[str, Written]:
    """Write each sentence, whose part is the entry of `parts` of its number, to the file of its
    split in `folder`, and the pictures to its ``images``.

    Pictures of `image_folder` keep their names in it; others keep their whole path and stay where
    they are.
    """
    folder.mkdir(exist_ok=True)
    images = folder / "images"
    names = [name for name in SPLITS if name in splits.values()]
    written = {name: Written() for name in names}
    placed: set[str] = set()
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(
                (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n")
            )
            for name in names
        }
        for example, part in zip(examples, parts, strict=True):
            split = splits[part]
            there, called = [], []
            for path in example.images:
                name, inside = _name(path, image_folder)
                called.append(name)
                if path.is_file():
                    there.append(name)
                    if inside and name not in placed:
                        place_picture(path, images / name)
                        placed.add(name)
            written[split].add(example, there, len(called) - len(there))
            files[split].write(json_line(example, called))
    return written


def _name(path: Path, image_folder: Path) -> tuple[str, bool]:
    """A picture's name in the new folder, and whether it lies in `image_folder`."""
    if path.is_relative_to(image_folder) and ".." not in path.relative_to(image_folder).parts:
        return path.relative_to(image_folder).as_posix(), True
    return written(path) if elsewhere(path) else str(path.absolute()), False
