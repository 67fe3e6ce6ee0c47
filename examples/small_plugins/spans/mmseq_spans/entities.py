"""Tags as entities, and entities as tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Entity = tuple[int, int, int]
"""First word, last word, number of the type"""


class Tagging:
    """Which tags entities of each type have."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.types = sorted({label[2:] for label in labels if label != "O"})
        self.begin = [labels.index(f"B-{name}") for name in self.types]
        self.inside = [labels.index(f"I-{name}") for name in self.types]
        self.outside = labels.index("O")

    def entities(self, tags: Iterable[int]) -> tuple[list[Entity], int]:
        """The entities of a sentence, and how many tags BIO forbids there: an I- that follows no
        tag of its type, which is read as B-.
        """
        found: list[Entity] = []
        forbidden = 0
        for word, tag in enumerate(tags):
            if tag == self.outside:
                continue
            if tag in self.inside:
                kind = self.inside.index(tag)
                if found and found[-1][1:] == (word - 1, kind):
                    found[-1] = (found[-1][0], word, kind)
                    continue
                forbidden += 1
            else:
                kind = self.begin.index(tag)
            found.append((word, word, kind))
        return found, forbidden

    def tags(self, entities: Iterable[Entity], words: int) -> list[int]:
        """The tags of a sentence with these entities."""
        made = [self.outside] * words
        for first, last, kind in entities:
            made[first : last + 1] = [self.begin[kind], *[self.inside[kind]] * (last - first)]
        return made
