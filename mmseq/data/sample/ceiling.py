"""The best scores that can be reached on sample data, with the words alone and with the pictures.

Both run the optimal guess over written sentences: the tagging that the grammar holds most probable
given what may be looked at. No model can do better, but by luck.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmseq.data.sample.grammar import Grammar, Phrase, Tags, posterior
from mmseq.data.sample.pictures import CLUTTER
from mmseq.data.sample.templates import NO_PICTURE

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Ceilings:
    """Micro-averaged F1 over exact spans, 0 to 100."""

    text: float
    picture: float


def best_guess(grammar: Grammar, tokens: Phrase, shown: str | None = None) -> Tags:
    """The most probable tagging of a sentence; the first in alphabetical order among equals.

    Raises:
        ValueError: when the grammar cannot write this sentence with this picture.
    """
    taggings = posterior(grammar, tokens, shown)
    # Rounding keeps taggings equal that differ by the order of multiplication only.
    return min(taggings, key=lambda tags: (-round(taggings[tags], 9), tags))


def spans(tags: Sequence[str]) -> set[Span]:
    """The entities of well-formed BIO tags as (start, end, type), the end exclusive."""
    found = set()
    for start, tag in enumerate(tags):
        if tag.startswith("B-"):
            end = start + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            found.add((start, end, tag[2:]))
    return found


def span_f1(gold: Iterable[Sequence[str]], guessed: Iterable[Sequence[str]]) -> float:
    """Micro-averaged F1 (0 to 100) over exact spans; 0 when there is no entity at all."""
    correct = total = 0
    for gold_tags, guessed_tags in zip(gold, guessed, strict=True):
        there, claimed = spans(gold_tags), spans(guessed_tags)
        correct += len(there & claimed)
        total += len(there) + len(claimed)
    return 200 * correct / total if total else 0.0


def ceilings(grammar: Grammar, sentences: Sequence[tuple[Phrase, Tags, str]]) -> Ceilings:
    """The ceilings on sentences given as (tokens, gold tags, what the picture shows).

    Raises:
        ValueError: when the grammar cannot write one of the sentences.
    """
    gold = [tags for _, tags, _ in sentences]
    blind = [best_guess(grammar, tokens) for tokens, _, _ in sentences]
    sighted = [best_guess(grammar, tokens, shown) for tokens, _, shown in sentences]
    return Ceilings(span_f1(gold, blind), span_f1(gold, sighted))


def shown_by(images: Sequence[str], kinds: Mapping[str, str]) -> str:
    """What a sentence's pictures show together: those that say nothing do not count.

    Args:
        images: the names of the sentence's picture files.
        kinds: the kind of scene of every picture file.
    """
    telling = [kinds[image] for image in images if kinds[image] != CLUTTER]
    if telling:
        return telling[0]
    return CLUTTER if images else NO_PICTURE


def file_ceilings(grammar: Grammar, file: Path, kinds: Mapping[str, str]) -> Ceilings:
    """The ceilings on a written file of sample sentences.

    Args:
        grammar: the grammar that wrote the sentences.
        file: a file of JSON lines with `tokens`, `tags` and `images`.
        kinds: the kind of scene of every picture file.

    Raises:
        ValueError: when the grammar cannot write one of the sentences.
    """
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return ceilings(
        grammar,
        [(tuple(row["tokens"]), tuple(row["tags"]), shown_by(row["images"], kinds))
         for row in rows],
    )  # fmt: skip
