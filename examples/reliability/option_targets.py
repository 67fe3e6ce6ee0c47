"""What is typed: odd values for every option and argument of every command, and for every setting.

The commands are those that click knows, so that one that comes later is tried too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
import structures
from mutation import FRACTIONS, NUMBERS, TEXTS
from structures import Stream
from trial import Make, Target, Trial, fuzzed

LEFT_OUT = ("new-plugin", "check", "sample", "parity")
"""They run code that is named, or write data alone"""
GIVEN = {
    "train": "data --config config.toml --dry-run",
    "tune": "space.toml data --config config.toml --trials 1 --timeout 0.0001 --output out --quiet",
    "bench": "plan.toml --dry-run --output out",
    "predict": "run --input data/test.jsonl",
    "evaluate": "run --quiet",
    "audit": "run --resamples 20 --permutations 1",
    "table": "results.jsonl",
    "compare": "results.jsonl --resamples 20",
    "score": "data/test.jsonl run/predictions/test.jsonl",
    "show": "fusion gate",
    "plot": "run --output out.png",
    "data check": "data",
    "data show": "data/test.jsonl",
    "data split": "data/test.jsonl --output out",
    "data import": "json data/test.jsonl out",
}
"""A command line of each that is right, to which one odd option is added"""
SETTINGS = (
    "train.epochs", "train.batch_size", "train.learning_rate", "train.seed", "train.device",
    "train.precision", "train.warmup", "train.steps", "train.accumulate", "data.path",
    "data.columns", "data.map", "data.fields", "data.image_dropout", "data.tag_names",
    "data.splits", "data.features", "data.cache", "data.splitter", "text_encoder.model",
    "text_encoder.name", "image_encoder.model", "image_encoder.fit", "decoder.name",
    "decoder.class_weights", "fusion.name", "fusion.width", "aux", "weighting.name", "callbacks",
)  # fmt: skip
WORDS = ("1-5", "5-1", "0-100000", "1,1", "word=1", "tag=2,word=1", "PER=LOC", "a=b=c", "=", ",")


def _leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _odd(drawn: str, draw: Random) -> str:
    """Text that a command line can carry: without NUL and half characters."""
    way = draw.randrange(6)
    if way < 2:
        value = draw.choice(TEXTS)
    elif way == 2:
        value = str(draw.choice((*NUMBERS, *FRACTIONS)))
    elif way == 3:
        value = draw.choice(WORDS)
    else:
        value = drawn
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def _options(world: Path, seed: str) -> Make:
    from mmseq.cli import build

    commands = [one for one in _leaves(build()) if one[0] not in LEFT_OUT]
    texts = Stream(structures.text(30), f"{seed} option")

    def trial(number: int, draw: Random) -> Trial:
        name, command = draw.choice(commands)
        odd = _odd(texts[number], draw)
        options = [p for p in command.params if isinstance(p, click.Option)]
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        given = GIVEN.get(name, "").split()
        if arguments and (not options or draw.random() < 0.2):
            # In place of all that is right; behind --, since it may look like an option.
            line = [*name.split(), "--", *[odd for _ in arguments]]
        elif options:
            option = draw.choice(options)
            added = option.opts[-1] if option.is_flag else f"{option.opts[-1]}={odd}"
            line = [*name.split(), *given, added]
        else:
            line = [*name.split(), *given]
        if name in ("train", "bench", "tune") and not {"--dry-run", "0.0001"} & set(line):
            line[1:1] = ["--dry-run"] if name != "tune" else ["--timeout", "0.0001"]
        # Where nothing is asked of a cluster.
        line = [word for word in line if not word.startswith(("--ray", "--jobs"))]
        return Trial([line], codes=(0, 1, 2), renewed=["out", "out.png"])

    return trial


def _settings(world: Path, seed: str) -> Make:
    texts = Stream(structures.text(30), f"{seed} setting")

    def trial(number: int, draw: Random) -> Trial:
        key = draw.choice(SETTINGS) if draw.random() < 0.9 else _odd(texts[number], draw)
        setting = f"{key}={_odd(texts[number], draw)}"
        # Settings are looked at before the data, and a dry run takes a second.
        data = draw.choice(("data", *["absent"] * 9))
        line = ["train", data, "--config", "config.toml", "--dry-run"]
        return Trial([[*line, f"--set={setting}"]])

    return trial


TAKEN = ("config.toml", "plan.toml", "space.toml", "results.jsonl", "bert", "data", "run")
TARGETS: tuple[Target, ...] = (
    fuzzed("options", _options, 2, TAKEN),
    fuzzed("settings", _settings, 1, ("config.toml", "bert", "data")),
)
