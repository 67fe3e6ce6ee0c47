"""What `mmseq predict` reads: CoNLL, JSONL or plain lines, from a file or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mmseq.contracts.example import Example
from mmseq.data.columns import check_columns
from mmseq.data.folder import reader_of, suiting_reader
from mmseq.data.hearing import SHOWN, Hearing
from mmseq.data.json_fields import JsonFields, checked_fields, picture_names, take
from mmseq.data.json_values import id_of, kind_of, require_names, require_words, strings
from mmseq.data.naming import Naming
from mmseq.data.picture_bounds import require_within
from mmseq.data.picture_folder import PictureFolder
from mmseq.data.reading import decoded, read_examples
from mmseq.data.sentences import with_files
from mmseq.data.tag_faults import tag_fault
from mmseq.errors import UserError, unknown
from mmseq.registry.plugins import registry
from mmseq.tagging.sentences import Sentence
from mmseq.tagging.tagger import Tagger

FORMATS = {".jsonl": "jsonl", ".txt": "conll", ".conll": "conll", ".bio": "conll"}
OWN = ("auto", "text", "jsonl")
"""Formats that are no reader's, or more than a reader's: ``text`` in place of ``tokens``"""
MARKS = (" tag", " column")
"""What messages about lines of text, read as columns, speak of"""


def check_format(form: str, source: str | None) -> None:
    """`UserError` for a format that no reader has, and for a reader's from standard input."""
    if form in OWN:
        return
    known = registry().names("reader")
    if form not in known:
        raise unknown("format", form, {*OWN, *known})
    registry().get("reader", form)
    if source in (None, "-"):
        raise UserError(f"--format {form} from standard input: give the file with --input.")


def sentences(
    tagger: Tagger,
    source: str,
    form: str,
    images: Path | None,
    columns: Mapping[str, int | str] | None = None,
    naming: Naming | None = None,
    *,
    cut: bool = False,
    taken: BinaryIO | None = None,
) -> Iterator[Sentence]:
    """Sentences of `source` (``-``: standard input) one by one, in order.

    `form`: auto, text, jsonl, or a reader's name. `images`: folder of pictures; by default `images`
    beside the file. `columns`: which hold what; then tags may be anything. `naming`: names of
    fields, by default the run's. `cut`: a splitter was asked for. JSON objects may have ``text`` in
    place of ``tokens``. `taken`: the bytes of standard input, whose pictures lie in the folder.
    """
    data = tagger.config.data
    naming = naming or Naming(data.fields, data.tag_names)
    standard = (taken or sys.stdin.buffer) if source == "-" else None
    path = Path("standard input" if standard else source)
    guessed = form == "auto"
    if guessed:
        own = suiting_reader(path, "", tagger.config.data.reader)
        form = "text" if standard else FORMATS.get(path.suffix.lower(), own)
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images}: no such folder.")
    folder = PictureFolder(images or (Path() if standard else path.parent / "images"))
    if columns and form in ("text", "jsonl"):
        raise UserError(f"{path}: format '{form}' has no columns to choose; leave out --columns.")
    if form == "text":
        for number, line in _lines(path, standard):
            yield tagger.sentence(line, name=str(number))
    elif form == "jsonl":
        said = checked_fields(naming.fields)
        # Tags are not looked at.
        fields = JsonFields({own: name for own, name in said.items() if own != "tags"})
        for number, line in _lines(path, standard):
            if line.strip():
                within = None if standard is None else images or Path()
                yield _from_json(tagger, line, path, number, folder, fields, within)
        for note in fields.lines(path):
            tagger.reporter.warning(note)
    else:
        if cut:
            tagger.reporter.warning(f"{path} has its words already: --splitter does nothing.")
        try:
            reader = reader_of(path, form)
        except UserError as error:
            raise UserError(f"{str(error).rstrip('.')}, or give --format.") from error
        check_columns([path], reader.name, columns)
        hearing = Hearing()
        try:
            for example in read_examples(path, reader, columns, hearing, naming):
                if not columns:
                    _check_tags(example, step=bool(reader.load().word_per_line))
                yield _from_example(tagger, example, folder)
        except UserError as error:
            # Tweets in a .txt file look like columns without tags.
            if not guessed or form != "conll" or not any(m in str(error) for m in MARKS):
                raise
            plain = "for plain text, a line each: --format text"
            raise UserError(f"{str(error).rstrip('.')}; {plain}.") from error
        for note in hearing.notes:
            tagger.reporter.warning(note)


def _check_tags(example: Example, *, step: bool) -> None:
    """`UserError` for a tag that is none: where columns are guessed, text may look like them.

    `step`: word i stands i lines below the first.
    """
    for index, tag in enumerate(example.tags or ()):
        if fault := tag_fault(tag):
            where = f"{example.file}:{example.line + index * step}"
            raise UserError(f"{where}: {fault.rstrip('.')}; tags of any kind: --columns word=1.")


def _lines(path: Path, standard: BinaryIO | None) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines, as they come."""
    if standard is not None:
        yield from decoded(path, standard)
        return
    with path.open("rb") as file:
        yield from decoded(path, file)


def _from_example(tagger: Tagger, example: Example, folder: PictureFolder) -> Sentence:
    return tagger.sentence(
        example.tokens,
        list(with_files(example, folder.find).images),
        dict(example.extras),
        example.id,
        file=example.file,
        line=example.line,
    )


def _from_json(
    tagger: Tagger,
    line: str,
    path: Path,
    number: int,
    folder: PictureFolder,
    fields: JsonFields,
    within: Path | None,
) -> Sentence:
    """`within`: the folder that pictures may not leave; None: they may."""
    where = f"{path}:{number}"
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: broken JSON ({error}).") from error
    if not isinstance(record, dict):
        raise UserError(f'{where}: not an object; write {{"text": …}} or {{"tokens": […]}}.')
    text = record.pop("text", None) if fields.said.get("tokens") != "text" else None
    named = fields.name(record, "tokens", where)
    given = take(record, named)
    if given is not None:
        sentence = _sentence(where, named or "tokens", given)
    elif text is not None:
        sentence = _sentence(where, "text", text)
    else:
        more = ", …" if len(record) > SHOWN else ""
        has = f"; it has {', '.join(map(repr, list(record)[:SHOWN]))}{more}" if record else ""
        named = " Another field is named by --fields tokens=NAME." if record else ""
        needs = 'needs "tokens" (a list of words) or "text" (a string)'
        raise UserError(f"{where}: {needs}{has}.{named}")
    pictures = fields.name(record, "images", where)
    images = strings(where, pictures or "images", picture_names(take(record, pictures)))
    require_names(where, pictures or "images", images)
    if within is not None:
        for image in images:
            require_within(where, image, within)
    name = id_of(where, record.pop("id", None), str(number))
    record.pop("tags", None)
    try:
        files = [folder.find(Path(image)) for image in images]
        return tagger.sentence(sentence, files, record, name, file=path, line=number)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _sentence(where: str, field: str, value: Any) -> str | tuple[str, ...]:
    """A string to be cut into words, or words; `UserError` for anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise UserError(
            f'{where}: "{field}" is {kind_of(value)}; make it a list of words, or a string.'
        )
    words = strings(where, field, value)
    require_words(where, field, words)
    return words
