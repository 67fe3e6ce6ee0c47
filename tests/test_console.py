"""What a terminal shows while something takes long."""

import io
import re

import pytest
from rich.console import Console

from mmseq.console import Reporter

LOSSES = "main 12.345  boundary 1.234  contrastive 0.123  cluster 3.210"


def shown(width, title, text=""):
    """All that a bar of 380 prints on a terminal when 38 are done."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with Reporter(console).progress(title, 380) as advance:
        advance(38, text)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("title", ["epoch 3/22", "tasks look at the data", "x" * 200])
def test_a_bar_says_which_time_is_past_and_which_is_left(width, title):
    printed = shown(width, title, LOSSES)
    assert re.search(r" 38/380 0:00:\d\d so far, [-:\d]+ left", printed)
    assert f"  {LOSSES}" in printed
    assert "…" not in printed
    assert title[:30] in printed


def test_a_text_wider_than_the_terminal_goes_on_below_and_hides_no_number():
    printed = shown(80, "epoch 3/22", LOSSES * 2)
    assert re.search(r" 38/380 0:00:\d\d so far, [-:\d]+ left", printed)
    # Both times all of it, in lines of 80 columns at most.
    assert re.sub(r"\s+", " ", printed).count(re.sub(r"\s+", " ", LOSSES)) >= 2
    assert "…" not in printed


@pytest.mark.parametrize("width", [12, 24, 40, 60])
def test_no_figure_of_a_bar_is_cut_on_a_narrow_terminal(width):
    printed = shown(width, "epoch 3/22")
    (line,) = [part for part in re.split(r"[\r\n]", printed) if "38/380" in part]
    said = re.sub(r"\x1b\[[\d;?]*\w", "", line)
    assert len(said.rstrip()) <= width
    assert re.search(r"\b38/380( |$)", said)
    assert width < 25 or re.search(r" [-\d]+:[-\d]+:[-\d]+ left", said)
    assert "so far" in said or width < 60
