"""The grammar of the sample sentences, and what it knows about a sentence that it has written.

A sentence is a template whose slots are filled. Names in the open slot `{any}` could be of several
types; all open names of a sentence share one type, drawn from their group's prior, and the picture
is drawn given that type. Every other name's type follows from its slot.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Phrase = tuple[str, ...]
Tags = tuple[str, ...]

OPEN_SLOT = "any"
NO_SUBJECT = ""  # what the picture of a sentence without entities shows


@dataclass(frozen=True)
class Slot:
    """A gap in a template.

    Attributes:
        list_name: the list of phrases that fill it, or `OPEN_SLOT`.
        type: the entity type of what fills it; None for words outside entities and open names.
    """

    list_name: str
    type: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the picture settles the type."""
        return self.list_name == OPEN_SLOT


@dataclass(frozen=True)
class Template:
    """Words and slots in order, drawn with a probability proportional to `weight`."""

    parts: tuple[str | Slot, ...]
    weight: float = 1.0

    @property
    def is_open(self) -> bool:
        """Whether it holds an open slot."""
        return any(isinstance(part, Slot) and part.is_open for part in self.parts)

    @property
    def subject(self) -> str:
        """The type of its first name that is not open; `NO_SUBJECT` without one."""
        types = (part.type for part in self.parts if isinstance(part, Slot) and part.type)
        return next(types, NO_SUBJECT)


@dataclass(frozen=True)
class Group:
    """Names that can be of the same types.

    Attributes:
        names: the names, equally probable.
        types: the prior probability of each type, whichever the name.
        weight: the group's share among open names.
    """

    names: tuple[Phrase, ...]
    types: Mapping[str, float]
    weight: float


@dataclass(frozen=True)
class Grammar:
    """What sentences are made of.

    Attributes:
        templates: the templates; their weights need not sum to one.
        lists: the phrases of each slot's list, equally probable; a filler may be an empty phrase,
            and a phrase that is listed twice is twice as probable. No name fills two slots of one
            sentence.
        groups: the open names; their weights need not sum to one.
        open_pictures: for each type, the probability of what is shown with an open name of it.
        settled_pictures: the same for sentences without open names, by `Template.subject`.
    """

    templates: tuple[Template, ...]
    lists: Mapping[str, tuple[Phrase, ...]]
    groups: tuple[Group, ...]
    open_pictures: Mapping[str, Mapping[str, float]]
    settled_pictures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Derivation:
    """One way to write the words: its probability, and its names as (start, end, type)."""

    probability: float
    mentions: tuple[tuple[int, int, str | None], ...] = ()
    group: Group | None = None
    used: frozenset[Phrase] = frozenset()


def _fillings(
    grammar: Grammar, slot: Slot, rest: Phrase, so_far: _Derivation
) -> Iterator[tuple[Phrase, float, Group | None]]:
    """The phrases that fill a slot and begin `rest`, each with its probability."""
    if slot.is_open:
        total = sum(group.weight for group in grammar.groups)
        for group in grammar.groups if so_far.group is None else (so_far.group,):
            share = 1.0 if so_far.group is not None else group.weight / total
            names = [name for name in group.names if name not in so_far.used]
            for name in names:
                if rest[: len(name)] == name:
                    yield name, share / len(names), group
        return
    phrases = grammar.lists[slot.list_name]
    if slot.type is not None:
        phrases = tuple(phrase for phrase in phrases if phrase not in so_far.used)
    fitting = Counter(phrase for phrase in phrases if rest[: len(phrase)] == phrase)
    for phrase, count in fitting.items():
        yield phrase, count / len(phrases), so_far.group


def _derive(
    grammar: Grammar,
    parts: tuple[str | Slot, ...],
    tokens: Phrase,
    position: int,
    so_far: _Derivation,
) -> Iterator[_Derivation]:
    """Every way in which `parts` write the tokens from `position` to the end."""
    if not parts:
        if position == len(tokens):
            yield so_far
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, str):
        if position < len(tokens) and tokens[position] == part:
            yield from _derive(grammar, rest, tokens, position + 1, so_far)
        return
    for phrase, probability, group in _fillings(grammar, part, tokens[position:], so_far):
        end = position + len(phrase)
        mentions, used = so_far.mentions, so_far.used
        if part.is_open or part.type is not None:
            mentions = (*mentions, (position, end, part.type))
            used = used | {phrase}
        step = _Derivation(so_far.probability * probability, mentions, group, used)
        yield from _derive(grammar, rest, tokens, end, step)


def bio_tags(
    length: int, mentions: tuple[tuple[int, int, str | None], ...], open_type: str | None
) -> Tags:
    """The BIO tags of a sentence whose open names (those of type None) are of type `open_type`."""
    tags = ["O"] * length
    for start, end, settled in mentions:
        for place in range(start, end):
            tags[place] = f"{'B' if place == start else 'I'}-{settled or open_type}"
    return tuple(tags)


def posterior(grammar: Grammar, tokens: Phrase, shown: str | None = None) -> dict[Tags, float]:
    """How probable each tagging of a sentence is, given its words and what its picture shows.

    Args:
        grammar: the grammar that wrote the sentence.
        tokens: its words.
        shown: a key of the grammar's picture tables; None leaves the picture out of account.

    Raises:
        ValueError: when the grammar cannot write this sentence with this picture.
    """
    weights: dict[Tags, float] = {}
    for template in grammar.templates:
        for found in _derive(grammar, template.parts, tokens, 0, _Derivation(template.weight)):
            cases: list[tuple[str | None, float, Mapping[str, float]]]
            if found.group is None:
                cases = [(None, 1.0, grammar.settled_pictures[template.subject])]
            else:
                cases = [
                    (type_, prior, grammar.open_pictures[type_])
                    for type_, prior in found.group.types.items()
                ]
            for open_type, prior, pictures in cases:
                weight = found.probability * prior
                if shown is not None:
                    weight *= pictures.get(shown, 0.0)
                if weight > 0:
                    tags = bio_tags(len(tokens), found.mentions, open_type)
                    weights[tags] = weights.get(tags, 0.0) + weight
    total = sum(weights.values())
    if total == 0:
        picture = "" if shown is None else f" with a picture that shows {shown!r}"
        raise ValueError(f"the grammar cannot write {' '.join(tokens)!r}{picture}")
    return {tags: weight / total for tags, weight in weights.items()}
