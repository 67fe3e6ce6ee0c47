"""Tagged sentences written: a line of JSON each, or columns; both are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmseq.data.picture_names import in_folder
from mmseq.errors import UserError
from mmseq.tagging.sentences import TaggedSentence

COLUMNS = (".conll", ".bio")
"""Endings of files with columns; every other one gets JSON"""


def record(sentence: TaggedSentence, image_folder: Path | None = None) -> dict[str, Any]:
    """A sentence as `TaggedSentence.to_dict`, with pictures in terms of their folder."""
    return sentence.to_dict() | {"images": picture_names(sentence, image_folder)}


def columns(sentence: TaggedSentence, image_folder: Path | None = None) -> str:
    """A sentence for the reader of columns, with a blank line behind it: ``IMGID:`` and its
    picture, each word, a tab and its tag. Empty for a sentence without words.

    `UserError` for what columns cannot hold: a word or a picture's name with a tab or a line break,
    and a word that would be read as something else.
    """
    if not sentence.words:
        return ""
    lines = [f"IMGID:{name}" for name in picture_names(sentence, image_folder)]
    for name in lines:
        _require_writable(name, name, sentence)
    for word, tag in zip(sentence.words, sentence.tags, strict=True):
        _require_writable(word, word, sentence)
        if not word.strip() or word.startswith(("IMGID:", "-DOCSTART-")):
            raise _unwritable(f"the word '{word}' would be read as something else", sentence)
        lines.append(f"{word}\t{tag}")
    return "\n".join([*lines, "", ""])


def picture_names(sentence: TaggedSentence, image_folder: Path | None) -> list[str]:
    """Pictures as the data name them: in terms of their folder, where they lie in it."""
    return [in_folder(path, image_folder) for path in sentence.images]


def _require_writable(text: str, shown: str, sentence: TaggedSentence) -> None:
    if any(sign in text for sign in "\t\n\r"):
        raise _unwritable(f"{shown!r} holds a tab or a line break", sentence)


def _unwritable(what: str, sentence: TaggedSentence) -> UserError:
    name = f"sentence '{sentence.id}'" if sentence.id else "a sentence"
    return UserError(f"{name}: {what}, so that columns cannot hold it; write a .jsonl file.")
