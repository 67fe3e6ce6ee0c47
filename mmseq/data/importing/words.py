"""From spans of characters to words with tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mmseq.data.importing.documents import CharSpan, Document, Words
from mmseq.data.importing.report import Report
from mmseq.errors import UserError

Places = Sequence[tuple[int, int]]
Inside = Literal["cut", "widen", "drop"]
"""What is done with a span that begins or ends inside a word: the word is cut there, the span gets
the whole word, or the span is left out"""


@dataclass(frozen=True)
class Cutting:
    """How texts become sentences of words."""

    split: Callable[[str], Places]
    """Where the words of a text begin and end"""
    inside: Inside = "cut"
    lines: bool = False
    """Whether each line of a text is a sentence, where the file does not say what is one"""
    annotated: bool = True
    """False: the user says that there are no annotations, and words have no tags"""


def sentences(document: Document, how: Cutting, report: Report) -> Iterator[Words]:
    """The sentences of a text. What spans lose is told to the report.

    A sentence that ends inside a span goes on with the next one. Pictures belong to each sentence;
    where there are several they keep the text's name as `document`.
    """
    text = document.text
    spans = chosen_spans(document, report)
    words = list(document.words if document.words is not None else how.split(text))
    words, spans = fitted(words, spans, how.inside, document, report)
    if not words:
        report.find("wordless", document.place)
        return
    tags = _tags(words, spans)
    borders = document.sentences
    if borders is None:
        borders = _lines(text) if how.lines else ((0, len(text)),)
    groups = _grouped(words, borders, spans)
    for number, (first, last) in enumerate(groups, 1):
        several = len(groups) > 1
        name = document.id
        if several:
            name = f"{name or document.place.line or document.place.file.stem}-{number}"
        extras = dict(document.extras)
        if several:
            extras.setdefault("document", document.id or str(document.place.line or ""))
        yield Words(
            document.place,
            tuple(text[start:end] for start, end in words[first:last]),
            tuple(tags[first:last]) if how.annotated else None,
            document.images,
            name,
            extras,
        )


def chosen_spans(document: Document, report: Report) -> list[CharSpan]:
    """The spans that words can have, in order: inside the text, without white space at their ends,
    and none that overlaps one before it. Of overlapping ones the first to begin is taken, of
    those the longest, of those the first in the file.
    """
    text = document.text
    spans = [_checked(document, span) for span in _characters(document, report)]
    report.spans += len(spans)
    trimmed = []
    for span in spans:
        stretch = text[span.start : span.end]
        start = span.start + len(stretch) - len(stretch.lstrip())
        end = span.start + len(stretch.rstrip())
        if start >= end:
            report.find("empty", document.place, repr(stretch))
            continue
        if (start, end) != (span.start, span.end):
            report.find("spaces", document.place, repr(stretch))
        trimmed.append(replace(span, start=start, end=end))
    chosen: list[CharSpan] = []
    seen = set()
    for span in sorted(trimmed, key=lambda span: (span.start, -span.end)):
        key = (span.start, span.end, span.type)
        if key in seen:
            report.find("repeated", document.place, repr(text[span.start : span.end]))
        elif chosen and span.start < chosen[-1].end:
            before = chosen[-1]
            report.find(
                "overlapping",
                document.place,
                f"{text[span.start : span.end]!r} {span.type} in "
                f"{text[before.start : before.end]!r} {before.type}",
            )
        else:
            chosen.append(span)
        seen.add(key)
    return chosen


def _checked(document: Document, span: CharSpan) -> CharSpan:
    if not 0 <= span.start <= span.end <= len(document.text):
        raise UserError(
            f"{document.place}: the span {span.start} to {span.end} ({span.type}) does not fit "
            f"into the text of {len(document.text)} characters; mend the export."
        )
    return span


def _characters(document: Document, report: Report) -> Sequence[CharSpan]:
    """The spans, counted in characters. Where the file also says what stands there and that fits
    only if emoji and other characters beyond U+FFFF count as two, as some tools count, they do.
    """
    text, spans = document.text, document.spans
    if all(s.text is None or _same(text[s.start : s.end], s.text) for s in spans):
        return spans
    places = _from_utf16(text)
    try:
        moved = [replace(s, start=places[s.start], end=places[s.end]) for s in spans]
    except (KeyError, IndexError):
        moved = []
    if moved and all(s.text is None or _same(text[s.start : s.end], s.text) for s in moved):
        report.find("utf16", document.place)
        return moved
    wrong = next(
        s for s in spans if s.text is not None and not _same(text[s.start : s.end], s.text)
    )
    raise UserError(
        f"{document.place}: the span {wrong.start} to {wrong.end} ({wrong.type}) is "
        f"{text[wrong.start : wrong.end]!r} in the text, but the file says {wrong.text!r}; text "
        "and spans do not belong together."
    )


def _same(one: str, other: str) -> bool:
    """Whether they are equal, whatever white space and line breaks."""
    return one == other or "".join(one.split()) == "".join(other.replace("\\n", "\n").split())


def _from_utf16(text: str) -> dict[int, int]:
    places, unit = {}, 0
    for place, character in enumerate(text):
        places[unit] = place
        unit += 2 if ord(character) > 0xFFFF else 1
    places[unit] = len(text)
    return places


def fitted(
    words: Places, spans: Sequence[CharSpan], inside: Inside, document: Document, report: Report
) -> tuple[list[tuple[int, int]], list[CharSpan]]:
    """Words and spans such that no span begins or ends inside a word."""
    cuts: set[int] = set()
    kept: list[CharSpan] = []
    index, text = 0, document.text
    for span in spans:
        while index < len(words) and words[index][1] <= span.start:
            index += 1
        last = index
        while last < len(words) and words[last][1] < span.end:
            last += 1
        if index == len(words) or words[index][0] >= span.end:
            report.find("empty", document.place, repr(text[span.start : span.end]))
            continue
        begins = words[index][0] < span.start
        ends = last < len(words) and words[last][0] < span.end < words[last][1]
        if begins or ends:
            whole = text[min(words[index][0], span.start) : words[last][1] if ends else span.end]
            report.find("cutting", document.place, f"{text[span.start : span.end]!r} in {whole!r}")
            if inside == "drop":
                continue
            if inside == "widen":
                start = min(words[index][0], span.start)
                end = words[last][1] if ends else span.end
                if kept and start < kept[-1].end:
                    report.find("overlapping", document.place, repr(text[start:end]))
                    continue
                span = replace(span, start=start, end=end)
            else:
                cuts |= {place for place, at in ((span.start, begins), (span.end, ends)) if at}
        kept.append(span)
    return list(_cut(words, sorted(cuts))), kept


def _cut(words: Places, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    index = 0
    for start, end in words:
        while index < len(cuts) and cuts[index] < end:
            if cuts[index] > start:
                yield start, cuts[index]
                start = cuts[index]
            index += 1
        yield start, end


def _tags(words: Places, spans: Iterable[CharSpan]) -> list[str]:
    tags = ["O"] * len(words)
    index = 0
    for span in spans:
        while words[index][1] <= span.start:
            index += 1
        prefix = "B"
        while index < len(words) and words[index][0] < span.end:
            tags[index] = f"{prefix}-{span.type}"
            prefix = "I"
            index += 1
    return tags


def _lines(text: str) -> tuple[tuple[int, int], ...]:
    borders, start = [], 0
    for line in text.split("\n"):
        borders.append((start, start + len(line)))
        start += len(line) + 1
    return tuple(borders)


def _grouped(words: Places, borders: Places, spans: Sequence[CharSpan]) -> list[tuple[int, int]]:
    """First word, and the one after the last, of each sentence that has words."""
    ends = [end for _, end in borders]
    groups: list[tuple[int, int]] = []
    first = word = span = 0
    for end in ends:
        while word < len(words) and words[word][0] < end:
            word += 1
        while span < len(spans) and spans[span].end <= end:
            span += 1
        crossing = span < len(spans) and spans[span].start < end
        if word > first and not crossing:
            groups.append((first, word))
            first = word
    if first < len(words):
        groups.append((first, len(words)))
    return groups
