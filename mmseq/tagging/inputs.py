"""What `mmseq predict` reads: CoNLL, JSONL or plain lines, from a file or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mmseq.contracts.example import Example
from mmseq.data.columns import check_columns
from mmseq.data.folder import reader_of, suiting_reader
from mmseq.data.hearing import SHOWN
from mmseq.data.json_fields import JsonFields, checked_fields, picture_names, take
from mmseq.data.json_values import id_of, kind_of, require_names, require_words, strings
from mmseq.data.naming import Naming
from mmseq.data.picture_bounds import require_within
from mmseq.data.picture_folder import PictureFolder
from mmseq.data.reading import read_examples
from mmseq.data.sentences import with_files
from mmseq.data.tag_faults import tag_fault
from mmseq.errors import UserError, unknown
from mmseq.registry.plugins import registry
from mmseq.tagging.bad_lines import BadLines
from mmseq.tagging.input_lines import count_lines, input_lines, is_of_several_lines
from mmseq.tagging.part_record import NOTHING, Done
from mmseq.tagging.sentences import Sentence
from mmseq.tagging.tagger import Tagger

if TYPE_CHECKING:
    from mmseq.registry.entries import Entry

FORMATS = {".jsonl": "jsonl", ".txt": "conll", ".conll": "conll", ".bio": "conll"}
LINES = ("text", "jsonl")
"""Formats that hold a sentence in each line"""
OWN = ("auto", *LINES)
"""Formats that are no reader's, or more than a reader's: ``text`` in place of ``tokens``"""
MARKS = (" tag", " column")
"""What messages about lines of text, read as columns, speak of"""
PLAIN = "for plain text, a line each: --format text"


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
    bad: BadLines | None = None,
    done: Done = NOTHING,
) -> Iterator[Sentence | None]:
    """Sentences of `source` (``-``: standard input) one by one, in order.

    `form`: auto, text, jsonl, or a reader's name. `images`: folder of pictures; by default `images`
    beside the file. `columns`: which hold what; then tags may be anything. `naming`: names of
    fields, by default the run's. `cut`: a splitter was asked for. JSON objects may have ``text`` in
    place of ``tokens``. `taken`: the bytes of standard input, whose pictures lie in the folder.
    `bad`: what becomes of lines that cannot be tagged; by default the first is an error. `done`:
    what has been tagged is passed over. From a pipe also None, where those before it should wait
    for no other.
    """
    data = tagger.config.data
    naming = naming or Naming(data.fields, data.tag_names)
    bad = bad or BadLines()
    standard = (taken or sys.stdin.buffer) if source == "-" else None
    path = Path("standard input" if standard else source)
    guessed = form == "auto"
    form = format_of(tagger, source, form)
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images}: no such folder.")
    folder = PictureFolder(images or (Path() if standard else path.parent / "images"))
    if columns and form in LINES:
        raise UserError(f"{path}: format '{form}' has no columns to choose; leave out --columns.")
    if form == "text":
        for number, line in input_lines(path, standard, bad, done):
            yield tagger.sentence(line, name=str(number), line=number) if number else None
    elif form == "jsonl":
        said = checked_fields(naming.fields)
        # Tags are not looked at.
        fields = JsonFields({own: name for own, name in said.items() if own != "tags"})
        lines = input_lines(path, standard, bad, done)
        within = None if standard is None else images or Path()
        yield from _of_objects(tagger, path, folder, fields, bad, lines, within)
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
        hearing = bad.hearing()
        examples = read_examples(path, reader, columns, hearing, naming)
        # Tweets in a .txt file look like columns without tags.
        hint = PLAIN if guessed and form == "conll" else ""
        found = _of_reader(tagger, reader, examples, folder, bad, hint, checked=not columns)
        yield from islice(found, done.read, None)
        for note in hearing.notes:
            tagger.reporter.warning(note)
        bad.with_sentence = bool(reader.load().word_per_line)
        bad.seen = count_lines(path) if bad.number else 0


def format_of(tagger: Tagger, source: str, form: str) -> str:
    """The format of `source`: text, jsonl, or a reader's name, which may be auto still."""
    if form != "auto":
        return form
    if source == "-":
        return "text"
    own = suiting_reader(Path(source), "", tagger.config.data.reader)
    return FORMATS.get(Path(source).suffix.lower(), own)


def _of_objects(
    tagger: Tagger,
    path: Path,
    folder: PictureFolder,
    fields: JsonFields,
    bad: BadLines,
    lines: Iterable[tuple[int, str]],
    within: Path | None,
) -> Iterator[Sentence | None]:
    """Sentences of lines of JSON. `within`: the folder that pictures may not leave; None: they
    may.
    """
    first = True
    for number, line in lines:
        if not number:
            yield None
        if not line.strip():
            continue
        if first and bad.are_left_out and is_of_several_lines(line):
            raise UserError(
                f"{path}:{number}: one array, or one object, over several lines, in which "
                "--skip-bad cannot go on; `mmseq data import json` makes a line of each sentence."
            )
        first = False
        try:
            sentence = _from_json(tagger, line, path, number, folder, fields, within)
        except UserError as error:
            bad.refuse(error, number)
            continue
        yield sentence


def _of_reader(
    tagger: Tagger,
    reader: Entry,
    examples: Iterable[Example],
    folder: PictureFolder,
    bad: BadLines,
    hint: str,
    *,
    checked: bool,
) -> Iterator[Sentence]:
    """Sentences of a reader's examples. `hint`: what else may be done about tags and columns.
    `checked`: only those whose tags are tags.
    """
    step = bool(reader.load().word_per_line)
    try:
        for example in examples:
            try:
                if checked:
                    _check_tags(example, step=step)
                sentence = _from_example(tagger, example, folder)
            except UserError as error:
                bad.refuse(_hinted(error, hint), example.line)
                continue
            last = example.line + (len(example.tokens) - 1) * step
            yield replace(sentence, last_line=last)
    except UserError as error:
        if bad.are_left_out:
            text = str(error).rstrip(".")
            raise UserError(f"{text}; --skip-bad cannot go on behind it.") from error
        raise _hinted(error, hint) from error


def _hinted(error: UserError, hint: str) -> UserError:
    text = str(error)
    if not hint or hint in text or not any(mark in text for mark in MARKS):
        return error
    return type(error)(f"{text.rstrip('.')}; {hint}.")


def _check_tags(example: Example, *, step: bool) -> None:
    """`UserError` for a tag that is none: where columns are guessed, text may look like them.

    `step`: word i stands i lines below the first.
    """
    for index, tag in enumerate(example.tags or ()):
        if fault := tag_fault(tag):
            where = f"{example.file}:{example.line + index * step}"
            raise UserError(f"{where}: {fault.rstrip('.')}; tags of any kind: --columns word=1.")


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
