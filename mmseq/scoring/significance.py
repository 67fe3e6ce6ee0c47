"""Is one system better than another: paired bootstrap and approximate randomisation of micro F1,
and the sentence that may be said about them.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16; Noreen,
Computer-Intensive Methods for Testing Hypotheses (1989), chapter 2; Holm, A Simple Sequentially
Rejective Multiple Test Procedure (1979).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmseq.scoring.counts import Counts

Floats = NDArray[np.float64]

Sentences = Literal["shared", "own"]

_CELLS = 2_000_000
"""Resamples times sentences at a time: some 70 MB."""
_ROUNDING = 1e-9
"""Points by which two equal differences of F1 may be apart."""


@dataclass(frozen=True)
class Difference:
    """How much better a is than b, in points of micro F1, and how sure that is."""

    effect: float
    """Mean over strata of F1 of a less F1 of b"""
    low: float
    """Lower end of the 95 % bootstrap percentile interval of the effect"""
    high: float
    """Its upper end"""
    p_bootstrap: float
    """Two-sided, of the bootstrap distribution moved to 0"""
    p_randomisation: float
    """Two-sided, of outcomes swapped at random between a and b"""


def difference(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    sentences: Sentences = "shared",
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two systems on the same sentences, in one stratum or several (training seeds).

    ``a[s]`` and ``b[s]`` are the counts of one stratum's sentences, in one order. The statistic is
    the mean over strata of the difference of micro F1. The bootstrap draws as many sentences as
    there are, with replacement; randomisation swaps what a and b did with a sentence, with
    probability 1/2. Both p values count the observed one among the resamples (+1 above and below),
    so none is below 1 / (resamples + 1).

    `sentences` says what the strata hold. ``shared``: the same sentences in each stratum, as where
    one test file is tagged by models of several seeds. A sentence is then drawn or swapped in all
    strata at once: one that suits a better than b does so whatever the seed, and drawing anew for
    each seed would average that away as if every seed had brought fresh sentences (interval too
    narrow, too many false positives). ``own``: each stratum has sentences of its own, drawn and
    swapped independently. The default is ``shared``, since it errs on no side: on unrelated
    strata of equal size, joint draws still have the right variance (the strata's differences are
    uncorrelated), but independent draws on shared sentences do not.

    Exchanging a and b negates effect and interval and keeps both p values, to the last bit.

    `ValueError` where there is no stratum or no sentence, where a and b differ in strata,
    sentences or gold entities, and, for ``shared``, where strata do.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} strata of a but {len(b)} of b")
    strata = [_stratum(one, other) for one, other in zip(a, b, strict=True)]
    if not strata:
        raise ValueError("no stratum to compare")
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: at least 1 is needed")
    if sentences == "shared":
        if any(not np.array_equal(one.gold, a[0].gold) for one in a):
            raise ValueError("strata differ in sentences or their gold entities; say 'own'")
        strata = [np.concatenate(strata, axis=1)]
    draws, swaps = np.random.SeedSequence(seed).spawn(2)
    effect = float(_effect([table.sum(axis=0, keepdims=True) for table in strata])[0])
    drawn = np.sort(_bootstrap(strata, resamples, np.random.default_rng(draws)))
    swapped = _randomisation(strata, resamples, np.random.default_rng(swaps))
    # Order statistics rather than interpolated quantiles: exchanging a and b mirrors them exactly.
    outside = max(1, int(0.025 * (resamples + 1)))
    return Difference(
        effect=effect,
        low=float(drawn[outside - 1]),
        high=float(drawn[-outside]),
        p_bootstrap=_share_beyond(drawn - effect, effect),
        p_randomisation=_share_beyond(swapped, effect),
    )


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values of a family of tests, in the given order (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1; none becomes smaller than one before it, or
    larger than 1. `ValueError` for what is not a probability.
    """
    if not all(0 <= value <= 1 for value in p):
        raise ValueError(f"p values lie between 0 and 1, not {list(p)}")
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def adjusted(differences: Sequence[Difference]) -> list[float]:
    """One p value a comparison, adjusted over the family of all that are made (Holm).

    Of each the larger of its two p values: a difference is shown only where both tests show it, so
    that neither one's failing (the bootstrap's on few sentences) makes a finding.
    """
    return holm([max(d.p_bootstrap, d.p_randomisation) for d in differences])


def sentence_of(
    a: str, b: str, difference: Difference, adjusted_p: float, *, alpha: float = 0.05
) -> str:
    """What the tests allow to be said of two systems: the only wording of "better" there is.

    `adjusted_p` is the comparison's value of `adjusted`; below `alpha` the one is better than the
    other, else no difference is shown (which is not: there is none).
    """
    effect, low, high = difference.effect, difference.low, difference.high
    shown = adjusted_p < alpha
    if shown and effect < 0:
        a, b, effect, low, high = b, a, -effect, -high, -low
    evidence = f"95 % interval {low:.2f} to {high:.2f}, adjusted p {p_text(adjusted_p)}"
    if shown:
        return f"{a} is better than {b} by {effect:.2f} points of F1 ({evidence})."
    return (
        f"No difference shown between {a} and {b}: {effect:+.2f} points of F1 for {a} ({evidence})."
    )


def p_text(p: float) -> str:
    """A p value of four decimals."""
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}"


def _stratum(a: Counts, b: Counts) -> Floats:
    """Of each sentence, right entities of a and b, then predicted and gold ones: (S, 4).

    Columns: right of a, right of b, predicted + gold of a, predicted + gold of b.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} sentences of a but {len(b)} of b")
    if not len(a):
        raise ValueError("no sentence to compare")
    if not np.array_equal(a.gold, b.gold):
        raise ValueError("a and b differ in the gold entities of their sentences")
    columns = (a.correct, b.correct, a.predicted + a.gold, b.predicted + b.gold)
    return np.stack(columns, axis=1).astype(np.float64)


def _effect(sums: Sequence[Floats]) -> Floats:
    """Mean over strata of the difference of F1, (R,): sums over sentences, (R, 4 a stratum)."""
    blocks = np.concatenate(sums, axis=1).reshape(len(sums[0]), -1, 4)
    right, both = blocks[..., :2], blocks[..., 2:]
    f1 = np.divide(200.0 * right, both, out=np.zeros_like(right), where=both > 0)
    effects: Floats = (f1[..., 0] - f1[..., 1]).mean(axis=1)
    return effects


def _bootstrap(strata: Sequence[Floats], resamples: int, rng: np.random.Generator) -> Floats:
    """Effects of sentences drawn with replacement, (R,)."""
    found = []
    for rows in _chunks(resamples, max(map(len, strata))):
        found.append(_effect([_times_drawn(rows, len(t), rng) @ t for t in strata]))
    return np.concatenate(found)


def _times_drawn(rows: int, sentences: int, rng: np.random.Generator) -> Floats:
    """How often each sentence is drawn, (rows, sentences): every row sums to `sentences`."""
    drawn = rng.integers(sentences, size=(rows, sentences))
    drawn += np.arange(rows)[:, None] * sentences
    times = np.bincount(drawn.ravel(), minlength=rows * sentences)
    return times.reshape(rows, sentences).astype(np.float64)


def _randomisation(strata: Sequence[Floats], resamples: int, rng: np.random.Generator) -> Floats:
    """Effects of the outcomes of sentences swapped at random, (R,)."""
    found = []
    for rows in _chunks(resamples, max(map(len, strata))):
        sums = []
        for table in strata:
            swapped = rng.integers(2, size=(rows, len(table)), dtype=np.uint8).astype(np.float64)
            exchanged = table.reshape(len(table), -1, 2)[..., ::-1].reshape(table.shape)
            sums.append(table.sum(axis=0) + swapped @ (exchanged - table))
        found.append(_effect(sums))
    return np.concatenate(found)


def _chunks(resamples: int, sentences: int) -> Iterator[int]:
    """Numbers of resamples that fit in memory, together `resamples`."""
    size = max(1, _CELLS // sentences)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _share_beyond(values: Floats, effect: float) -> float:
    """Share of values at least as far from 0 as the effect, the effect itself counted in."""
    beyond = int((np.abs(values) >= abs(effect) - _ROUNDING).sum())
    return (1 + beyond) / (1 + len(values))
