"""The tests of significance: against enumeration, scipy, simulation and hand-worked numbers."""

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mmseq.scoring.counts import Counts
from mmseq.scoring.significance import Difference, adjusted, difference, holm, sentence_of

RATES = runpy.run_path(
    str(Path(__file__).parents[1] / "examples" / "benchmarks" / "significance_rates.py")
)
World, simulate, rates, agreement = (
    RATES[name] for name in ("World", "simulate", "rates", "agreement")
)


def counts(correct, predicted, gold):
    return Counts(*(np.array(row, dtype=np.int64) for row in (correct, predicted, gold)))


# Four sentences with 2, 1, 3 and 1 gold entities, tagged by models of two seeds.
GOLD = (2, 1, 3, 1)
A = [counts((2, 1, 2, 1), (2, 1, 3, 2), GOLD), counts((2, 1, 1, 1), (3, 1, 3, 1), GOLD)]
B = [counts((1, 1, 1, 0), (2, 1, 2, 1), GOLD), counts((2, 0, 1, 0), (2, 1, 4, 1), GOLD)]
RESAMPLES = 20_000


def f1(strata, indexes):
    """F1 of each stratum's chosen sentences, by its definition."""
    scores = []
    for one, chosen in zip(strata, indexes, strict=True):
        right = sum(int(one.correct[i]) for i in chosen)
        both = sum(int(one.predicted[i]) + int(one.gold[i]) for i in chosen)
        scores.append(200 * right / both if both else 0.0)
    return scores


def effect(a, b, indexes):
    return float(np.mean(np.subtract(f1(a, indexes), f1(b, indexes))))


def every_draw(a, b, sentences):
    """The effect of each way to draw, all equally likely."""
    once = list(itertools.product(range(len(a[0])), repeat=len(a[0])))
    if sentences == "shared":
        return [effect(a, b, [chosen] * len(a)) for chosen in once]
    return [effect(a, b, chosen) for chosen in itertools.product(once, repeat=len(a))]


def every_swap(a, b, sentences):
    once = list(itertools.product((False, True), repeat=len(a[0])))
    ways = (
        ([swaps] * len(a) for swaps in once)
        if sentences == "shared"
        else itertools.product(once, repeat=len(a))
    )
    found = []
    for way in ways:
        mixed = [[], []]
        for one, other, swaps in zip(a, b, way, strict=True):
            for system, (mine, yours) in zip(mixed, ((one, other), (other, one)), strict=True):
                rows = [np.where(swaps, getattr(yours, n), getattr(mine, n)) for n in NAMES]
                system.append(Counts(*rows))
        found.append(effect(*mixed, [range(len(a[0]))] * len(a)))
    return found


NAMES = ("correct", "predicted", "gold")


def share(values):
    return float(np.mean(values))


def near(found, expected, resamples=RESAMPLES):
    """Within 4 standard errors of a share counted on so many resamples."""
    return abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / resamples) + 1e-4


def test_the_effect_is_the_mean_over_seeds_of_the_difference_of_f1():
    # Seed 1: a has 6 right of 8 predicted and 7 gold, b 3 of 6 and 7: 2*6/15 - 2*3/13.
    # Seed 2: a 5 of 8 and 7, b 3 of 8 and 7: 2*5/15 - 2*3/15.
    expected = 100 * ((12 / 15 - 6 / 13) + (10 / 15 - 6 / 15)) / 2
    assert difference(A, B, resamples=10).effect == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "sentences"),
    [
        (A[:1], B[:1], "shared"),
        (A, B, "shared"),
        (A, [B[1], A[0]], "shared"),
        # Three sentences in two strata of their own: 27 * 27 draws, 64 swaps.
        (
            [counts((1, 0, 2), (1, 1, 2), (1, 1, 2)), counts((1, 1, 0), (2, 1, 0), (1, 1, 1))],
            [counts((0, 1, 1), (1, 1, 2), (1, 1, 2)), counts((1, 0, 0), (1, 0, 1), (1, 1, 1))],
            "own",
        ),
    ],
    ids=["one seed", "two seeds", "another pair", "strata of their own"],
)
def test_shares_and_interval_are_those_of_all_draws_and_swaps(a, b, sentences):
    found = difference(a, b, sentences=sentences, resamples=RESAMPLES)
    drawn, swapped = (np.array(every(a, b, sentences)) for every in (every_draw, every_swap))
    least = abs(found.effect) - 1e-9
    assert near(found.p_bootstrap, share(np.abs(drawn - found.effect) >= least))
    assert near(found.p_randomisation, share(np.abs(swapped) >= least))
    # The ends are values whose share below or at them passes 2.5 %, seen from either side.
    slack = 4 * np.sqrt(0.025 * 0.975 / RESAMPLES)
    for end, side in ((found.low, drawn), (-found.high, -drawn)):
        assert share(side <= end + 1e-9) >= 0.025 - slack
        assert share(side < end - 1e-9) <= 0.025 + slack


def test_scipy_agrees_on_a_pair_of_five_seeds():
    found = agreement(2_000)
    ours, theirs = found["mmseq"], found["scipy"]
    assert ours["effect"] == pytest.approx(theirs["effect"], abs=1e-9)
    for name in ("p_bootstrap", "p_randomisation"):
        p = theirs[name]
        assert abs(ours[name] - p) <= 4 * np.sqrt(2 * p * (1 - p) / 2_000)
    # A 2.5 % quantile of n normal draws has a standard error of sqrt(.025 * .975 / n) / .0584 sd.
    deviation = (theirs["high"] - theirs["low"]) / 3.92
    error = np.sqrt(2 * 0.025 * 0.975 / 2_000) / 0.0584 * deviation
    assert abs(ours["low"] - theirs["low"]) <= 4 * error
    assert abs(ours["high"] - theirs["high"]) <= 4 * error


@pytest.mark.parametrize("sentences", ["shared", "own"])
@pytest.mark.parametrize("resamples", [1, 20, 999, 1000])
def test_exchanging_the_systems_mirrors_everything_to_the_last_bit(sentences, resamples):
    a, b = simulate(World("", sentences=300, seeds=3, advantage=0.2), np.random.default_rng(0))
    one = difference(a, b, sentences=sentences, resamples=resamples)
    other = difference(b, a, sentences=sentences, resamples=resamples)
    assert one.effect != 0
    assert other == Difference(
        -one.effect, -one.high, -one.low, one.p_bootstrap, one.p_randomisation
    )


def test_it_repeats_by_seed_and_only_by_seed():
    a, b = simulate(World("", sentences=500, seeds=2), np.random.default_rng(1))
    first = difference(a, b, resamples=500, seed=3)
    assert difference(a, b, resamples=500, seed=3) == first
    other = difference(a, b, resamples=500, seed=4)
    assert (other.effect, other.low != first.low) == (first.effect, True)


def test_equal_systems_have_no_effect_and_p_is_1():
    assert difference(A, A, resamples=100) == Difference(0.0, 0.0, 0.0, 1.0, 1.0)


def test_sentences_without_an_entity_are_no_difference():
    nothing = counts((0, 0), (0, 0), (0, 0))
    assert difference([nothing], [nothing], resamples=100) == Difference(0.0, 0.0, 0.0, 1.0, 1.0)


def test_one_sentence_shows_nothing_although_every_draw_of_it_is_alike():
    # The bootstrap sees no spread at all; swapping turns 100 into -100, as far from 0.
    a, b = [counts((1,), (1,), (1,))], [counts((0,), (0,), (1,))]
    found = difference(a, b, resamples=99)
    assert found == Difference(100.0, 100.0, 100.0, 0.01, 1.0)
    assert adjusted([found]) == [1.0]


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([], [], {}, "no stratum"),
        (A, B[:1], {}, "2 strata of a but 1 of b"),
        ([A[0]], [counts((1,), (1,), (2,))], {}, "4 sentences of a but 1 of b"),
        ([A[0]], [counts((0,) * 4, (0,) * 4, (2, 1, 3, 2))], {}, "differ in the gold entities"),
        ([counts((), (), ())], [counts((), (), ())], {}, "no sentence"),
        (A, B, {"resamples": 0}, "at least 1"),
        (
            [A[0], counts((1,), (1,), (2,))],
            [B[0], counts((1,), (2,), (2,))],
            {},
            "strata differ .* say 'own'",
        ),
    ],
)
def test_what_cannot_be_paired_is_refused(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        difference(a, b, **options)


def binomial_interval(pairs):
    """Where 99.9 % of the counts of false positives at 5 % lie."""
    return stats.binom.interval(0.999, pairs, 0.05)


@pytest.mark.parametrize(
    "world",
    [
        World("one seed", sentences=400),
        World("three seeds", sentences=300, seeds=3),
        World("interaction", sentences=300, seeds=3, interaction=1.5),
    ],
    ids=lambda world: world.name,
)
def test_false_positives_are_5_of_100(world):
    found = rates(world, 300, 199, seed=7)
    low, high = binomial_interval(300)
    for test in ("p_bootstrap", "p_randomisation"):
        assert low <= found[test]["shown"] <= high


def test_drawing_anew_for_each_seed_claims_too_much_where_sentences_suit_one_system():
    world = World("", sentences=300, seeds=5, interaction=1.5, draws="own")
    found = rates(world, 200, 199, seed=7)
    for test in ("p_bootstrap", "p_randomisation"):
        assert found[test]["shown"] > 1.5 * binomial_interval(200)[1]
    assert found["sd_of_bootstrap"] < 0.75 * found["sd_of_effects"]


def test_joint_draws_are_right_even_where_strata_hold_unrelated_sentences():
    """Why they are the default: same size by chance does no harm."""
    rng = np.random.default_rng(0)
    a, b = simulate(World("", sentences=1500, seeds=2, interaction=1.5), rng)
    # The second stratum's sentences, dealt anew among those with as many gold entities.
    order = np.argsort(a[0].gold, kind="stable")
    dealt = np.lexsort((rng.random(1500), a[0].gold))
    for system in (a, b):
        moved = [np.empty(1500, dtype=np.int64) for _ in NAMES]
        for row, name in zip(moved, NAMES, strict=True):
            row[order] = getattr(system[1], name)[dealt]
        system[1] = Counts(*moved)
    joint, apart = (difference(a, b, sentences=s, resamples=4000) for s in ("shared", "own"))
    width = apart.high - apart.low
    assert joint.high - joint.low == pytest.approx(width, rel=0.1)


def test_power_is_what_the_spread_of_effects_allows():
    found = rates(World("", sentences=500, advantage=0.5), 200, 199, seed=3)
    assert 0.4 < found["power_by_normal"] < 0.95
    for test in ("p_bootstrap", "p_randomisation"):
        assert found[test]["rate"] == pytest.approx(found["power_by_normal"], abs=0.1)


def test_holm_by_hand():
    # Sorted .005, .011, .02, .04: times 4, 3, 2, 1 is .02, .033, .04, .04.
    assert holm([0.02, 0.005, 0.04, 0.011]) == pytest.approx([0.04, 0.02, 0.04, 0.033])
    # The second may not fall below the first: .02 * 3 = .06 > .025 * 2 = .05 > .9; at most 1.
    assert holm([0.02, 0.025, 0.9]) == pytest.approx([0.06, 0.06, 0.9])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.5]) == [0.5]
    assert holm([]) == []


@pytest.mark.parametrize("p", [1.5, -0.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, p])


def test_the_larger_p_of_each_comparison_is_adjusted():
    family = [Difference(1, 0, 2, 0.01, 0.02), Difference(1, 0, 2, 0.04, 0.03)]
    # .02 * 2 and .04 * 1
    assert adjusted(family) == pytest.approx([0.04, 0.04])


def test_better_is_said_only_below_alpha_and_of_the_one_that_is():
    up, down = Difference(1.25, 0.5, 2, 0.01, 0.01), Difference(-1.25, -2, -0.5, 0.01, 0.01)
    evidence = "95 % interval 0.50 to 2.00, adjusted p 0.0123"
    better = f"x is better than y by 1.25 points of F1 ({evidence})."
    assert sentence_of("x", "y", up, 0.0123) == better
    assert sentence_of("y", "x", down, 0.0123) == better
    assert sentence_of("x", "y", up, 0.05) == (
        "No difference shown between x and y: +1.25 points of F1 for x "
        "(95 % interval 0.50 to 2.00, adjusted p 0.0500)."
    )
    assert "better" not in sentence_of("y", "x", down, 0.0123, alpha=0.01)
    assert "adjusted p below 0.0001" in sentence_of("x", "y", up, 0.00009)
