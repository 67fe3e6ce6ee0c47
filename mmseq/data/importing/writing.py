"""A data folder made of annotations: sentences as JSON lines, their pictures beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO

from mmseq.contracts.example import Example
from mmseq.data.importing.documents import Document, Item, Naming, Read, Skipped, Words
from mmseq.data.importing.fields import seems_spans
from mmseq.data.importing.pictures import Pictures
from mmseq.data.importing.report import Report
from mmseq.data.importing.sources import Source
from mmseq.data.importing.words import Cutting, Inside, Places, chosen_spans, fitted, sentences
from mmseq.data.json_lines import json_line
from mmseq.data.splitting.splitter import Splitter
from mmseq.data.tags import bioes_to_bio, is_tag
from mmseq.data.tags import spans as entities_of
from mmseq.errors import UserError

BASES = ("tweet", "punctuation", "characters", "tweet-split", "whitespace")
"""Those that are tried, the first being the one that is taken where they do equally well"""
LIMIT = 1000
"""Texts that they are tried on"""
SPARED = 0.01
"""Share of the spans that another base must spare to be taken"""


def import_into(
    folder: Path,
    read: Read,
    sources: Sequence[Source],
    naming: Naming,
    *,
    splitter: str | None = None,
    inside: Inside = "cut",
    lines: bool = False,
    image_folder: Path | None = None,
) -> Report:
    """Write what `read` makes of the sources into `folder`, which is there and empty.

    `splitter`: base that cuts texts into words; None: the one with which the fewest spans begin or
    end inside a word. `UserError` for bad content, and where there is no sentence.
    """
    base, any_texts = splitter, False
    if splitter is not None:
        Splitter(splitter)
    else:
        base, any_texts = _base(read, sources, naming)
    cut = Splitter(base or BASES[0])

    def places(text: str) -> Places:
        return [(word.start, word.end) for word in cut.split(text)]

    report = Report(splitter=base or "" if any_texts or splitter else "", inside=inside)
    how = Cutting(places, inside, lines, annotated=naming.columns.get("spans") != "")
    pictures = Pictures(folder / "images", report.pictures, report.lost)
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}
        for source in sources:
            roots = _roots(source.path, image_folder)
            for words in _words(read(source.path, naming), how, report, splitter is not None):
                if source.split not in files:
                    files[source.split] = stack.enter_context(
                        (folder / f"{source.split}.jsonl").open("w", encoding="utf-8", newline="\n")
                    )
                images = [pictures.bring(picture, roots) for picture in words.images]
                example = Example(words.tokens, words.tags, (), words.id, words.extras)
                files[source.split].write(_line(example, images, words))
                report.sentences[source.split] += 1
                report.words[source.split] += len(words.tokens)
                report.entities.update(_types(words, report))
    if not report.sentences:
        raise UserError(f"{sources[0].path}: no sentence in it{_why(report)}.")
    return report


def _why(report: Report) -> str:
    reasons = [f"{number} left out: {reason}" for reason, number in report.skipped.items()]
    if number := report.counts["wordless"]:
        reasons.append(f"{number} without a word")
    return f" ({'; '.join(reasons)})" if reasons else ""


def _line(example: Example, images: Sequence[str], words: Words) -> str:
    try:
        "".join([*example.tokens, *(example.tags or ()), *images, example.id]).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{words.place}: holds half a character (\\ud800 to \\udfff); write both halves."
        ) from error
    return json_line(example, images)


def _types(words: Words, report: Report) -> Iterator[str]:
    """Types of the entities. Of tags that are not read without being told how, it is told."""
    odd = [tag for tag in words.tags or () if not is_tag(tag)]
    if odd:
        report.find("odd", words.place, repr(odd[0]))
        return
    for _, _, kind in entities_of(bioes_to_bio(words.tags or ())):
        yield kind


def _roots(path: Path, image_folder: Path | None) -> tuple[Path, ...]:
    """Where pictures are looked for."""
    if image_folder is not None:
        return (image_folder,)
    folder = path if path.is_dir() else path.parent
    return folder / "images", folder


def _words(items: Iterable[Item], how: Cutting, report: Report, again: bool) -> Iterator[Words]:
    for item in items:
        if isinstance(item, Skipped):
            report.skipped[item.reason] += 1
        elif isinstance(item, Words):
            yield item
        else:
            report.texts += 1
            if not item.spans and how.annotated:
                for name, value in item.extras.items():
                    if seems_spans(value):
                        report.find("elsewhere", item.place, f"'{name}'")
            report.left_out.update(item.left_out)
            if again:
                item = replace(item, words=None)
            yield from sentences(item, how, report)


def _base(read: Read, sources: Sequence[Source], naming: Naming) -> tuple[str | None, bool]:
    """The base with which the fewest spans of the first texts begin or end inside a word, and
    whether there are texts that it must cut.
    """
    texts = islice(_texts(read, sources, naming), LIMIT)
    splitters: Mapping[str, Callable[[str], list[tuple[int, int]]]] = {
        base: _places(Splitter(base)) for base in BASES
    }
    cutting = dict.fromkeys(BASES, 0)
    total, any_texts = 0, False
    for text in texts:
        any_texts = True
        spans = chosen_spans(text, Report())
        total += len(spans)
        for base, split in splitters.items() if spans else ():
            report = Report()
            fitted(split(text.text), spans, "cut", text, report)
            cutting[base] += report.counts["cutting"]
    best = BASES[0]
    for base in BASES[1:]:
        if cutting[best] - cutting[base] > SPARED * total:
            best = base
    return best, any_texts


def _places(splitter: Splitter) -> Callable[[str], list[tuple[int, int]]]:
    return lambda text: [(word.start, word.end) for word in splitter.split(text)]


def _texts(read: Read, sources: Sequence[Source], naming: Naming) -> Iterator[Document]:
    for source in sources:
        for item in read(source.path, naming):
            if isinstance(item, Document) and item.words is None:
                yield replace(item, images=())
