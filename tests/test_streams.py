"""What reaches terminals, files and pipes of any encoding."""

import io
import json
import sys

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from terminal import pipe, pseudo_terminal, told

from mmseq.console import Reporter, wide_console
from mmseq.prose import say, say_in_colours
from mmseq.streams import prepare, put, put_json

WORDS = "naïve – 東京 \N{GRINNING FACE}"


@pytest.fixture
def out(monkeypatch):
    """`out(opened, encoding, act)`: what `act` prints on standard output, as bytes."""

    def call(opened, encoding, act):
        with opened(encoding) as (stream, written), monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            patch.setenv("TQDM_DISABLE", "1")
            prepare()
            act()
        return bytes(written)

    return call


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
def test_data_in_a_pipe_are_utf_8(out, encoding):
    assert out(pipe, encoding, lambda: put(WORDS)) == f"{WORDS}\n".encode()
    written = out(pipe, encoding, lambda: put_json({"text": WORDS, "name": "caf\udce9"}))
    assert written == f'{{"text": "{WORDS}", "name": "caf\\udce9"}}\n'.encode()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_a_terminal_gets_escapes_for_what_it_cannot_show(out, encoding):
    shown = out(pseudo_terminal, encoding, lambda: say(WORDS)).decode(encoding)
    assert shown.startswith("naïve ")
    assert shown.endswith("\\u6771\\u4eac \\U0001f600\n")
    line = out(pseudo_terminal, encoding, lambda: put_json({"text": WORDS}))
    assert json.loads(line.decode(encoding)) == {"text": WORDS}


def test_tables_and_lines_reach_a_terminal_of_another_encoding(out):
    def act():
        table = Table("name", title=WORDS)
        table.add_row(f"{WORDS} caf\udce9")
        reporter = Reporter(wide_console())
        reporter.table(table)
        reporter.line(WORDS)

    shown = out(pseudo_terminal, "cp1252", act).decode("cp1252")
    assert "naïve" in shown
    assert "caf\\udce9" in shown


def test_what_looks_like_a_colour_stays_in_data_and_steers_no_terminal(out):
    assert out(pipe, "utf-8", lambda: put("\x1b[31mx")) == b"\x1b[31mx\n"
    assert out(pseudo_terminal, "utf-8", lambda: put("\x1b[31mx")) == b"\\u001b[31mx\n"


def test_pieces_of_a_line_have_our_colours_alone(out, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def act():
        say_in_colours([("\x1b[5m ", ""), ("x\x1b[7m", "red")])

    coloured = b"\\u001b[5m \x1b[31m\x1b[1mx\\u001b[7m\x1b[0m\n"
    assert out(pseudo_terminal, "utf-8", act) == coloured
    plain = b"\\u001b[5m x\\u001b[7m\n"
    assert out(pipe, "utf-8", act) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert out(pseudo_terminal, "utf-8", act) == plain


def test_the_traceback_of_debug_is_harmless(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for opened in (pseudo_terminal, pipe):
        code, _, err = told(["evaluate", "\x1b[2Jrun"], opened, monkeypatch)
        assert (code, b"\x1b[2J" in err, b"\\u001b[2Jrun" in err) == (2, False, True)


def test_strings_in_tables_are_data_and_texts_keep_their_looks():
    file = io.StringIO()
    table = Table("[bold]", title="[/x]")
    table.add_row("[red]a[/red]\nb")
    table.add_row(":warning:")
    styled = Text("c\x9bd", "red")
    table.add_row(styled)
    console = wide_console()
    console.file = file
    Reporter(console).table(table)
    shown = file.getvalue()
    assert "[/x]" in shown
    assert "[bold]" in shown
    assert "[red]a[/red]\\u000ab" in shown
    assert ":warning:" in shown
    assert "c\\u009bd" in shown


def test_names_are_no_markup_in_lines_and_bars():
    file = io.StringIO()
    reporter = Reporter(Console(file=file, width=200, force_terminal=True, color_system=None))
    reporter.line("[red]a[/x] :warning: \x1b[2J")
    with reporter.progress("[/y] :bomb:\x9b", 1) as advance:
        advance(1, "[b] :tada: \x07")
    shown = file.getvalue()
    assert "[red]a[/x] :warning: \\u001b[2J\n" in shown
    assert "[/y] :bomb:\\u009b" in shown
    assert "  [b] :tada: \\u0007" in shown


def test_a_dumb_terminal_is_as_wide_as_it_is_and_has_no_bar(out, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")

    def act():
        console = wide_console()
        print(console.width, end="")
        with Reporter(console).progress("[title]", 3) as advance:
            advance(3, "text")

    assert out(pseudo_terminal, "utf-8", act) == b"40"
