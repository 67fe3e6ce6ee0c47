"""The campaign of examples/reliability: it finds planted faults, and equal seeds try the same."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("hypothesis")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
FOLDER = Path(__file__).parents[1] / "examples" / "reliability"
FRAGILE = """
import mmseq


class FragileReader(mmseq.Reader):
    '''Lines of words; fails over an asterisk.'''

    suffixes = (".fragile",)

    def read(self, path):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "*" in text:
            raise KeyError("*")
        for line in filter(str.strip, text.splitlines()):
            yield mmseq.Example(tuple(line.split()), ("O",) * len(line.split()))


@mmseq.hookimpl
def register_components(add):
    add.reader("fragile", FragileReader)
"""


@pytest.fixture
def campaign(monkeypatch):
    """The names of its files can be imported; where it stands and what it sets is as before."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(FOLDER)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def world(campaign, tmp_path, monkeypatch):
    """The data of what is attacked, and a place to work in, the current folder."""
    import world

    whole, place = tmp_path / "world", tmp_path / "place"
    whole.mkdir()
    place.mkdir()
    monkeypatch.chdir(whole)
    world.make_data()
    world.make_pictures()
    monkeypatch.chdir(place)
    return whole, place


def test_a_planted_fault_of_a_reader_is_found_where_it_is(world, site):
    from mutation import changed_bytes
    from trial import Trial, fuzzed

    site.add("fragile", FRAGILE)

    def make(whole, seed):
        def trial(number, draw):
            content = b"Anna was\nin Oslo\n" + (b"*" if draw.random() < 0.2 else b"")
            files = {"a.fragile": changed_bytes(content, draw)}
            return Trial([["data", "show", "a.fragile", "--reader", "fragile"]], files)

        return trial

    attempt = fuzzed("planted", make).begin(*world, "1")
    tried = [attempt(number) for number in range(60)]
    found = [(one, b"*" in one.trial.files["a.fragile"]) for one in tried]
    # A file that is no text is refused before.
    assert all(planted for one, planted in found if one.kinds)
    kinds = [kind for one, _ in found for kind in one.kinds]
    assert len(kinds) > 5
    assert {kind[:40] for kind in kinds} == {"a component's error: reader 'fragile' of"}


@pytest.mark.parametrize(
    ("arguments", "given", "wrong"),
    [
        (["list", "fusion"], b"", ""),
        (["list", "nosuch"], b"", ""),
        (["python:config", "absent.toml"], b"", ""),
        (["python:sentences", "absent", "absent"], b"", "FileNotFoundError at "),
    ],
)
def test_an_answer_is_judged(campaign, arguments, given, wrong):
    from judging import judged

    assert judged(arguments, given=given).startswith(wrong)
    assert bool(judged(arguments, given=given)) == bool(wrong)


@pytest.mark.parametrize(
    ("code", "out", "err", "terminal", "wrong"),
    [
        (0, "", "", False, ""),
        (0, '{"a": NaN}', "", False, "NaN in JSON"),
        (0, '{"a": 1}\n{"a": 2}\n', "", False, ""),
        (0, "{a", "", False, "no JSON with --json"),
        (2, "", "Error: a.\n", False, ""),
        (2, "", "", False, "exit code 2 without its one line"),
        (2, "", "Error: a.\nError: b.\n", False, "more than one error"),
        (2, "", "Error: a\nb.\n", False, "an error that goes on after its line"),
        (1, "", "", False, "exit code 1"),
        (0, "\x1b[2J", "", True, "control character 0x1b on a terminal"),
        (0, "1", "\u202e", False, "control character 0x202e on standard error"),
        (
            1,
            "",
            "Error: fusion 'a': b (--debug shows where)\n",
            False,
            "a component's error: fusion 'a'",
        ),
        (2, "", "Traceback (most recent call last):\nError: a.", False, "traceback"),
    ],
)
def test_what_is_wrong_with_an_answer(campaign, code, out, err, terminal, wrong):
    from judging import fault

    found = fault(code, out, err, (0, 2), terminal=terminal, arguments=["--json"])
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)


def test_computing_without_a_word_is_a_hang(campaign):
    from judging import Hang, time_limit

    def count(words):
        with time_limit(0.05, lambda: len(words)):
            for number in range(10**7):
                if number % 1000 == 0 and words is not silent:
                    words.append(number)

    silent = []
    with pytest.raises(Hang):
        count(silent)
    count([])


def test_equal_seeds_try_equal_inputs_and_others_others(world):
    import reading_targets

    whole, place = world
    (whole / "run").mkdir()
    for target in reading_targets.TARGETS:
        if target.name not in ("jsonl", "conll", "import-csv", "import-prodigy", "input"):
            continue
        tried = {}
        for seed in ("1", "1 again", "2"):
            make = target.make(whole, seed.split()[0])
            # From the middle, as after a process that ended.
            numbers = range(6) if seed != "1 again" else range(4, 6)
            tried[seed] = [
                make(n, Random(f"{seed.split()[0]} {target.name} {n}")).number() for n in numbers
            ]
        assert tried["1 again"] == tried["1"][4:], target.name
        assert tried["2"] != tried["1"], target.name


@pytest.mark.process
def test_work_that_is_not_taken_up_again_is_found(world):
    from breaking_targets import broken, killed
    from flows import Flow

    whole, place = world
    imported = Flow(
        "import",
        first="data import json data/train.jsonl out",
        again="data import json data/train.jsonl out",
        results=["out/*.jsonl"],
        takes=["data"],
        written=["out"],
    )
    for flow, wrong in (
        (imported, []),
        (replace(imported, again="list fusion"), ["taken up, another"]),
    ):
        attempt = broken("kill-import", flow, killed).begin(whole, place, "1")
        tried = attempt(0)
        assert "killed before operation" in tried.what
        assert [kind[:17] for kind in tried.kinds] == wrong
