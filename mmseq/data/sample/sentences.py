"""Draws the sentences of a split from a grammar, evenly instead of independently.

In blocks, a template comes with the same open names once for each type that they can have. So words
and type are independent in every split exactly, not on average only: a model without pictures finds
no chance regularities in a small training file, and the ceiling is not a matter of luck. Without
blocks each sentence has names and a type of its own, as in life: what a name meant in training can
be learned by heart. All else is dealt from shuffled decks, so that each template is seen.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from mmseq.data.sample.deck import Deck
from mmseq.data.sample.grammar import Grammar, Phrase, Slot, Tags, Template, bio_tags

SHORTEST, LONGEST = 7, 16  # tokens
_TRIES = 10_000


@dataclass(frozen=True)
class Sentence:
    """Words, BIO tags, and what the picture shows (a key of the grammar's picture tables)."""

    tokens: Phrase
    tags: Tags
    shown: str


def _evenly(templates: Sequence[Template], size: int, rng: Random) -> list[Template]:
    """`size` templates, each as often as its weight asks for, rounded up or down by chance."""
    order = rng.sample(templates, len(templates))
    ends = list(accumulate(template.weight for template in order))
    # Equal steps from a chance start along the templates, laid end to end as long as they weigh.
    step, start = ends[-1] / size, rng.random()
    last = len(order) - 1
    return [order[min(bisect(ends, (start + n) * step), last)] for n in range(size)]


class SentenceWriter:
    """Writes the splits of one data set; no sentence is written twice.

    Args:
        rng: the source of chance.
        blocks: whether open names come in blocks.
    """

    def __init__(self, rng: Random, *, blocks: bool) -> None:
        self._grammar: Grammar
        self._rng = rng
        self._blocks = blocks
        self._written: set[Phrase] = set()
        self._decks: dict[str, Deck[Phrase]] = {}

    def split(self, grammar: Grammar, size: int) -> list[Sentence]:
        """A shuffled split of `size` sentences made of `grammar`.

        Raises:
            ValueError: when a template cannot give a new sentence of fitting length.
        """
        self._grammar = grammar
        templates = grammar.templates
        # Every split begins with fresh decks, so that none follows from what another has used.
        self._decks = {name: Deck(words, self._rng) for name, words in grammar.lists.items()}
        in_open = [template for template in templates if template.is_open]
        settled = [template for template in templates if not template.is_open]
        share = sum(template.weight for template in in_open)
        share /= sum(template.weight for template in templates)
        sentences = self._open_sentences(in_open, size * share)
        for template in _evenly(settled, size - len(sentences), self._rng):
            pictures = grammar.settled_pictures[template.subject]
            sentences.append(self._sentence(template, (), None, pictures))
        self._rng.shuffle(sentences)
        return sentences

    def _open_sentences(self, templates: Sequence[Template], size: float) -> list[Sentence]:
        """About `size` sentences with open names, each type equally often."""
        contexts = Deck(templates, self._rng)
        total = sum(group.weight for group in self._grammar.groups)
        sentences = []
        for group in self._grammar.groups:
            deck = Deck(group.names, self._rng)
            types = list(group.types)
            blocks = [types] if self._blocks else [[type_] for type_ in types]
            for block in blocks * round(size * group.weight / total / len(types)):
                template = contexts.deal()
                names: list[Phrase] = []
                for part in template.parts:
                    if isinstance(part, Slot) and part.is_open:
                        names.append(deck.deal(without=names))
                for type_ in block:
                    pictures = self._grammar.open_pictures[type_]
                    sentences.append(self._sentence(template, names, type_, pictures))
        return sentences

    def _sentence(
        self,
        template: Template,
        open_names: Sequence[Phrase],
        open_type: str | None,
        pictures: Mapping[str, float],
    ) -> Sentence:
        """A new sentence of fitting length; to get there only its fillers are drawn again."""
        names = self._names(template, open_names)
        for _ in range(_TRIES):
            tokens, mentions = self._fill(template, names)
            if SHORTEST <= len(tokens) <= LONGEST and tokens not in self._written:
                self._written.add(tokens)
                shown = self._rng.choices(list(pictures), list(pictures.values()))[0]
                return Sentence(tokens, bio_tags(len(tokens), mentions, open_type), shown)
        raise ValueError(f"no new sentence of {SHORTEST} to {LONGEST} words from {template.parts}")

    def _names(self, template: Template, open_names: Sequence[Phrase]) -> list[Phrase]:
        """The names of a sentence in the order of its slots, none of them twice."""
        names: list[Phrase] = []
        still_open = list(open_names)
        for part in template.parts:
            if isinstance(part, Slot) and part.is_open:
                names.append(still_open.pop(0))
            elif isinstance(part, Slot) and part.type is not None:
                names.append(self._decks[part.list_name].deal(without=names))
        return names

    def _fill(
        self, template: Template, names: Sequence[Phrase]
    ) -> tuple[Phrase, tuple[tuple[int, int, str | None], ...]]:
        """The words of a template with its names and fresh fillers, and where the names lie."""
        tokens: list[str] = []
        mentions: list[tuple[int, int, str | None]] = []
        for part in template.parts:
            if isinstance(part, str):
                tokens.append(part)
            elif part.is_open or part.type is not None:
                name = names[len(mentions)]
                mentions.append((len(tokens), len(tokens) + len(name), part.type))
                tokens += name
            else:
                tokens += self._rng.choice(self._grammar.lists[part.list_name])
        return tuple(tokens), tuple(mentions)
