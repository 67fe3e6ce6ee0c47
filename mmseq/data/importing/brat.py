"""brat's standoff files: NAME.txt holds a text, NAME.ann its annotations, a line each.

    T1<TAB>PER 0 4<TAB>Anna
    T2<TAB>LOC 14 18;22 26<TAB>Oslo city
    R1<TAB>lives-in Arg1:T1 Arg2:T2

Text-bound annotations (T) are spans; one in several pieces is left out, as are relations, events,
attributes, normalisations and notes. Line breaks count as characters, as they stand in the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmseq.data.importing.documents import CharSpan, Document, Item, Naming, Place, Skipped
from mmseq.data.importing.sources import Source, given_path, in_order, split_named
from mmseq.data.reading import decoded, not_utf8, unreadable
from mmseq.errors import UserError

_OTHERS = {
    "R": "relations", "*": "relations", "E": "events", "A": "attributes", "M": "attributes",
    "N": "normalisations", "#": "notes",
}  # fmt: skip
_BOUND = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)$")


def sources(given: Sequence[str]) -> list[Source]:
    """Texts of what was given: .txt or .ann files, and folders at any depth, whose names may say
    a split. `UserError` for what does not exist, and a folder without a text.
    """
    found = []
    for text in given:
        path, said = given_path(text)
        files = sorted(path.rglob("*.txt")) if path.is_dir() else [path.with_suffix(".txt")]
        if not files:
            raise UserError(f"{path}: holds no .txt file; give the folder of the texts.")
        for file in files:
            inside = file.relative_to(path).parts if path.is_dir() else (file.stem,)
            named = next((s for part in inside if (s := split_named(part))), None)
            found.append(Source(file, said or named or split_named(path.name) or "train"))
    return in_order(found)


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """The text with what NAME.ann says of it."""
    annotations = path.with_suffix(".ann")
    if not annotations.is_file():
        yield Skipped(Place(path), "no .ann file beside the .txt")
        return
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    spans, places, left_out = list[CharSpan](), list[str](), Counter[str]()
    with annotations.open("rb") as file:
        for number, line in decoded(annotations, file):
            if not line.strip():
                continue
            if line.startswith("T"):
                places.append(f"{annotations}:{number}")
                span = _span(line, places[-1])
                if span is None:
                    left_out["spans in several pieces"] += 1
                    places.pop()
                else:
                    spans.append(span)
            elif line[0] in _OTHERS:
                left_out[_OTHERS[line[0]]] += 1
            else:
                raise UserError(
                    f"{annotations}:{number}: not an annotation of brat, which begins with T, R, "
                    "E, A, M, N, # or *."
                )
    bare = text.replace("\r\n", "\n")
    # Whoever fetched the texts from a repository on Windows has two characters for a line break.
    if bare != text and not _fit(spans, text) and _fit(spans, bare):
        text = bare
    for span, where in zip(spans, places, strict=True):
        if not span.start < span.end <= len(text):
            raise UserError(
                f"{where}: the span {span.start} to {span.end} does not fit into the text of "
                f"{len(text)} characters."
            )
    yield Document(Place(annotations), text, tuple(spans), id=path.stem, left_out=left_out)


def _fit(spans: Sequence[CharSpan], text: str) -> bool:
    """Whether each span holds what its line says stands there."""
    return all(
        "".join(text[span.start : span.end].split()) == "".join((span.text or "").split())
        for span in spans
    )


def _span(line: str, where: str) -> CharSpan | None:
    """The span of a line; None where it is in several pieces that do not touch."""
    _, _, rest = line.partition("\t")
    bound, _, said = rest.partition("\t")
    match = _BOUND.match(bound)
    if match is None:
        raise UserError(f"{where}: write T1, a tab, 'TYPE START END', a tab and the text.")
    pieces = [tuple(map(int, piece.split())) for piece in match[2].split(";")]
    if any(before[1] != after[0] for before, after in zip(pieces, pieces[1:], strict=False)):
        return None
    return CharSpan(pieces[0][0], pieces[-1][1], match[1], said or None)
