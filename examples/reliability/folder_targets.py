"""What mmseq itself has written: runs, checkpoints, results, stores; and configs, plans, spaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from mutation import changed_file
from trial import Make, Target, Trial, fuzzed

PREDICT = "predict run --input data/test.jsonl --json"
TRAIN = "train --quiet --config config.toml --set train.epochs=1 --output out"


def _changed(
    name: str,
    patterns: Sequence[str],
    commands: Sequence[str],
    *,
    share: float = 1.0,
    takes: Sequence[str],
    codes: Sequence[int] = (0, 2),
    renewed: Sequence[str] = ("out",),
    together: float = 0.1,
) -> Target:
    """Files of a folder changed, emptied, taken away or swapped; one of `commands` each."""

    def make(world: Path, seed: str) -> Make:
        files = sorted(
            str(path.relative_to(world))
            for pattern in patterns
            for path in world.glob(pattern)
            if path.is_file()
        )
        contents = {file: (world / file).read_bytes() for file in files}

        def trial(number: int, draw: Random) -> Trial:
            if number == 0:
                # Nothing is changed: else a target that always refuses would look well.
                right = [code for code in codes if code != 2]
                return Trial([c.split() for c in commands], codes=right, renewed=renewed)
            count = 1 if draw.random() > together else 2
            found: dict[str, bytes | None] = {}
            for file in draw.choices(files, k=count):
                way = draw.random()
                if way < 0.04:
                    found[file] = None
                elif way < 0.07:
                    found[file] = b""
                elif way < 0.1:
                    found[file] = contents[draw.choice(files)]
                else:
                    found[file] = changed_file(file, contents[file], draw)
            return Trial([draw.choice(commands).split()], found, codes=codes, renewed=renewed)

        return trial

    return fuzzed(name, make, share, takes)


RUN = ("run/*.*", "run/assets/**/*", "run/predictions/*")
SETTINGS = (
    "train data --config config.toml --set text_encoder.model=bert --dry-run",
    "python:config config.toml",
    "tune space.toml data --config config.toml --trials 1 --timeout 0.0001 --output out --quiet",
)
TARGETS = (
    _changed(
        "run",
        RUN,
        ("python:load run", PREDICT, "evaluate run --json", "predict run --text Anna --json"),
        share=3,
        takes=("run", "data"),
    ),
    _changed(
        "run-records",
        ("run/*.json", "run/*.jsonl", "run/config.toml", "run/predictions/*"),
        ("table run", "table run --format csv --per-type", "compare run a=run --resamples 50",
         "score data/test.jsonl run/predictions/test.jsonl"),
        takes=("run", "data"),
    ),
    _changed(
        "weights",
        ("run/model.safetensors",),
        ("python:load run",),
        takes=("run", "data"),
    ),
    _changed(
        "checkpoint",
        ("unfinished/last/**/*", "unfinished/*.json*", "unfinished/config.toml"),
        ("train --resume --output unfinished --quiet",),
        share=2,
        takes=("unfinished", "bert", "data"),
        renewed=("unfinished",),
    ),
    _changed(
        "results",
        ("results.jsonl",),
        ("table results.jsonl", "table results.jsonl --format latex --per-type --averages",
         "table results.jsonl --format json --baseline tiny",
         "compare results.jsonl --resamples 50",
         "compare results.jsonl --json --resamples 50", "table results.jsonl --curves out.png"),
        takes=("results.jsonl",),
        renewed=("out.png",),
    ),
    _changed(
        "published",
        ("published.toml",),
        ("table results.jsonl --published published.toml",),
        takes=("results.jsonl", "published.toml"),
    ),
    _changed(
        "bench-folder",
        ("bench/*.json*",),
        ("table bench", "bench plan.toml --output bench --dry-run"),
        takes=("bench", "plan.toml", "config.toml", "bert", "data"),
        codes=(0, 1, 2),
        renewed=("bench",),
        share=0.5,
    ),
    _changed(
        "configs",
        ("config.toml",),
        SETTINGS[:2],
        takes=("config.toml", "bert", "data"),
        share=2,
    ),
    _changed(
        "spaces",
        ("space.toml",),
        SETTINGS[2:],
        takes=("config.toml", "space.toml", "bert", "data"),
        codes=(0, 1, 2),
    ),
    _changed(
        "plans",
        ("plan.toml",),
        ("bench plan.toml --dry-run --output out",),
        takes=("config.toml", "plan.toml", "bert", "data"),
        codes=(0, 1, 2),
        share=0.5,
    ),
    _changed(
        "features",
        ("features/*/*",),
        (TRAIN,),
        takes=("config.toml", "bert", "data", "features", "cache"),
        renewed=("out", "features"),
    ),
    _changed(
        "sentences",
        ("cache/*/*",),
        (TRAIN,),
        takes=("config.toml", "bert", "data", "features", "cache"),
        renewed=("out", "cache"),
    ),
)  # fmt: skip
