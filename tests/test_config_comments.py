"""A run's config.toml explains its settings, and is read as the one without comments."""

import tomllib
from pathlib import Path

import pytest
import tomli_w

import mmseq
from mmseq.config.comments import commented
from mmseq.config.config import Config
from mmseq.config.places import absolute
from mmseq.registry.option_texts import option_texts
from mmseq.registry.plugins import registry
from mmseq.runs.folder import own_config


def test_texts_stand_above_tables_and_keys():
    tables = {
        "a": 1,
        "data": {"path": "x", "splits": ["train", "a = 1"], "map": {"path": "LOC"}},
        "aux": {"my-task": {"weight": 0.5}},
    }
    texts = {
        "a": "First.",
        "data": "Of the data.",
        "data.path": "Where.",
        "data.splits": "Which.",
        "data.map": "Types.",
        "aux.my-task": "A task.",
        "aux.my-task.weight": "How ``much``\x00 it\ncounts.",
        "absent": "Nothing.",
    }
    text = commented(tables, texts, "On top.")
    assert text == (
        "# On top.\n# First.\na = 1\n\n"
        '# Of the data.\n[data]\n# Where.\npath = "x"\n# Which.\nsplits = [\n    "train",\n'
        '    "a = 1",\n]\n\n'
        '# Types.\n[data.map]\npath = "LOC"\n\n'
        "# A task.\n[aux.my-task]\n# How `much`  it counts.\nweight = 0.5\n"
    )
    assert tomllib.loads(text) == tables


def test_long_texts_are_wrapped_to_the_width_of_a_terminal():
    text = commented({"a": 1}, {"a": "word " * 40})
    *comment, key = text.splitlines()
    assert key == "a = 1"
    # "# " and 15 words of 5 characters less the last space are 76; one more would be 81.
    assert [len(line.split()) - 1 for line in comment] == [15, 15, 10]


def test_tables_in_arrays_and_odd_keys_have_no_comment():
    tables = {"fusion": {"parts": [{"name": "x"}, {"name": "y"}], "named": {"B-LOC": 1, "a.b": 2}}}
    texts = {"fusion.parts.name": "No.", "fusion.named.B-LOC": "Yes.", "name": "No."}
    text = commented(tables, texts)
    assert tomllib.loads(text) == tables
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Yes."]


class Base:
    """First line.

    `size`: how wide. 0: as it comes. `share`: of all; with `size` 0 the half.

    With `mode` on, all is other. Nothing of `x`.
    """


class Derived(Base):
    """First line, of `size`.

    The others, `mode` and `size`, are those of `Base`::

        z = `share`

    Before `late` there is nothing. `own`: its own;
    it goes on. `last`: the end; `very_last`: the very end.

    Source: a book on `late`.
    """


def test_an_options_text_is_the_passage_that_defines_it_else_what_names_it():
    names = ("size", "share", "mode", "own", "last", "very_last", "late", "unknown")
    assert option_texts(Derived, names) == {
        "size": "How wide. 0: as it comes.",
        "share": "Of all; with `size` 0 the half.",
        "mode": "With `mode` on, all is other.",
        "own": "Its own; it goes on.",
        "last": "The end.",
        "very_last": "The very end.",
        "late": "Before `late` there is nothing.",
    }


@pytest.mark.parametrize("preset", registry().names("preset"))
def test_every_presets_file_is_read_as_it_was(preset, tmp_path):
    config = Config.from_preset(preset)
    path = tmp_path / "config.toml"
    config.save(path)
    text = path.read_text(encoding="utf-8")
    assert tomllib.loads(text) == absolute(config.tables())
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines if line.startswith("#"))
    # Nothing stands without a word on it, but the name of a component.
    for above, line in zip(["", *lines], lines, strict=False):
        if " = " in line and not line.startswith(("#", " ", "name = ")):
            assert above.startswith("# "), line


def test_the_file_says_what_show_says(tmp_path, run_cli):
    config = Config.from_layers(flags={"fusion": {"name": "concat"}}, settings={"train.epochs": 3})
    config.save(tmp_path / "config.toml")
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    plain = " ".join(text.replace("# ", "").split())
    shown = " ".join(run_cli("show", "train").out.split())
    for about in ("Sentences a process and a micro-batch.", "Largest gradient norm; 0: no limit."):
        assert about in shown
        assert about in plain
    assert "# concat: [word ; pooled picture]: the picture's projected vector" in text
    assert "\n# float, at least 0 and below 1\ndropout = " in text


def test_a_run_has_the_comments_and_is_read_as_one_without(run_once, tiny_encoder, tiny_data):
    run = run_once(
        Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
                "decoder": {"name": "crf"},
            },
            settings={"data.path": str(tiny_data), "train.device": "cpu", "train.epochs": 1},
        )
    )
    path: Path = run / "config.toml"
    now = own_config(run)
    text = path.read_text(encoding="utf-8")
    assert "# Sentences a process and a micro-batch.\nbatch_size = 32\n" in text
    bare = run.parent / f"{run.name}-bare"
    bare.mkdir(exist_ok=True)
    (bare / "config.toml").write_text(tomli_w.dumps(tomllib.loads(text)), encoding="utf-8")
    (bare / "labels.json").write_text((run / "labels.json").read_text())
    assert own_config(bare).tables() == now.tables()
    assert mmseq.Config.from_file(path).tables() == now.tables()
