"""A deck: chance without repetition, so that small samples are even."""

from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Deals cards in shuffled order, all of them before any comes again.

    Args:
        cards: the cards.
        rng: the source of chance.
    """

    def __init__(self, cards: Sequence[Card], rng: Random) -> None:
        self._cards = tuple(cards)
        self._rng = rng
        self._rest: list[Card] = []

    def deal(self, without: Sequence[Card] = ()) -> Card:
        """The next card that is not among `without`; those passed over stay in the deck.

        Raises:
            ValueError: when the deck holds no other card.
        """
        for _ in range(2):
            for place, card in enumerate(self._rest):
                if card not in without:
                    return self._rest.pop(place)
            self._rest += self._rng.sample(self._cards, len(self._cards))
        raise ValueError("the deck holds no card but those that are excluded")
