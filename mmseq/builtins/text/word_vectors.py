"""Word vectors from files: GloVe and word2vec text, or a matrix with an index of its words."""

from __future__ import annotations

import json
from array import array
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmseq.errors import UserError
from mmseq.files import at_home
from mmseq.packaged import resolve_package_path

INDEX_SUFFIXES = (".parquet", ".txt", ".json")
TEXT_SUFFIXES = (".txt", ".vec")
FORMS = "a GloVe or word2vec text file, a .npy matrix with its index beside it, or pkg:…"


@dataclass(frozen=True)
class WordVectors:
    """The words of a file and their vectors, in the file's order (usually most frequent first)."""

    words: Sequence[str]
    matrix: np.ndarray[Any, np.dtype[Any]]
    """(words, width)"""

    @property
    def width(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each word; the first, where a file has a word twice."""
        places = reversed(range(len(self.words)))
        return {self.words[place]: place for place in places}

    def find(self, word: str) -> int | None:
        """Row of the word as it is written, else of its lower-cased form, else None."""
        row = self.rows.get(word)
        return self.rows.get(word.lower()) if row is None else row


def read_word_vectors(source: str, width: int = 0) -> WordVectors:
    """The vectors of a file, a folder that holds one such file, or ``pkg:package/path``.

    * Text: a word and its numbers a line, separated by single spaces (GloVe); a first line with
      two whole numbers says how many words and how wide (word2vec). A word may hold spaces.
    * ``.npy``: a matrix, one row a word, with its index beside it: a ``.parquet`` table with one
      column of strings, a ``.txt`` with a word a line, or a ``.json`` list; the file of the
      matrix's own name, or else the only one with such an ending.

    `width`: what is expected, 0: any. The last file read is kept in memory, so that reading it
    again costs nothing. Raises `UserError` naming file, line and remedy.
    """
    try:
        path = _file(source)
        if path.suffix == ".npy":
            index = _index_beside(path)
            found = _read_matrix(path, index, _stamp(path), _stamp(index))
        else:
            found = _read_text(path, _stamp(path))
    except OSError as error:
        reason, name = error.strerror or error, error.filename or source
        raise UserError(f"text_encoder.vectors: {name} cannot be read: {reason}.") from error
    if width and width != found.width:
        raise UserError(
            f"text_encoder.word_width = {width}, but the vectors in {path} are {found.width} wide; "
            f"give {found.width}, or 0 for the file's own width."
        )
    return found


def _file(source: str) -> Path:
    package = source.startswith("pkg:")
    path = resolve_package_path(source) if package else at_home(source, "text_encoder.vectors")
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(
            f"text_encoder.vectors: no file '{source}'; give {FORMS}, or '' for random vectors."
        )
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    found = [file for file in inside if file.suffix == ".npy"]
    # Beside a matrix, text is its index.
    found = found or [file for file in inside if file.suffix in TEXT_SUFFIXES]
    if len(found) != 1:
        names = ", ".join(str(file.relative_to(path)) for file in found[:6])
        what = f"several files in {path}: name one of {names}" if found else f"none in {path}"
        raise UserError(f"text_encoder.vectors: {what}; give {FORMS}.")
    return found[0]


def _index_beside(path: Path) -> Path:
    for suffix in INDEX_SUFFIXES:
        if (own := path.with_suffix(suffix)).is_file():
            return own
    endings = ", ".join(INDEX_SUFFIXES)
    found = sorted(file for file in path.parent.iterdir() if file.suffix in INDEX_SUFFIXES)
    if len(found) != 1:
        what = f"has several ({', '.join(f.name for f in found[:6])})" if found else "has none"
        raise UserError(
            f"text_encoder.vectors: {path} needs an index of its words beside it ({endings}), and "
            f"{what}; call it {path.with_suffix('.txt').name}, with one word a line."
        )
    return found[0]


def _stamp(path: Path) -> tuple[int, int]:
    """Tells a changed file from the one that was read before."""
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=1)
def _read_text(path: Path, stamp: tuple[int, int]) -> WordVectors:
    words: list[str] = []
    numbers = array("f")
    count = -1
    width = blank = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            where = f"{path}:{number}"
            raw = raw.removeprefix(BOM_UTF8) if number == 1 else raw
            line = _decoded(raw, where).rstrip(" \r\n")
            fields = line.split(" ")
            if number == 1 and len(fields) == 2 and all(f.isdecimal() for f in fields):
                count, width = int(fields[0]), int(fields[1])
                continue
            if not line:
                # At the end of the file it does no harm.
                blank = blank or number
                continue
            if blank:
                raise UserError(_wrong_count(f"{path}:{blank}", [""], width))
            width = width or len(fields) - 1
            if not width or len(fields) <= width:
                raise UserError(_wrong_count(where, fields, width))
            # From the right: a word may hold spaces.
            word, *entries = line.rsplit(" ", width)
            if " " in word and _is_number(word.rpartition(" ")[2]):
                raise UserError(_wrong_count(where, fields, width))
            try:
                numbers.extend(map(float, entries))
            except ValueError:
                wrong = next(entry for entry in entries if not _is_number(entry))
                raise UserError(
                    f"{where}: '{wrong}' is not a number; a line is a word and {width} numbers, "
                    "separated by single spaces."
                ) from None
            words.append(word)
    if not words:
        raise UserError(f"text_encoder.vectors: {path} holds no word vectors; give {FORMS}.")
    if count >= 0 and count != len(words):
        raise UserError(
            f"{path}:1: says {count} words, but {len(words)} follow; the file is cut off or "
            "damaged: fetch it again, or correct the number."
        )
    matrix = np.frombuffer(numbers, dtype=np.float32).reshape(len(words), width)
    first = 2 if count >= 0 else 1
    if (row := _not_finite(matrix)) is not None:
        raise UserError(f"{path}:{first + row}: a number is not finite; remove the line.")
    return WordVectors(words, matrix)


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: not UTF-8 text; unpack a packed file, and save a binary one as text."
        ) from error


def _wrong_count(where: str, fields: Sequence[str], width: int) -> str:
    given = sum(_is_number(field) for field in fields[1:])
    wanted = f"{width} are expected" if width else "a line is a word and its numbers"
    return f"{where}: {given} numbers after '{fields[0]}', where {wanted}; fix or remove the line."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _read_matrix(
    path: Path, index: Path, stamp: tuple[int, int], index_stamp: tuple[int, int]
) -> WordVectors:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(
            f"text_encoder.vectors: {path} is not a .npy file ({error}); save it with numpy.save."
        ) from error
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not matrix.size:
        raise UserError(
            f"text_encoder.vectors: {path} holds {matrix.dtype} {matrix.shape}; it must be a "
            "matrix of floats, one row a word."
        )
    words = _index_words(index)
    if len(words) != len(matrix):
        raise UserError(
            f"text_encoder.vectors: {path} has {len(matrix)} rows, but its index {index} has "
            f"{len(words)} words; they must be as many: take the index that belongs to it."
        )
    if (row := _not_finite(matrix)) is not None:
        raise UserError(
            f"text_encoder.vectors: {path}, row {row} ('{words[row]}'): a number is not finite; "
            "remove the row and its word."
        )
    return WordVectors(words, matrix)


def _not_finite(matrix: np.ndarray[Any, np.dtype[Any]]) -> int | None:
    wrong = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    return int(wrong[0]) if len(wrong) else None


def _index_words(path: Path) -> Sequence[str]:
    if path.suffix == ".parquet":
        return _parquet_words(path)
    text = _decoded(path.read_bytes().removeprefix(BOM_UTF8), str(path))
    if path.suffix == ".txt":
        lines = text.split("\n")
        return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]
    try:
        words = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); it must be a list of words.") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: it must be a list of words.")
    return words


def _parquet_words(path: Path) -> Sequence[str]:
    try:
        from pyarrow import ArrowException, parquet, types
    except ImportError as error:
        raise UserError(
            f"{path}: a .parquet index needs pyarrow: pip install 'mmseq[offline]', or save it as "
            ".txt, one word a line."
        ) from error
    try:
        table = parquet.read_table(path)
    # A file that is cut off raises either, depending on where.
    except (ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{path}: not a .parquet table ({reason}); fetch it again.") from error
    columns = [
        field.name
        for field in table.schema
        if types.is_string(field.type) or types.is_large_string(field.type)
    ]
    if len(columns) != 1 or table[columns[0]].null_count:
        raise UserError(
            f"{path}: has {len(columns)} columns of strings ({', '.join(columns) or 'none'}); it "
            "must have one, a word in every row."
        )
    words: list[str] = table[columns[0]].to_pylist()
    return words
