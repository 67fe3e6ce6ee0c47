"""The README's list of equations names tests that exist, for every equation."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = ROOT / "plugins" / "mlmner" / "README.md"
UMT = {"UMT gate", "UMT W^c", "UMT main loss", "UMT boundary loss"}


def rows():
    """(equations, tests) of every row of the table."""
    section = README.read_text(encoding="utf-8").split("## Equation by equation")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(first, re.findall(r"`([^`]+)`", tests)) for first, _, tests in cells[1:]]


def test_every_equation_is_listed():
    names = {name for name, _ in rows()}
    assert names >= UMT | {f"Eq. {number}" for number in range(1, 14)}


def test_every_listed_test_exists():
    listed = [test for _, tests in rows() for test in tests]
    assert all(tests for _, tests in rows())
    for test in listed:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test
