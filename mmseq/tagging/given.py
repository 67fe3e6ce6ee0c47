"""What a Python caller gives to be tagged, as words and picture files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mmseq.errors import UserError
from mmseq.files import at_home
from mmseq.pictures.held import bytes_of, held_picture

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "str | Path | bytes | Image"
"""A file, the bytes of one, or a Pillow image"""
BYTES = bytes | bytearray | memoryview


def given_sentences(
    sentences: Any, images: Any, extras: Any
) -> list[tuple[str | Sequence[str], tuple[Path, ...], dict[str, Any]]]:
    """Of each sentence its words or text, its pictures, its further fields; `UserError` for what
    cannot be tagged.
    """
    if isinstance(sentences, str):
        raise UserError("predict takes a list of sentences: give one sentence as [sentence].")
    sentences = _listed("sentences", sentences)
    images = None if images is None else _listed("images", images)
    extras = None if extras is None else _listed("extras", extras)
    for name, values in (("images", images), ("extras", extras)):
        if values is not None and len(values) != len(sentences):
            raise UserError(
                f"{len(sentences)} sentences but {len(values)} {name}: give one entry a sentence "
                "(None for a sentence without)."
            )
    for index, sentence in enumerate(sentences):
        _require_sentence(f"sentences[{index}]", sentence)
    return [
        (
            sentence,
            picture_files(f"images[{index}]", images[index]) if images is not None else (),
            extras[index] if extras is not None else {},
        )
        for index, sentence in enumerate(sentences)
    ]


def _listed(name: str, given: Any) -> list[Any]:
    """A list of what was given for several sentences; `UserError` for what is no list."""
    # Of a table the names would be tagged; a set has no order.
    no_list = isinstance(given, str | bytes | Mapping | Set)
    if no_list or not isinstance(given, Iterable):
        shown = f"a {type(given).__name__}" if given is not None else "None"
        raise UserError(f"predict: {name} is {shown}; give a list, one entry a sentence.")
    return list(given)


def _require_sentence(where: str, sentence: Any) -> None:
    """`UserError` for what is neither a string nor a sequence of words."""
    if isinstance(sentence, str):
        return
    if not isinstance(sentence, Sequence) or isinstance(sentence, bytes):
        raise UserError(
            f"{where}: {_shown(sentence)} is no sentence; give a string or a list of words."
        )
    for word in sentence:
        if not isinstance(word, str):
            raise UserError(f"{where}: {_shown(word)} is no word; words are strings.")


def picture_files(where: str, given: Any) -> tuple[Path, ...]:
    """The pictures of one sentence, None for none, as paths."""
    if given is None:
        return ()
    single = isinstance(given, str | BYTES | os.PathLike) or hasattr(given, "getexif")
    if not single and not (isinstance(given, Sequence)):
        raise _no_picture(where, given)
    return tuple(_file(where, one) for one in ([given] if single else given))


def _file(where: str, one: Any) -> Path:
    if isinstance(one, BYTES):
        return held_picture(bytes(one))
    if hasattr(one, "getexif"):
        try:
            return held_picture(bytes_of(one))
        # Pillow reads the file now, which may be closed or cut short.
        except (OSError, ValueError, SyntaxError, SystemError) as error:
            raise UserError(f"{where}: the Pillow image cannot be read ({error}).") from error
    if isinstance(one, Path):
        return at_home(one) if str(one).startswith("~") else one
    if isinstance(one, str | os.PathLike):
        return at_home(os.fspath(one))
    raise _no_picture(where, one)


def _no_picture(where: str, given: Any) -> UserError:
    return UserError(
        f"{where}: {_shown(given)} is no picture; give the name of a file, its bytes, a Pillow "
        "image (of an array: PIL.Image.fromarray), a list of these, or None."
    )


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:37]}…"


def require_whole_text(text: str) -> None:
    """`UserError` for half a surrogate pair, which no tokenizer and no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{text!a}: holds half a character (\\ud800 to \\udfff) or bytes that are not UTF-8."
        ) from error
