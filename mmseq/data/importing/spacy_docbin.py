"""spaCy's training files, ``.spacy`` (a DocBin): documents with their words and entities.

A sentence is what the file says is one, else a document. Words that are white space are left out,
and so are spans outside the entities. Where a document has entities, a word of which nothing is
said is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmseq.contracts.example import OPEN
from mmseq.data.importing.documents import Item, Naming, Place, Skipped, Words
from mmseq.errors import UserError, one_line


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """A sentence each."""
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError as error:
        raise UserError(
            f"{path}: spaCy is not installed: pip install 'mmseq[spacy]' (or spacy)."
        ) from error
    try:
        documents = DocBin().from_disk(path)
        found = documents.get_docs(spacy.blank("xx").vocab)
        for number, document in enumerate(found, 1):
            yield from _sentences(document, number, path)
    except UserError:
        raise
    # What a damaged file raises is whatever its parts do.
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a DocBin ({one_line(error)}).") from error


def _sentences(document: Any, number: int, path: Path) -> Iterator[Item]:
    place = Place(path)
    if not document.has_annotation("ENT_IOB"):
        yield Skipped(place, "not annotated")
        return
    several = document.has_annotation("SENT_START")
    groups = list(document.sents) if several else [document]
    several = len(groups) > 1
    for index, group in enumerate(groups, 1):
        words = [token for token in group if not token.is_space]
        if not words:
            continue
        yield Words(
            place,
            tuple(token.text for token in words),
            _tags(words),
            (),
            f"{path.stem}-{number}" + f"-{index}" * several,
            {"document": f"{path.stem}-{number}"} if several else {},
        )


def _tags(words: list[Any]) -> tuple[str, ...]:
    tags: list[str] = []
    for token in words:
        prefix, kind = token.ent_iob_, token.ent_type_
        if not prefix:
            tags.append(OPEN)
        elif prefix == "O" or not kind:
            tags.append("O")
        else:
            # The entity may have begun with white space, or in the sentence before.
            inside = prefix == "I" and bool(tags) and tags[-1] in (f"B-{kind}", f"I-{kind}")
            tags.append(f"{'I' if inside else 'B'}-{kind}")
    return tuple(tags)
