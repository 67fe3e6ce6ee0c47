"""Tables with a word in each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mmseq.data.importing.documents import Naming, Place, Words
from mmseq.data.importing.fields import field_of, images_of, tag_names
from mmseq.data.json_fields import OTHERS
from mmseq.errors import UserError

WORD = ("word", "token")
WORDS = (*WORD, "words", "tokens")
"""Also where a column says the sentence, and no cell has several words"""
TAG = (*OTHERS["tags"], "entity", "entities", "bio", "iob", "target")
SENTENCE = (
    "sentence #", "sentence", "sentence_id", "sent_id", "sentence_idx", "sentence_number",
    "sentence_no", "sent_no", "sent #", "sent", "sentence_nr",
)  # fmt: skip
DOCUMENT = (
    "document", "document_id", "document #", "doc", "doc_id", "doc #", "article", "article_id",
)  # fmt: skip

Row = Mapping[str, str | None]
"""Column -> cell; None: empty"""


@dataclass(frozen=True)
class WordColumns:
    """Names of columns; None: there is none."""

    header: Sequence[str]
    word: str
    tag: str | None
    sentence: str | None
    image: str | None
    document: str | None = None

    @classmethod
    def of(
        cls, header: Sequence[str], naming: Naming, place: Place, rows: Sequence[Sequence[str]]
    ) -> WordColumns | None:
        """Those of a table with a word a row; None where it is another one. `rows`: the first."""
        word = field_of("word", header, naming, place, WORD)
        if word is None:
            word = field_of("word", header, naming, place, WORDS)
            if word is None or not _one_each(header.index(word), rows):
                return None
            left = [name for name in header if name != word]
            if field_of("sentence", left, naming, place, SENTENCE) is None:
                return None
        left = [name for name in header if name != word]
        tag = field_of("tag", left, naming, place, TAG)
        left = [name for name in left if name != tag]
        sentence = field_of("sentence", left, naming, place, SENTENCE)
        left = [name for name in left if name != sentence]
        image = field_of("image", left, naming, place)
        left = [name for name in left if name != image]
        document = field_of("document", left, naming, place, DOCUMENT)
        return cls(header, word, tag, sentence, image, document)


def _one_each(column: int, rows: Iterable[Sequence[str]]) -> bool:
    """Whether no cell of a column has several words, or a list."""
    cells = [row[column].strip() for row in rows if column < len(row)]
    return not any(cell.startswith("[") or len(cell.split()) > 1 for cell in cells)


@dataclass
class _Sentence:
    """What has been read of a sentence."""

    place: Place
    name: str = ""
    document: str = ""
    image: str = ""
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def words(self, number: int, columns: WordColumns, naming: Naming) -> Words:
        tags = columns.tag and tag_names(self.tags, self.place, columns.tag, naming)
        images = images_of(self.image, self.place, columns.image or "") if self.image else ()
        extras = {"document": self.document} if self.document else {}
        name = self.name or str(number)
        return Words(self.place, tuple(self.tokens), tags or None, images, name, extras)


def sentences_of(
    rows: Iterable[tuple[Place, Row | None]], columns: WordColumns, naming: Naming
) -> Iterator[Words]:
    """The sentences of rows of words. One ends where its column, or that of the document, says
    another, and at a blank row (None). `UserError` for a table with neither.
    """
    sentence: _Sentence | None = None
    number, ends = 0, columns.sentence is not None
    for place, row in rows:
        said = row and columns.sentence and (row[columns.sentence] or "").strip()
        of = row and columns.document and (row[columns.document] or "").strip()
        if sentence and (
            row is None
            or (said and sentence.name and said != sentence.name)
            or (of and sentence.document and of != sentence.document)
        ):
            number += 1
            yield sentence.words(number, columns, naming)
            sentence = None
        if row is None:
            ends = True
            continue
        sentence = sentence or _Sentence(place)
        sentence.name = sentence.name or said or ""
        sentence.document = sentence.document or of or ""
        _add(sentence, row, place, columns)
    if sentence is not None:
        if not ends:
            raise UserError(
                f"{sentence.place}: no column says which sentence a word is of "
                f"({', '.join(columns.header)}), and no row is blank; name it: --column "
                "sentence=NAME."
            )
        yield sentence.words(number + 1, columns, naming)


def _add(sentence: _Sentence, row: Row, place: Place, columns: WordColumns) -> None:
    word = row[columns.word]
    if word is None or not word.strip():
        raise UserError(f"{place}: an empty word in column '{columns.word}'; remove the row.")
    sentence.tokens.append(word)
    if columns.tag is not None:
        tag = row[columns.tag]
        if tag is None or not tag.strip():
            raise UserError(f"{place}: no tag in column '{columns.tag}'; write O outside entities.")
        sentence.tags.append(tag)
    if columns.image is not None:
        sentence.image = sentence.image or row[columns.image] or ""
