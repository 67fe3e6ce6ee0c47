"""What comes back: sentences and entities whose text is cut into the words that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmseq.contracts.example import Example
from mmseq.data.splitting.characters import UNSPACED, sort_of
from mmseq.data.splitting.splitter import Pieces
from mmseq.data.splitting.written import Places, written_places
from mmseq.data.tags import spans

Strings = tuple[tuple[str, Pieces], ...]
"""A text's strings without white space, and where in each its words are"""


@dataclass(frozen=True)
class Returned:
    """How much comes back."""

    sentences: int
    entities: int
    words: int
    of_entities: int
    which: tuple[bool, ...]
    """Of each sentence, whether it comes back"""

    @property
    def share_of_entities(self) -> float:
        """0 to 1; 1 where there are none."""
        return self.entities / self.of_entities if self.of_entities else 1.0


@dataclass(frozen=True, slots=True)
class Texts:
    """One sentence as text."""

    written: Strings
    """As a person would write it"""
    spaced: Strings
    """Its words joined by spaces"""
    entities: tuple[tuple[int, int], ...]
    """First word, and the one after the last"""
    unspaced: bool
    """Whether it has letters of a script without spaces, where nobody joins words by them"""


def texts_of(example: Example) -> Texts:
    """The two texts of a sentence."""
    tokens = example.tokens
    text, places = written_places(tokens)
    return Texts(
        tuple(_strings(text, places)),
        tuple((token, ((0, len(token)),)) for token in tokens),
        tuple((start, end) for start, end, _ in spans(example.tags or ())),
        any(map(is_unspaced, tokens)),
    )


def come_back(
    pieces: Callable[[str], Pieces],
    sentences: Iterable[Texts],
    *,
    written: bool = True,
    spaced: bool = True,
) -> Returned:
    """What comes back of the text as a person would write it (`written`) and, in scripts with
    spaces, of the words joined by spaces (`spaced`): both, or the one that is asked for. `pieces`:
    a splitter's.
    """
    entities = words = of_entities = 0
    which: list[bool] = []
    for sentence in sentences:
        back = [True] * len(sentence.spaced)
        if written:
            back = _back(pieces, sentence.written)
        if spaced and not (written and sentence.unspaced):
            again = _back(pieces, sentence.spaced)
            back = [a and b for a, b in zip(back, again, strict=True)]
        which.append(all(back))
        words += sum(back)
        entities += sum(all(back[start:end]) for start, end in sentence.entities)
        of_entities += len(sentence.entities)
    return Returned(sum(which), entities, words, of_entities, tuple(which))


def _back(pieces: Callable[[str], Pieces], strings: Strings) -> list[bool]:
    """Of each word, whether it is found. Words that all are leave no room for others."""
    found: list[bool] = []
    for string, words in strings:
        own = pieces(string) if is_unbroken(string) else ()
        if own == words:
            found += [True] * len(words)
        else:
            cut = set(own)
            found += [word in cut for word in words]
    return found


def _strings(text: str, places: Places) -> Iterator[tuple[str, Pieces]]:
    group: list[tuple[int, int]] = []
    for place in places:
        if group and group[-1][1] != place[0]:
            yield _string(text, group)
            group = []
        group.append(place)
    if group:
        yield _string(text, group)


def _string(text: str, group: Sequence[tuple[int, int]]) -> tuple[str, Pieces]:
    first = group[0][0]
    return text[first : group[-1][1]], tuple((start - first, end - first) for start, end in group)


def is_unspaced(token: str) -> bool:
    """Whether a word has letters of a script without spaces."""
    return not token.isascii() and any(sort_of(character) == UNSPACED for character in token)


def is_unbroken(string: str) -> bool:
    """Whether it holds no white space. Words of some data do; cut from a text none ever does."""
    return len(string.split()) <= 1
