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
