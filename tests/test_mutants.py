"""The mutation test's own parts: what it changes, and what it draws."""

import ast
import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"
SOURCE = '''
"""A page."""

import torch

LEAST: float = 0.5


def mean(values: list[int], dim: int = -1) -> float:
    """Of a few."""
    if not values:
        raise ValueError(f"none of {2 + 2}")
    assert len(values) > 0
    total = sum(v for v in values if v >= 1) / max(len(values), 1)
    torch.ones(3).sum(dim=0).detach()
    return total
'''


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield runpy.run_path(str(BENCHMARKS / "mutants.py"))
    sys.modules.pop("mutations")


def test_each_change_is_one_operator_of_code_that_behaviour_shows(script):
    changes = script["mutations"](SOURCE)
    found = {(change.line, change.operator, change.before, change.after) for change in changes}
    assert {(line, operator) for line, operator, _, _ in found} == {
        (6, "constant"),
        (9, "constant"),
        (9, "negation left out"),
        (11, "negation left out"),
        (14, "arithmetic"),
        (14, "function"),
        (14, "comparison"),
        (14, "constant"),
        (15, "statement left out"),
        (15, "function"),
        (15, "constant"),
        (15, "call left out"),
        (16, "return value"),
    }
    assert (6, "constant", "0.5", "0.25") in found
    assert (14, "comparison", "v >= 1", "v > 1") in found
    assert (14, "function", "max(len(values), 1)", "min(len(values), 1)") in found
    assert (16, "return value", "return total", "return None") in found
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for number in range(len(changes)):
        lines = ast.unparse(script["mutated"](SOURCE, number)).splitlines()
        assert sum(a != b for a, b in zip(plain, lines, strict=True)) == 1


def test_the_same_code_has_the_same_fingerprint_wherever_it_comes_from(script):
    moved = SOURCE.replace("import torch", "from math import pi").replace("A page", "Prose")
    assert script["fingerprint"](SOURCE) == script["fingerprint"](moved)
    assert script["fingerprint"](SOURCE) != script["fingerprint"](SOURCE.replace("0.5", "0.25"))


def test_a_seed_draws_places_of_every_module_and_the_same_again(script):
    first, again = (script["drawn"](2026, 240) for _ in range(2))
    assert first == again
    assert first != script["drawn"](2027, 240)
    places = {(m.path, m.mutation.line, m.mutation.column, m.mutation.operator) for m in first}
    assert len(places) == 240
    assert {mutant.path for mutant in first} == set(script["TESTS"])
    assert all(
        (script["ROOT"] / test).exists() for tests in script["TESTS"].values() for test in tests
    )
