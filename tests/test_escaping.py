"""Names and text of users in each output, character by character."""

import ast
import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

import mmseq
from mmseq.config.config import Config
from mmseq.escaping import (
    csv_cell,
    harmless,
    json_line,
    latex,
    markdown,
    markdown_code,
    on_one_line,
)
from mmseq.runs.card import model_card
from mmseq.tables.drawing import render_figure
from mmseq.tables.forms import text_of
from mmseq.tables.layout import Layout, LayoutRow
from mmseq.tables.table import build

ENGINE = Path(mmseq.__file__).parent
NASTY = (
    "a|b\nc",
    "\\input{x}",
    "$x$ 5% &lt; #1 _a_ ^ ~ {",
    "</script><b>",
    "=1+2",
    "*a",
    "[b]",
    "\x1b[31m\r\x9b",
    "\u202ex\u2028y",
)
COMMANDS = (
    "usepackage begin centering small caption toprule midrule bottomrule end quad footnotesize "
    "textasciitilde textasciicircum pm"
)
"""Of LaTeX, that a table may have"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kraków 東京 😀‍🔥 é", "Kraków 東京 😀‍🔥 é"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x00\x07\x08\r\x7f", "\\u0000\\u0007\\u0008\\u000d\\u007f"),
        ("\x80\x85\x9b\x9f", "\\u0080\\u0085\\u009b\\u009f"),
        ("\u202a\u202e\u2066\u2069\u200e\u200f\u061c", None),
        ("\u2028\u2029\udce9", "\\u2028\\u2029\\udce9"),
        ("two\n\tlines", "two\n\tlines"),
    ],
)
def test_nothing_steers_a_terminal_and_letters_stay(text, shown):
    expected = "".join(f"\\u{ord(c):04x}" for c in text) if shown is None else shown
    assert harmless(text) == expected
    assert on_one_line(text) == expected.replace("\n", "\\u000a").replace("\t", "\\u0009")


def test_json_on_a_terminal_is_the_same_json():
    value = {"a\x9b": ["\x1b\u202e", "\x7f\n"]}
    assert json.loads(harmless(json.dumps(value, ensure_ascii=False, indent=2))) == value


def test_a_json_line_is_one_line_for_everybody():
    value = {"a\u2028": "b\u2029c\x85d\udce9e 東京 \x9b"}
    line = json_line(value)
    assert line == '{"a\\u2028": "b\\u2029c\\u0085d\\udce9e 東京 \x9b"}'
    assert json.loads(line) == value
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+2", "'=1+2"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ("\ta", "'\\u0009a"),
        ("\ra", "'\\u000da"),
        ("\uff1d1", "'\uff1d1"),
        (-1.5, -1.5),
        ("-1.5", "-1.5"),
        ("-1.5e-07 2", "-1.5e-07 2"),
        ("-1+2", "'-1+2"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_cell_of_a_csv_file_is_computed(value, cell):
    assert csv_cell(value) == cell


def test_markdown_and_latex_have_no_command_of_a_name():
    assert markdown("a_b _c_ | <i> &amp; A & B $x$\n") == (
        r"a_b \_c\_ \| \<i\> \&amp; A & B \$x\$\\u000a"
    )
    assert markdown_code("a`b``c|<i>") == "```a`b``c|<i>```"
    assert markdown_code("`") == "`` ` ``"
    assert latex("*\\input{x}\n") == (r"{*}\textbackslash{}input\{x\}\textbackslash{}u000a")


@pytest.fixture
def table(make_result):
    rows = tuple(LayoutRow(text, f"title {text}") for text in NASTY)
    results = []
    for text in NASTY:
        made = make_result(text, 1, data=f"data {text}")
        made.scores["test"]["per_type"][text] = made.scores["test"]["per_type"]["PER"]
        results.append(made)
    return build(results, Layout("".join(NASTY), rows), per_type=True)


def test_rows_of_markdown_are_whole(table):
    lines = text_of(table, "markdown").split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}) == 1
    # Headings and a rule; of each system a row and one for each of three types.
    assert len(rows) == 2 + len(NASTY) * 4
    assert all(line.startswith(("|", "* ", "**")) or not line for line in lines)


def test_rows_of_latex_are_whole(table):
    text = text_of(table, "latex")
    assert harmless(text) == text
    body = text.split("\\toprule\n")[1].split("\\bottomrule")[0].splitlines()
    rows = [line for line in body if line != "\\midrule"]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {rows[0].count("&")}
    assert all(row.endswith(r" \\") for row in rows)
    commands = set(re.findall(r"\\[a-z]+", text.replace(r"\textbackslash{}", "")))
    assert commands <= {rf"\{name}" for name in COMMANDS.split()}
    bare = re.sub(r"\\.", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0


def test_rows_of_csv_are_whole_and_compute_nothing(table):
    text = text_of(table, "csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(text.splitlines()) == len(rows) == 1 + len(NASTY)
    assert len(set(map(len, rows))) == 1
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
    systems = [row[rows[0].index("system")] for row in rows[1:]]
    assert systems[4] == "'=1+2"


def test_json_has_the_names_as_they_are(table):
    assert [row["system"] for row in json.loads(text_of(table, "json"))["rows"]] == [*NASTY]


def test_latex_says_when_pdflatex_will_not_do(make_result):
    for name, wanted in (("Müller", False), ("東京", True)):
        text = text_of(build([make_result(name, 1)], Layout(rows=(LayoutRow(name),))), "latex")
        assert ("LuaLaTeX" in text.splitlines()[0]) is wanted


def test_the_card_of_a_run_has_no_html_and_no_row_of_a_name(tmp_path):
    config = Config.from_layers(settings={"data.path": str(tmp_path / "`<i>x|\n---\n# y`")})
    facts = {"sentences": 3, "entities": 2, "sha256": "c0ffee", "images_sha256": ""}
    labels = ["O", *(f"B-{text}" for text in NASTY)]
    text = model_card(config, {"data": {"train": facts}, "best_epoch": 1}, labels)
    _, page = text.split("\n---\n\n# A tagger", 1)
    assert "Trained on `` `<i>x|\\u000a---\\u000a# y` ``, 3 sentences" in page
    for line in page.split("```python")[0].split("\n"):
        bare = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
        assert not re.search(r"(?<!\\)(?:\\\\)*<", bare), line
    assert harmless(page) == page


def test_a_plot_is_xml_whatever_its_names():
    figure = Figure()
    figure.suptitle("<a> & \x1b[31m\x07")
    found = ElementTree.fromstring(render_figure(figure, "svg"))
    shown = "".join("".join(found.itertext()).split())
    assert "<a>&\\u001b[31m\\u0007" in shown


DOORS = {
    "print": set(),
    "click.echo": {"prose.py", "streams.py"},
    "click.secho": set(),
    "Console": {"console.py", "tables/rich_table.py", "jobs/work.py"},
    "sys.stdout.write": set(),
    "sys.stderr.write": {"__main__.py"},
}
"""What prints, and the only files of the engine that may: there names are made harmless"""


def test_the_engine_prints_in_few_places():
    for path in sorted(ENGINE.rglob("*.py")):
        place = path.relative_to(ENGINE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert place in DOORS.get(called, {place}), f"{place}:{node.lineno}"
