"""What does not fit the terminal: no word, name or number is cut."""

import io
import re
import sys

import click
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmseq.cli import build
from mmseq.cli.listing import print_listing
from mmseq.console import Reporter
from mmseq.prose import reflowed, say, wrapped
from mmseq.table_width import print_table


def printed(table, width):
    file = io.StringIO()
    print_table(Console(file=file, width=width, color_system=None), table)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def table_of(headings, *rows, figures=()):
    table = Table(title="Scores of [b]")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


THREE = table_of(
    ("part", "what it gives", "number"), ("encoder", "words (B, W)", "26,304"), figures=("number",)
)
"""Whole cells of 7, 13 and 6, with borders 7 + 13 + 6 + 3 * 3 + 1 = 36; longest words 7, 5, 6"""


def test_a_table_that_fits_is_as_it_was():
    lines = printed(THREE, 36)
    assert lines[0] == "Scores of [b]"
    assert {len(line) for line in lines[1:]} == {36}
    assert "│ encoder │ words (B, W)  │ 26,304 │" in lines


def test_borders_go_first():
    """7 + 13 + 6 and two gaps of 2 are 30."""
    assert printed(THREE, 30)[1:] == [
        "part     what it gives  number",
        "─" * 30,
        "encoder  words (B, W)   26,304",
    ]


def test_then_cells_break_between_words():
    """7 + 5 + 6 and two gaps are 22."""
    assert printed(THREE, 22)[1:] == [
        "         what",
        "         it",
        "part     gives  number",
        "─" * 22,
        "encoder  words  26,304",
        "         (B,",
        "         W)",
    ]


def test_then_the_further_columns_stand_below_beside_the_names():
    table = table_of(
        ("pictures", "F1", "95 % interval", "p"),
        ("true", "20.00", "", ""),
        ("none", "14.29", "+0.00 to +4.66", "0.7664"),
        figures=("F1", "95 % interval", "p"),
    )
    # 8 + 2 + 5 + 2 + 14 = 31; with p 39.
    assert printed(table, 32)[1:] == [
        "pictures     F1   95 % interval",
        "─" * 31,
        "true      20.00",
        "none      14.29  +0.00 to +4.66",
        "",
        "pictures       p",
        "─" * 16,
        "true",
        "none      0.7664",
    ]


@pytest.mark.parametrize("width", range(4, 60))
def test_nothing_is_left_out_at_any_width(width):
    text = "".join(printed(THREE, width)[1:])
    shown = re.sub(r"[^\w,()]", "", text)
    assert "…" not in text
    for letter in "26,304":
        assert letter in shown
    assert max(map(len, printed(THREE, width)[1:])) <= max(width, 7)


def test_prose_is_broken_between_words_and_paths_stay_whole():
    assert wrapped("one-two three\n  four five", 10) == "one-two\nthree\n  four\n  five"
    assert wrapped("see /a/long/path/to/it, please", 10) == "see\n/a/long/path/to/it,\nplease"
    assert wrapped("fits", 4) == "fits"


def test_paragraphs_are_broken_anew_and_formulas_stay():
    text = "one two three\nfour five\n\n    a = b\n    c = d\n* one\n* two"
    assert reflowed(text, 12) == "one two\nthree four\nfive\n\n    a = b\n    c = d\n* one\n* two"
    assert reflowed(text, 13) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "lines"), [(Terminal, 3), (io.StringIO, 1)])
def test_a_terminal_gets_lines_and_a_file_one_line(monkeypatch, stream, lines):
    file = stream()
    monkeypatch.setattr("sys.stdout", file)
    monkeypatch.setenv("COLUMNS", "20")
    say("a line of some twenty words or, to be exact, ten")
    assert len(file.getvalue().splitlines()) == lines
    file = stream()
    terminal = stream is Terminal
    Reporter(Console(file=file, width=20, force_terminal=terminal, color_system=None)).line(
        "a line of some twenty words or, to be exact, ten"
    )
    assert len(file.getvalue().splitlines()) == lines


ROWS = [["fusion", "modality-attention", "Each word weighs word, characters and picture."]]


def listed(monkeypatch, width, terminal=True):
    file = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    rows = [[Text(cell) for cell in row] for row in ROWS]
    print_listing(("kind", "name", "what it is"), rows)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    return [line.rstrip() for line in shown.splitlines()]


def test_a_listing_wraps_its_last_column(monkeypatch):
    """6 + 2 + 18 + 2 leave 32 of 60."""
    assert listed(monkeypatch, 60) == [
        "kind    name                what it is",
        "fusion  modality-attention  Each word weighs word,",
        " " * 28 + "characters and picture.",
    ]


def test_with_little_room_it_stands_below(monkeypatch):
    assert listed(monkeypatch, 40) == [
        "kind    name",
        "    what it is",
        "fusion  modality-attention",
        "    Each word weighs word, characters",
        "    and picture.",
    ]


def test_a_cell_of_several_lines_keeps_its_column(monkeypatch):
    """6 + 2 + 7 + 2 + 8: the third does not fit into 22."""
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "22")
    monkeypatch.setenv("TERM", "xterm")
    cells = [Text("umt"), Text("fusion a\ntask b"), Text("file.py")]
    print_listing(("plugin", "brings", "its file"), [cells])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", sys.stdout.getvalue())
    assert [line.rstrip() for line in shown.splitlines()] == [
        "plugin  brings",
        "    its file",
        "umt     fusion a",
        "        task b",
        "    file.py",
    ]


def test_a_listing_in_a_pipe_is_a_line_a_row(monkeypatch):
    assert listed(monkeypatch, 40, terminal=False)[1:] == ["  ".join(ROWS[0])]


def _helps(command, context):
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _helps(below, below.make_context(name, [], context, resilient_parsing=True))


def test_every_help_fits_80_columns_with_names_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    group = build()
    helps = dict(_helps(group, group.make_context("mmseq", [], resilient_parsing=True)))
    assert {"mmseq", "mmseq data import", "mmseq bench", "mmseq plot"} <= set(helps)
    for name, text in helps.items():
        for line in text.splitlines():
            assert len(line) <= 80, (name, line)
            assert not line.endswith("-"), (name, line)
            assert not line.endswith("...") or line.startswith("Usage:"), (name, line)
        assert "\N{NON-BREAKING HYPHEN}" not in text


@pytest.mark.parametrize("width", [60, 80, 110])
def test_a_bar_and_its_text_are_whole(width):
    """The text stands below; at 60 columns it is broken between words."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    text = "main 0.391  contrastive 1.183  cluster 17.106  boundary 0.346"
    with Reporter(console).progress("epoch 12/25", 1250) as advance:
        advance(400, text)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n")
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "…" not in shown
    assert any(re.search(r"^epoch 12/25 .* 400/1250 \S+ so far, \S+ left$", line) for line in lines)
    if width >= 80:
        assert f"  {text}" in lines
    else:
        assert "  main 0.391  contrastive 1.183  cluster 17.106  boundary" in lines
        assert "  0.346" in lines


PAIRS = table_of(
    ("a", "b", "a - b"),
    ("umt-bert-crf", "text-bert-crf", "+0.10 to +10.20"),
    ("umt-bert-crf", "推特推特", "-0.10"),
    figures=("a - b",),
)


def test_a_cell_a_line_where_the_names_in_front_do_not_tell_rows_apart():
    """12 + 13 + 15 and two gaps are 44; both names beside a figure have no room, and one of them
    says too little.
    """
    assert printed(PAIRS, 40)[1:] == [
        "a: umt-bert-crf",
        "b: text-bert-crf",
        "a - b: +0.10 to +10.20",
        "",
        "a: umt-bert-crf",
        "b: 推特推特",
        "a - b: -0.10",
    ]
    assert len(printed(PAIRS, 44)[1:]) == 4


def test_no_figure_is_broken_for_a_name():
    figure = "12.34 / 56.78 / 90.12 [10]"
    table = table_of(("system", "published"), ("text", figure), figures=("published",))
    for width in range(len(figure), 60):
        # Between its numbers a line may end.
        assert figure in " ".join("\n".join(printed(table, width)).split())
    assert printed(table, len("published: 12.34 / 56.78"))[1:] == [
        "system: text",
        "published: 12.34 / 56.78",
        "/ 90.12 [10]",
    ]


def test_wide_characters_count_twice():
    table = table_of(("name", "F1"), ("推特推特推特", "80.00"), figures=("F1",))
    # 12 columns and 5, borders of 7 between and around: 24.
    assert max(map(cell_len, printed(table, 24)[1:])) == 24
    assert "推特推特推特  80.00" in printed(table, 19)
