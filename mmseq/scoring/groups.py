"""Scores of some of the entities: by type, by name, by length, by number of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmseq.contracts.example import Example
from mmseq.data.tags import spans
from mmseq.scoring.figures import figures
from mmseq.scoring.pairs import Compared, Span

Groups = dict[str, dict[str, Any]]
"""Group -> `figures`"""

SENTENCE_LENGTHS = {"1-10": 10, "11-20": 20, "21-30": 30}
"""Name -> words at most; longer ones are the last group"""


def grouped(
    sentences: Iterable[Compared],
    names: Sequence[str],
    groups_of: Callable[[Compared, Span], Iterable[str]],
) -> Groups:
    """`figures` of each group's gold and predicted entities, in the order of `names`.

    A gold and a predicted entity that are the same in a sentence must be in the same groups.
    """
    counts = {name: [0, 0, 0] for name in names}
    for sentence in sentences:
        right = set(sentence.gold) & set(sentence.predicted)
        for place, side in enumerate((sentence.gold, sentence.predicted, right)):
            for span in side:
                for name in groups_of(sentence, span):
                    counts[name][place] += 1
    return {name: figures(*numbers) for name, numbers in counts.items()}


def by_type(sentences: Sequence[Compared]) -> Groups:
    """Of every type in either file, sorted."""
    types = {kind for s in sentences for _, _, kind in (*s.gold, *s.predicted)}
    return grouped(sentences, sorted(types), lambda sentence, span: [span[2]])


def by_entity_length(sentences: Sequence[Compared]) -> Groups:
    """In words: 1, 2, 3, 4+."""
    return grouped(
        sentences,
        ("1", "2", "3", "4+"),
        lambda sentence, span: [_at_most(span[1] - span[0], 4)],
    )


def by_sentence_length(sentences: Sequence[Compared]) -> Groups:
    """In words: `SENTENCE_LENGTHS`, 31+."""
    rest = f"{max(SENTENCE_LENGTHS.values()) + 1}+"

    def length(sentence: Compared, span: Span) -> list[str]:
        fits = (name for name, most in SENTENCE_LENGTHS.items() if len(sentence.tokens) <= most)
        return [next(fits, rest)]

    return grouped(sentences, (*SENTENCE_LENGTHS, rest), length)


def by_pictures(sentences: Sequence[Compared]) -> Groups:
    """Pictures that the gold file names for the sentence, there or not: 0, 1, 2+."""
    return grouped(
        sentences, ("0", "1", "2+"), lambda sentence, span: [_at_most(sentence.pictures, 2)]
    )


def by_name(sentences: Sequence[Compared], known: Mapping[tuple[str, ...], set[str]]) -> Groups:
    """Entities whose words are those of an entity of the training data (`known_names`): ``seen``,
    of which ``ambiguous`` had more than one type there, and ``unseen``.
    """

    def name(sentence: Compared, span: Span) -> list[str]:
        types = known.get(_words(sentence.tokens, span), set())
        return ["unseen"] if not types else ["seen", "ambiguous"] if len(types) > 1 else ["seen"]

    return grouped(sentences, ("seen", "ambiguous", "unseen"), name)


def known_names(training: Iterable[Example]) -> dict[tuple[str, ...], set[str]]:
    """Entities of the training data (default reading): words, case-folded -> types."""
    known: dict[tuple[str, ...], set[str]] = {}
    for example in training:
        for span in spans(example.tags or ()):
            known.setdefault(_words(example.tokens, span), set()).add(span[2])
    return known


def _words(tokens: Sequence[str], span: Span) -> tuple[str, ...]:
    return tuple(token.casefold() for token in tokens[span[0] : span[1]])


def _at_most(number: int, last: int) -> str:
    return str(number) if number < last else f"{last}+"
