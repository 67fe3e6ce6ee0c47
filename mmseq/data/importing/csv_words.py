"""Tables with a word in each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mmseq.data.importing.documents import Naming, Place, Words
from mmseq.data.importing.fields import field_of, images_of, tag_names
from mmseq.errors import UserError

WORD = ("word", "token")
TAG = ("tag", "tags", "ner_tag", "ner", "label", "entity", "bio")
SENTENCE = (
    "sentence #", "sentence", "sentence_id", "sent_id", "sentence_idx", "sentence_number",
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

    @classmethod
    def of(cls, header: Sequence[str], naming: Naming, place: Place) -> WordColumns | None:
        """Those of a table with a word a row; None where it is another one."""
        word = field_of("word", header, naming, place, WORD)
        if word is None:
            return None
        left = [name for name in header if name != word]
        tag = field_of("tag", left, naming, place, TAG)
        left = [name for name in left if name != tag]
        sentence = field_of("sentence", left, naming, place, SENTENCE)
        image = field_of("image", [name for name in left if name != sentence], naming, place)
        return cls(header, word, tag, sentence, image)


@dataclass
class _Sentence:
    """What has been read of a sentence."""

    place: Place
    name: str = ""
    image: str = ""
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def words(self, number: int, columns: WordColumns, naming: Naming) -> Words:
        tags = columns.tag and tag_names(self.tags, self.place, columns.tag, naming)
        images = images_of(self.image, self.place, columns.image or "") if self.image else ()
        return Words(self.place, tuple(self.tokens), tags or None, images, self.name or str(number))


def sentences_of(
    rows: Iterable[tuple[Place, Row | None]], columns: WordColumns, naming: Naming
) -> Iterator[Words]:
    """The sentences of rows of words. One ends where its column says another, and at a blank row
    (None). `UserError` for a table with neither.
    """
    sentence: _Sentence | None = None
    number, ends = 0, columns.sentence is not None
    for place, row in rows:
        said = row and columns.sentence and (row[columns.sentence] or "").strip()
        if sentence and (row is None or (said and sentence.name and said != sentence.name)):
            number += 1
            yield sentence.words(number, columns, naming)
            sentence = None
        if row is None:
            ends = True
            continue
        sentence = sentence or _Sentence(place)
        sentence.name = sentence.name or said or ""
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
