"""The same nasty strings as names, types, words, folders and files, through every command.

No traceback, no control sequence of theirs on a terminal, every row whole, every figure whole. The
commands are those that click knows, so that one that comes later is held too.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from itertools import cycle, islice

import click
import pytest
from PIL import Image
from terminal import pipe, pseudo_terminal, told

from mmseq.bench.results import append
from mmseq.cli import build
from mmseq.config.config import Config
from mmseq.data.tag_faults import tag_fault

NASTY = (
    "\x1b[31;99mred\x1b[2J",
    "\x1b]8;;http://x.test\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]0;title\x07",
    "\x9b31m\x9d0;t\x9c",
    "del\x7f\x08",
    "\u202egnp.exe\u2066x\u2069",
    "sep\u2028par\u2029nel\x85end",
    "back\rover",
    "[bold]",
    "[/x]",
    "[",
    "back\\slash\\",
    "</script><img src=x onerror=1>",
    "=cmd|'/C calc'!A0",
    "--two|$x$&5%_a_#1{y}^~",
    "\\input{secret}",
    "*star*`code`&lt;",
    "line\nbreak",
    "\U0001f600\u200d\U0001f525e\u0301\u0302\u6771\u4eac\u90fd",
    "%s{0}{name}$HOME",
    "@user",
)
TYPES = [text for text in NASTY if not tag_fault(f"B-{text}")]
"""Readers refuse tags with what cannot be seen"""
NO_UTF_8 = os.fsdecode(b"caf\xe9")
"""A file name as Python has it where it is no UTF-8"""
FOLDER = "\x1b[31;99m[/x]\u202e\x9b=`|$\n\x07"
"""A folder's name: a little of each"""
THEIRS = re.compile(
    "\x1b\\[31;99m|\x1b\\[2J|\x1b\\]|"
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
)
"""Nothing of ours: colours and bars have other codes"""
RAW = re.compile(f"\x1b|{THEIRS.pattern}")
BARS = re.compile(r"\r|\x1b\[\??\d*[hlAK]")
CODES = re.compile(r"\x1b\[[\d;]*m")
FIGURE = re.compile(r"[+-]?\d[\d,]*\.\d+")


def leaves(group, path=()):
    """Every command below a group, with its place."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = {" ".join(path): command for path, command in leaves(build())}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder in which every nasty string that can be is a file of tagged words."""
    for name in (*NASTY, NO_UTF_8):
        if "/" not in name:
            (tmp_path / name).write_text("Anna\tB-PER\nruns\tO\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path


def lines_of(path, command, strings):
    """Command lines with a nasty string for every argument, and for one option after the other."""
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.is_flag]

    def given():
        return [text for p in arguments for text in islice(strings, 2 if p.nargs < 0 else 1)]

    # Behind --, since some strings look like options.
    yield [*path, "--", *given()]
    for option in options:
        yield [*path, f"{option.opts[-1]}={next(strings)}", "--", *given()]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_nasty_argument_or_option_is_answered_harmlessly(name, place, monkeypatch):
    strings = cycle((*NASTY, NO_UTF_8))
    # Two rounds that meet the strings in another order.
    for start in (0, 5):
        next(islice(strings, start, start), None)
        for line in lines_of(name.split(), COMMANDS[name], strings):
            code, out, err = told(line, pseudo_terminal, monkeypatch)
            assert code in (0, 1, 2), line
            for text in (out, err):
                assert not THEIRS.search(BARS.sub("", text.decode())), (line, text)
            assert b"Traceback" not in err, line


@pytest.fixture
def world(place, tiny_encoder, tiny_data, run_once, make_result):
    """Data, results and a run whose every name is nasty; the run's folder is there twice."""
    config = Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
        | {"fusion": {"name": "none"}},
        settings={"data.path": str(tiny_data), "train.device": "cpu", "train.epochs": 1},
    )
    run = place / f"run{FOLDER}"
    shutil.copytree(run_once(config), run)
    (run / "labels.json").write_text(json.dumps(["O", "B-[/x]", "I-[/x]", "B-[b|", "I-[b|"]))
    data = place / f"data{FOLDER}"
    (data / "images").mkdir(parents=True)
    sentences = []
    for number, text in enumerate(NASTY):
        kind = TYPES[number % len(TYPES)]
        picture = f"{text}.png".replace("/", "_")
        if number % 2:
            Image.new("RGB", (40, 32)).save(data / "images" / picture)
        sentences.append(
            {
                "id": text,
                "tokens": ["Anna", text, "runs"],
                "tags": [f"B-{kind}", "O", f"I-{kind}"],
                "images": [picture],
                f"field {text}": text,
            }
        )
    for split in ("train", "test"):
        lines = "".join(json.dumps(sentence) + "\n" for sentence in sentences)
        (data / f"{split}.jsonl").write_text(lines)
    results = place / f"bench{FOLDER}" / "results.jsonl"
    for text in NASTY:
        for seed in (1, 2):
            per_type = {text: {"precision": 1.5, "recall": 2.5, "f1": 3.5, "support": 1}}
            made = make_result(text, seed, data=FOLDER)
            scores = {split: {**own, "per_type": per_type} for split, own in made.scores.items()}
            append(results, replace(made, scores=scores))
    return {"RUN": run, "DATA": data, "FILE": data / "test.jsonl", "RESULTS": results}


LINES = """
data check DATA
data check DATA --json
data show FILE
data show FILE --json
data split FILE --output OUT
data import json FILE OUT
score FILE FILE --train FILE
score FILE FILE --json
predict RUN --input FILE
predict RUN --input FILE --json
predict RUN --input FILE --best 2
predict RUN --text WORDS
evaluate RUN DATA --unknown missed
evaluate RUN DATA --unknown missed --json
evaluate RUN DATA
table RESULTS
table RESULTS --format markdown --per-type
table RESULTS --format latex --per-type
table RESULTS --format csv --per-type
table RESULTS --format json
compare RESULTS --baseline @user --resamples 500
compare RESULTS --baseline @user --resamples 500 --json
audit RUN DATA
""".strip().splitlines()
REFUSED = ("evaluate RUN DATA", "audit RUN DATA")
"""Types that the run does not know; a run without pictures"""
JSON = ("--json", "--format json")
ENDS = re.compile("[\u2028\u2029\x85]")
"""What ends a line for some programs"""


def filled_in(line, world, number):
    out = f"out{number}{FOLDER}"
    others = {"OUT": out, "WORDS": " ".join(NASTY)}
    return [others.get(word) or world.get(word) or word for word in line.split()]


def test_nasty_data_runs_and_results_are_harmless_on_a_terminal(world, monkeypatch):
    for number, line in enumerate(LINES):
        code, out, err = told(filled_in(line, world, number), pseudo_terminal, monkeypatch)
        assert code == 2 * (line in REFUSED), (line, err)
        for text in (out, err):
            assert not THEIRS.search(BARS.sub("", text.decode())), (line, text)
        if line.endswith(JSON):
            # What is shown is the same JSON as in a file.
            _, written, _ = told(filled_in(line, world, number), pipe, monkeypatch)
            assert [*map(json.loads, pages(out))] == [*map(json.loads, pages(written))], line


def test_what_is_written_is_read_back_the_same(world, place, monkeypatch):
    for number, line in enumerate(
        (
            "data split FILE --output OUT --shares 1,0,1",
            "data import json FILE OUT",
            "predict RUN --input FILE --output tagged.jsonl",
        )
    ):
        told(filled_in(line, world, number), pipe, monkeypatch)
    files = [*place.glob("out*/**/*.jsonl"), place / "tagged.jsonl"]
    assert len(files) == 4
    words = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not ENDS.search(text), file
        words.append([json.loads(line)["tokens"][1] for line in text.split("\n")[:-1]])
    # Two of a split, which share the sentences out, the imported ones, and the tagged ones.
    first, second, *whole = sorted(words, key=len)
    assert sorted(first + second) == sorted(NASTY)
    assert whole == [[*NASTY]] * 2


def pages(written):
    """JSON lines, or one page."""
    text = written.decode()
    return text.split("\n")[:-1] if text[1:2] == '"' else [text]


def test_nasty_data_in_a_pipe_keep_data_and_lines_whole(world, monkeypatch):
    for number, line in enumerate(LINES):
        code, out, err = told(filled_in(line, world, number), pipe, monkeypatch)
        text = out.decode()
        assert code == 2 * (line in REFUSED), (line, err)
        assert not RAW.search(err.decode()), line
        if line.endswith(JSON) or line.startswith("predict RUN --input"):
            found = [*map(json.loads, pages(out))]
            assert len(found) in (1, len(NASTY)), line
            assert len(found) == 1 or not ENDS.search(text), line
        else:
            assert not RAW.search(text), (line, RAW.search(text))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_command_colours_what_shall_be_plain(name, value, world, monkeypatch):
    for number, line in enumerate([*LINES, "list", "plugins", "show fusion gate", "--help"]):
        monkeypatch.setenv(name, "")
        if name == "TERM":
            monkeypatch.setenv(name, "xterm-256color")
        if line == LINES[0]:
            _, out, _ = told(
                filled_in("predict RUN --input FILE", world, 0), pseudo_terminal, monkeypatch
            )
            assert CODES.search(out.decode()), "entities are coloured else"
        monkeypatch.setenv(name, value)
        _, out, err = told(filled_in(line, world, f"{number}"), pseudo_terminal, monkeypatch)
        said = (out + err).decode()
        assert not CODES.search(said), line
        assert name == "NO_COLOR" or "\x1b" not in said, line


@pytest.mark.parametrize("columns", [40, 80])
def test_no_figure_is_cut_on_a_narrow_terminal(columns, world, monkeypatch):
    for number, line in enumerate(LINES):
        if "--json" in line or "--format" in line or "OUT" in line:
            continue
        seen = []
        for width in (400, columns):
            monkeypatch.setenv("COLUMNS", str(width))
            _, out, _ = told(filled_in(line, world, number), pseudo_terminal, monkeypatch)
            seen.append(set(FIGURE.findall(CODES.sub("", BARS.sub("", out.decode())))))
        assert seen[0] <= seen[1], line
