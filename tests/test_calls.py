"""Components are called, and what they give is checked, in one place; and no file is too long."""

import ast
from pathlib import Path

import pytest
import torch

from mmseq.contracts.decoder import Decoder
from mmseq.errors import ComponentError
from mmseq.model import calls

ROOT = Path(__file__).parents[1]
ENGINE = sorted((ROOT / "mmseq").rglob("*.py"))
CEILING = 300
"""Lines of a file of the engine or of a plugin; one idea a file is the rule"""


def naming(path, function):
    """Whether a file names a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.Name) and node.id == function for node in ast.walk(tree))


def test_who_broke_a_contract_is_said_in_one_file_alone():
    found = {path.relative_to(ROOT).as_posix() for path in ENGINE if naming(path, "blamed")}
    assert found == {"mmseq/model/calls.py"}


def test_no_file_is_longer_than_the_ceiling():
    files = [*ENGINE, *(ROOT / "plugins").glob("*/mmseq_*/**/*.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lines) > 200
    assert {path.relative_to(ROOT).as_posix(): n for path, n in lines.items() if n > CEILING} == {}


class Wrong(Decoder):
    """Gives what was put into it."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def count(self, targets):
        return self.given

    def loss(self, emissions, tags, mask):
        return self.given

    def decode(self, emissions, mask):
        return self.given

    def scores(self, emissions, tags, mask):
        return self.given

    def span_scores(self, emissions, tags, mask, spans):
        return self.given

    def k_best(self, emissions, mask, k):
        return self.given, self.given


EMISSIONS, MASK = torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
TAGS = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "given", "place"),
    [
        (
            lambda d: calls.decode("it", d, EMISSIONS, MASK),
            TAGS + 4,
            "decode gives holds 4; the 4 labels",
        ),
        (
            lambda d: calls.decode("it", d, EMISSIONS, MASK),
            TAGS[:1],
            "decode gives is (1, 3), not (2, 3)",
        ),
        (lambda d: calls.scores("it", d, EMISSIONS, TAGS, MASK), 0.5, "scores is float"),
        (
            lambda d: calls.span_scores("it", d, EMISSIONS, TAGS, MASK, torch.zeros(5, 3)),
            torch.zeros(4),
            "span_scores is (4,), not (5,)",
        ),
        (
            lambda d: calls.k_best("it", d, EMISSIONS, MASK, 2),
            torch.zeros(2, 2),
            "paths of k_best is (2, 2), not (2, 2, 3)",
        ),
    ],
)
def test_what_a_decoder_gives_is_checked(call, given, place):
    with pytest.raises(ComponentError) as caught:
        call(Wrong(given))
    assert str(caught.value).startswith("it: ")
    assert place in str(caught.value)


def test_what_a_decoder_rightly_gives_is_passed_on():
    assert calls.decode("it", Wrong(TAGS), EMISSIONS, MASK) is TAGS


def test_numbers_are_held_to_precision_and_where_asked_to_be_finite():
    infinite = torch.full((2, 3), torch.inf)
    calls.Numbers(torch.float32, finite=False).require_vectors("it", "words", infinite, (2, 3))
    with pytest.raises(ComponentError, match="not finite"):
        calls.Numbers(torch.float32, finite=True).require_vectors("it", "words", infinite, (2, 3))
    with pytest.raises(ComponentError, match="float32, not float64"):
        calls.Numbers(torch.float64, finite=False).require_vectors("it", "words", infinite, (2, 3))
    with pytest.raises(ComponentError, match="announces words and gives none"):
        calls.Numbers(torch.float32, finite=False).require_vectors("it", "words", None, (2, 3))
