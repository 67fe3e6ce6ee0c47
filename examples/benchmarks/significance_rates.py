"""How often the tests of `mmseq.scoring.significance` err, and how long they take.

Pairs of systems are simulated on sentences like those of the Twitter-2015 test file. Without a true
difference each test must find one in 5 of 100 pairs; scipy must agree on the same statistic:

    OMP_NUM_THREADS=1 python examples/benchmarks/significance_rates.py rates.json
    OMP_NUM_THREADS=1 python examples/benchmarks/significance_rates.py rates.json --pairs 100

A row's `draws` says whether sentences are drawn jointly over the seeds (shared, the default of
`difference`) or anew for each (own), which is wrong where a sentence suits one of the systems
whatever the seed, as the row shows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmseq.scoring.counts import Counts
from mmseq.scoring.significance import Difference, difference

GOLD = (0.039, 0.530, 0.302, 0.101, 0.022, 0.005, 0.001)
"""Shares of the 3257 sentences of the Twitter-2015 test file with 0, 1, … entities."""
Pair = tuple[list[Counts], list[Counts]]


@dataclass(frozen=True)
class World:
    """How two systems do on sentences. All deviations and the advantage are in logits."""

    name: str
    sentences: int = 3257
    seeds: int = 1
    draws: Literal["shared", "own"] = "shared"
    advantage: float = 0.0
    """Of a over b"""
    interaction: float = 0.0
    """How far one sentence suits one of the systems, whatever the seed (sd, mean zero)"""
    training: float = 0.0
    """How far models of one system differ by seed (sd)"""
    pairs: float = 1.0
    """Share of the pairs asked for that are simulated"""


WORLDS = (
    World("one seed"),
    World("one seed, 100 sentences", sentences=100),
    World("five seeds", seeds=5),
    World("interaction", sentences=723, seeds=5, interaction=1.0),
    World("interaction, drawn anew", sentences=723, seeds=5, interaction=1.0, draws="own"),
    World("one seed, seeds differ", sentences=723, training=0.05),
    World("five seeds, seeds differ", sentences=723, seeds=5, training=0.05),
    World("a better, one seed", advantage=0.15, pairs=0.3),
    World("a better, five seeds", seeds=5, advantage=0.1, interaction=0.3, pairs=0.3),
)


def simulate(world: World, rng: np.random.Generator) -> Pair:
    """Counts of a and b, a stratum a seed: the same sentences, hard ones hard for both systems."""
    gold = rng.choice(len(GOLD), p=np.array(GOLD) / sum(GOLD), size=world.sentences)
    difficulty = rng.normal(0.0, 1.5, world.sentences)
    suits = rng.normal(0.0, world.interaction, world.sentences)
    spurious = rng.gamma(0.5, 0.6, world.sentences)
    systems: list[list[Counts]] = []
    for sign in (0.5, -0.5):
        strata = []
        for _ in range(world.seeds):
            shift = sign * world.advantage + rng.normal(0.0, world.training)
            found = 1 / (1 + np.exp(-(1.5 + difficulty + sign * suits + shift)))
            correct = rng.binomial(gold, found)
            # Of what is missed, half is found with a wrong boundary or type.
            wrong = rng.binomial(gold - correct, 0.5) + rng.poisson(spurious)
            strata.append(Counts(correct, correct + wrong, gold))
        systems.append(strata)
    return systems[0], systems[1]


def rates(world: World, pairs: int, resamples: int, seed: int) -> dict[str, Any]:
    """Share of pairs in which each test shows a difference at 5 %, with exact 95 % intervals."""
    streams = np.random.SeedSequence(seed).spawn(pairs)
    found: list[Difference] = []
    scores = []
    for number, stream in enumerate(streams):
        a, b = simulate(world, np.random.default_rng(stream))
        scores.append(a[0].f1)
        found.append(difference(a, b, sentences=world.draws, resamples=resamples, seed=number))
    effects = np.array([d.effect for d in found])
    deviation = float(effects.std(ddof=1))
    row: dict[str, Any] = {
        **asdict(world),
        "pairs": pairs,
        "f1": float(np.mean(scores)),
        "effect": float(effects.mean()),
        "sd_of_effects": deviation,
        "sd_of_bootstrap": float(np.mean([(d.high - d.low) / 3.92 for d in found])),
        "power_by_normal": float(stats.norm.sf(1.96 - abs(effects.mean()) / deviation)),
        "nominal": [int(k) for k in stats.binom.interval(0.95, pairs, 0.05)],
    }
    for test in ("p_bootstrap", "p_randomisation"):
        shown = sum(getattr(d, test) <= 0.05 for d in found)
        exact = stats.binomtest(shown, pairs).proportion_ci()
        row[test] = {"shown": shown, "rate": shown / pairs, "interval": [exact.low, exact.high]}
    return row


def agreement(resamples: int) -> dict[str, Any]:
    """`difference` and scipy on one pair of five seeds: the statistic is the same, so are p and
    interval but for the resamples' chance.
    """
    world = World("", seeds=5, advantage=0.05, interaction=0.3)
    a, b = simulate(world, np.random.default_rng(4))
    ours, seconds = timed(lambda: difference(a, b, resamples=resamples))
    # scipy sees indexes of outcomes: row i is what a did with sentence i, row S + i what b did.
    outcomes = np.concatenate([table(a), table(b)])
    of_a, of_b = np.arange(len(outcomes)).reshape(2, -1)

    def statistic(x: NDArray[Any], y: NDArray[Any], axis: int = -1) -> Any:
        sums = [outcomes[indexes].sum(axis=-3) for indexes in (x, y)]
        one, other = (200 * found[..., 0] / found[..., 1] for found in sums)
        return (one - other).mean(axis=-1)

    permuted, permutation_seconds = timed(
        lambda: stats.permutation_test(
            (of_a, of_b),
            lambda x, y, axis: np.abs(statistic(x, y, axis)),
            permutation_type="samples",
            alternative="greater",
            vectorized=True,
            n_resamples=resamples,
            batch=100,
            rng=np.random.default_rng(1),
        )
    )
    drawn, bootstrap_seconds = timed(
        lambda: stats.bootstrap(
            (of_a, of_b),
            statistic,
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=resamples,
            batch=100,
            rng=np.random.default_rng(2),
        )
    )
    centred = drawn.bootstrap_distribution - ours.effect
    beyond = int((np.abs(centred) >= abs(ours.effect)).sum())
    return {
        "resamples": resamples,
        "mmseq": {**asdict(ours), "seconds": seconds},
        "scipy": {
            "effect": float(statistic(of_a, of_b)),
            "low": float(drawn.confidence_interval.low),
            "high": float(drawn.confidence_interval.high),
            "p_bootstrap": (1 + beyond) / (1 + resamples),
            "p_randomisation": float(permuted.pvalue),
            "seconds": permutation_seconds + bootstrap_seconds,
        },
    }


def table(strata: Sequence[Counts]) -> NDArray[np.int64]:
    """(S, seeds, 2): right entities, predicted and gold ones."""
    return np.stack([np.stack([c.correct, c.predicted + c.gold], axis=-1) for c in strata], axis=1)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and its seconds."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def speed(resamples: int) -> dict[str, float]:
    """Seconds of `difference` on 3257 sentences, the best of three."""
    found = {}
    for seeds in (1, 5):
        pair = simulate(World("", seeds=seeds), np.random.default_rng(0))
        runs = [timed(partial(difference, *pair, resamples=resamples))[1] for _ in range(3)]
        found[f"{seeds} seed{'s' if seeds > 1 else ''}"] = min(runs)
    return found


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=999, help="in each pair [999]")
    options = parser.parse_args()
    started = time.perf_counter()
    print("simulated                 draws  seeds sentences pairs effect  bootstrap  randomisation")
    rows = []
    for number, world in enumerate(WORLDS):
        pairs = max(10, round(options.pairs * world.pairs))
        row = rates(world, pairs, options.resamples, number)
        rows.append(row)
        percent = [
            f"{100 * row[test]['rate']:8.1f} %" for test in ("p_bootstrap", "p_randomisation")
        ]
        print(
            f"{world.name:25} {world.draws:6} {world.seeds:5} {world.sentences:9} {pairs:5} "
            f"{row['effect']:+6.2f} {percent[0]} {percent[1]:>14}"
        )
    found = {
        "rates": rows,
        "agreement": agreement(10_000),
        "seconds_of_10000_resamples": speed(10_000),
        "seconds": time.perf_counter() - started,
    }
    for library in ("mmseq", "scipy"):
        figures = ", ".join(f"{k} {v:.4f}" for k, v in found["agreement"][library].items())
        print(f"{library}: {figures}")
    print(f"seconds of 10,000 resamples: {found['seconds_of_10000_resamples']}")
    options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
