"""Invented names for the hard sample: nobody knows them, and most come in one split only."""

from collections.abc import Iterable, Iterator, Mapping
from random import Random

from mmseq.data.sample.grammar import Grammar, Group, Phrase
from mmseq.data.sample.templates import grammar_of
from mmseq.data.sample.words import TYPES

_ONSETS = (
    *"bcdfghjklmnprstvwz",
    *("br", "cr", "dr", "gr", "pr", "tr", "qu", "st"),
)
_VOWELS = (*"aeiou", *"aeio", "ai", "ea", "io")
_CODAS = ("", "", "", "l", "m", "n", "r", "s", "x", "nd", "rk", "st")
_TWO_WORDS = 0.25  # share of the names

# Names of a split: open ones, and those of each type. Of an evaluation split's, so many are names
# of the training split.
_OPEN, _OF_TYPE = 160, 32
_KNOWN_OPEN, _KNOWN_OF_TYPE = 24, 5


def _word(rng: Random) -> str:
    syllables = rng.choice((2, 2, 3))
    parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)]
    return ("".join(parts) + rng.choice(_CODAS)).capitalize()


def invent_names(rng: Random) -> Iterator[Phrase]:
    """Names of one or two words without end, no word of which comes twice."""
    used: set[str] = set()

    def new_word() -> str:
        while (word := _word(rng)) in used:
            pass
        used.add(word)
        return word

    while True:
        yield tuple(new_word() for _ in range(2 if rng.random() < _TWO_WORDS else 1))


def hard_grammars(splits: Iterable[str], rng: Random) -> Mapping[str, Grammar]:
    """A grammar for each split, `train` first.

    Open names can be of any type, all equally probable: neither a name nor its split says which.
    """
    names = invent_names(rng)

    def draw(count: int, known: tuple[Phrase, ...] = ()) -> tuple[Phrase, ...]:
        return (*known, *(next(names) for _ in range(count - len(known))))

    grammars: dict[str, Grammar] = {}
    train_open, train_typed = draw(_OPEN), {type_: draw(_OF_TYPE) for type_ in TYPES}
    for split in splits:
        open_, typed = train_open, train_typed
        if split != "train":
            open_ = draw(_OPEN, tuple(rng.sample(train_open, _KNOWN_OPEN)))
            typed = {
                type_: draw(_OF_TYPE, tuple(rng.sample(of_type, _KNOWN_OF_TYPE)))
                for type_, of_type in train_typed.items()
            }
        group = Group(open_, dict.fromkeys(TYPES, 1 / len(TYPES)), weight=1.0)
        grammars[split] = grammar_of(typed, (group,))
    return grammars
