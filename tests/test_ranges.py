"""Options with limits: what a component's annotations refuse, and how it is told."""

from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Interval

import mmseq
from mmseq.errors import UserError
from mmseq.registry.options import check_options, options_of
from mmseq.registry.ranges import limits


class Component:
    def __init__(
        self,
        *,
        layers: mmseq.Count = 1,
        bins: mmseq.Natural = 0,
        temperature: mmseq.Positive = 1.0,
        margin: mmseq.NonNegative = 0.0,
        momentum: mmseq.Share = 1.0,
        dropout: mmseq.Dropout = 0.0,
        side: Annotated[int, Interval(gt=2, le=8), "places"] = 4,
        name: str = "",
        layer: int | Literal["mix"] = -1,
    ) -> None: ...


OPTIONS = options_of(Component)


def checked(**given):
    return check_options("fusion 'own'", OPTIONS, given)


@pytest.mark.parametrize(
    ("option", "allowed", "refused", "words"),
    [
        ("layers", [1, 9], [0, -1], "at least 1"),
        ("bins", [0, 9], [-1], "at least 0"),
        ("temperature", [1e-9, 5.0, 5], [0.0, 0, -1.0], "above 0"),
        ("margin", [0.0, 0, 7.5], [-1e-9], "at least 0"),
        ("momentum", [0, 0.5, 1.0], [-0.1, 1.1], "at least 0 and at most 1"),
        ("dropout", [0.0, 0.99], [-0.1, 1.0, 1], "at least 0 and below 1"),
        ("side", [3, 8], [2, 9], "above 2 and at most 8"),
    ],
)
def test_a_range_allows_and_refuses(option, allowed, refused, words):
    for value in allowed:
        assert checked(**{option: value})[option] == value
    for value in refused:
        with pytest.raises(UserError, match=f"^fusion 'own': {option} = {value}; .*{words}"):
            checked(**{option: value})


def test_a_value_of_another_type_is_told_with_type_and_limits():
    with pytest.raises(UserError, match=r"'layers': 1\.5 .*int.*1"):
        checked(layers=1.5)
    with pytest.raises(UserError, match="'dropout': 'low' .*float.*0"):
        checked(dropout="low")


def test_not_a_number_is_in_no_range():
    for value in (float("nan"), float("inf")):
        with pytest.raises(UserError, match="option 'temperature': "):
            checked(temperature=value)


def test_limits_in_words():
    assert limits([Ge(2)]) == "at least 2"
    assert limits([Interval(ge=0, lt=0.5)]) == "at least 0 and below 0.5"
    assert limits(["a remark"]) == ""
    assert OPTIONS["name"].limits == ""
    assert OPTIONS["name"].type_name == "str"
    assert OPTIONS["layer"].type_name == "int or 'mix'"


def test_a_components_page_shows_its_limits(run_cli):
    done = run_cli("show", "fusion", "concat")
    assert done.code == 0
    assert "int, at least 1" in done.out
    assert "float, at least 0 and below 1" in " ".join(done.out.split())
