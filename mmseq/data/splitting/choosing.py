"""The splitter that cuts text the way the training words are cut: chosen and learned from them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from functools import cache, partial
from itertools import islice

from mmseq.contracts.example import Example
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.characters import scripts
from mmseq.data.splitting.joints import Joined, joined
from mmseq.data.splitting.returning import (
    Returned,
    Texts,
    come_back,
    is_unbroken,
    is_unspaced,
    texts_of,
)
from mmseq.data.splitting.splitter import LONGEST_WHOLE, Pieces, Splitter

Seen = Counter[tuple[str, Pieces]]
"""A string without white space, as a person would write it, and where its words are -> how often"""


LIMIT = 10_000
"""Sentences that a splitter is chosen by"""
FEW = 100
"""Sentences of which half would teach too little: all of them teach and are counted"""


def choose_splitter(examples: Iterable[Example], limit: int = LIMIT) -> Splitter:
    """The base with which most sentences come back, and what the words say beside it. The first
    `limit` sentences tell; later ones are not read.

    A sentence comes back if the text that a person would write for it is cut into its words and, in
    scripts with spaces, its words joined by spaces are too. Of `FEW` sentences and more, what every
    other one teaches is counted on the rest. A difference within what chance does is none. Where no
    sentence tells two bases apart, entities do, then words; of equals the simplest is taken.
    """
    return choose(examples, limit=limit)[0]


def choose(
    examples: Iterable[Example], base: str | None = None, *, limit: int = LIMIT
) -> tuple[Splitter, Returned]:
    """A splitter for text like that of `examples`, and how much of them comes back with it.

    Without a `base` as `choose_splitter`; with one, that base alone. `UserError` for one that does
    not exist.
    """
    alone = Splitter(base) if base is not None else None
    seen = [example for example in islice(examples, limit) if example.tokens]
    texts = [texts_of(example) for example in seen]
    words = {token for example in seen for token in example.tokens}
    splitter = replace(
        alone or Learner(_best_base(texts)).learned(texts),
        longest=max(map(len, words), default=0),
        scripts=frozenset(scripts("".join(words))),
    )
    return splitter, come_back(splitter.pieces, texts)


class Learner:
    """What texts teach about one base; it remembers how the base cuts each of their strings."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._known: dict[str, Joined] = {}

    def pieces(self, splitter: Splitter, string: str) -> Pieces:
        """As `splitter.pieces`, for a splitter with this base."""
        return splitter.pieces_of(string, self._joined(string))

    def learned(self, texts: Sequence[Texts]) -> Splitter:
        """Joints and whole words beside the base; none beside white space, which cuts nothing."""
        splitter = Splitter(self.base)
        if self.base == "whitespace":
            return splitter
        seen: Seen = Counter(s for text in texts for s in text.written if is_unbroken(s[0]))
        alone = {s for text in texts for s in text.spaced if is_unbroken(s[0])}
        splitter = Splitter(self.base, self._joints(seen, alone))
        named = {t.spaced[i][0] for t in texts for s, e in t.entities for i in range(s, e)}
        return replace(splitter, whole=self._whole(splitter, seen, named))

    def _joined(self, string: str) -> Joined:
        found = self._known.get(string)
        if found is None:
            found = self._known[string] = joined(string, self.base)
        return found

    def _joints(self, seen: Seen, alone: Iterable[tuple[str, Pieces]]) -> dict[str, bool]:
        """Kinds of joints that training mostly treats otherwise than the base does or, where
        training has taught about the coarser kind, than that says. Of kinds that nobody would
        write, those inside words `alone` tell.
        """
        above: dict[str, tuple[str, bool]] = {}
        fine, coarse = self._counts(seen, above)
        for own, other in zip((fine, coarse), self._counts(Counter(alone), above), strict=True):
            own |= {kind: counts for kind, counts in other.items() if kind not in own}
        found: dict[str, bool] = {}
        for coarser, kept_by_base in above.values():
            kept, cut = coarse[coarser]
            if kept != cut and (kept > cut) != kept_by_base:
                found[coarser] = kept > cut
        exact: dict[str, bool] = {}
        for kind, (coarser, kept_by_base) in above.items():
            kept, cut = fine[kind]
            if kept != cut and (kept > cut) != found.get(coarser, kept_by_base):
                exact[kind] = kept > cut
        return found | exact

    def _counts(
        self, seen: Seen, above: dict[str, tuple[str, bool]]
    ) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """How often each kind and each coarser kind is kept, and cut. `above` gets of each kind the
        coarser one, and whether the base keeps it.
        """
        fine: dict[str, list[int]] = {}
        coarse: dict[str, list[int]] = {}
        for (string, words), number in seen.items():
            chunk = self._joined(string)
            begins = {start for start, _ in words}
            for place, kind, coarser in chunk.joints:
                cut = chunk.origin[place] in begins
                above[kind] = coarser, place not in chunk.cuts
                fine.setdefault(kind, [0, 0])[cut] += number
                coarse.setdefault(coarser, [0, 0])[cut] += number
        return fine, coarse

    def _whole(self, splitter: Splitter, seen: Seen, named: Set[str]) -> frozenset[str]:
        """Training words that would be cut, and that more often are one word than they are cut
        where they could be one. Once is chance, but for words of entities (`named`) and in scripts
        without spaces.
        """
        kept: Counter[str] = Counter()
        for (string, words), number in seen.items():
            places, loose = splitter.borders_of(string, self._joined(string))
            if len(places) <= len(words) + 1 and not loose:
                continue
            borders = set(places)
            for start, end in words:
                if (
                    end - start <= LONGEST_WHOLE
                    and {start, end} <= borders
                    # A word of one letter is not cut, but may be taken for a part of another.
                    and (start in loose or end in loose or _any_between(places, start, end))
                ):
                    kept[string[start:end]] += number
        words_of = {w: n for w, n in kept.items() if n > 1 or w in named or is_unspaced(w)}
        if not words_of:
            return frozenset()
        eager = replace(splitter, whole=frozenset(words_of))
        cut: Counter[str] = Counter()
        for (string, words), number in seen.items():
            for start, end in set(self.pieces(eager, string)) - set(words):
                cut[string[start:end]] += number
        return frozenset(word for word, number in words_of.items() if number > cut[word])


def _best_base(texts: Sequence[Texts]) -> str:
    teaching, counted = (texts[::2], texts[1::2]) if len(texts) >= FEW else (texts, texts)
    unspaced = any(text.unspaced for text in texts)
    best: tuple[str, Returned] | None = None
    for base in BASES:
        if base == "characters" and not unspaced:
            # It is the same as the one before.
            continue
        learner = Learner(base)
        back = come_back(cache(partial(learner.pieces, learner.learned(teaching))), counted)
        if best is None or _better(back, best[1]):
            best = base, back
    return best[0] if best else BASES[0]


def _better(back: Returned, simpler: Returned) -> bool:
    """Whether a base is better than a simpler one: by more sentences than their number varies."""
    wins = sum(a and not b for a, b in zip(back.which, simpler.which, strict=True))
    losses = sum(b and not a for a, b in zip(back.which, simpler.which, strict=True))
    if wins or losses:
        return wins > losses and (wins - losses) ** 2 >= wins + losses
    return (back.entities, back.words) > (simpler.entities, simpler.words)


def _any_between(places: Sequence[int], start: int, end: int) -> bool:
    """Whether one of the places, which ascend, lies between two of them."""
    return bisect_left(places, end) - bisect_left(places, start) > 1
