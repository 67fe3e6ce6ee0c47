"""How long the command line takes to start, and `mmseq predict RUN --text …` to answer.

`--help` and `list`: the best of ten, each a process of its own. `predict`: the best of five, and
where it goes: stages timed within such a process, of which the quickest is reported, so that they
add up to it; and what each package's own modules take to import, as `python -X importtime` counts
it, which slows imports down: read it as shares. Without RUN the smallest one is trained:
cross-modal transformer over the packaged encoders, eight sentences, one epoch; it is asked about a
picture.

    python examples/benchmarks/start_up.py [RUN] [--image FILE] [--json FILE]
"""

from __future__ import annotations

import time

ENTERED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

TEXT = "Jordan was amazing last night"
QUICK = {"--help": 0.3, "list": 0.5}
"""Seconds that they may take"""
TIMES, PREDICTIONS = 10, 5
SHOWN = 12
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


class Stages:
    """Seconds of one thing after the other."""

    def __init__(self, started: float) -> None:
        self.seconds: dict[str, float] = {}
        self.last = started

    def end(self, name: str) -> None:
        """What has been done since the last one ends now."""
        now = time.time()
        self.seconds[name], self.last = now - self.last, now


def stages_of(run: Path, images: Sequence[str], started: float) -> dict[str, float]:
    """Does what `mmseq predict` does, step by step, in this process, which began at `started`."""
    stages = Stages(started)
    stages.last = ENTERED
    stages.seconds["interpreter"] = ENTERED - started
    from mmseq.cli import build

    build()
    stages.end("command line with plugins")
    import torch

    stages.end("import torch")
    from mmseq.model.assembly import build_model
    from mmseq.runs import folder as runs
    from mmseq.runs.weights import load_weights
    from mmseq.tagging.tagger import Tagger

    stages.end("import the engine (accelerate …)")
    config, labels = runs.open_run(run)
    stages.end("config, import components (transformers, timm …)")
    constructed: dict[str, float] = {}
    for kind in ("text_encoder", "image_encoder"):
        if choice := config.single[kind]:
            _time_constructor(choice.entry.load(), kind.replace("_", " "), constructed)
    model, _ = build_model(config, labels, assets=run / "assets")
    stages.end("build the rest of the model")
    for name, seconds in constructed.items():
        stages.seconds["build the rest of the model"] -= seconds
        stages.seconds[f"build the {name}"] = seconds
    load_weights(model, run / "model.safetensors")
    stages.end("load the weights")
    tagger = Tagger(
        run, config, model, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )
    stages.end("move the model")
    tagger.predict([TEXT], [list(images)])
    stages.end("tag the sentence")
    return stages.seconds


def _time_constructor(cls: type[Any], name: str, constructed: dict[str, float]) -> None:
    """Seconds of making one `cls` go into `constructed`."""
    own = cls.__init__

    def timed(self: Any, *args: Any, **options: Any) -> None:
        began = time.time()
        own(self, *args, **options)
        constructed[name] = time.time() - began

    # The engine tells from the signature what a component wants.
    timed.__annotations__ = own.__annotations__
    cls.__init__ = timed


def run_python(*arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds of ``python ARGUMENTS``, and what it gave."""
    started = time.time()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"python {' '.join(arguments)}: {done.stderr.strip()}")
    return time.time() - started, done


def quickest_stages(run: Path, images: Sequence[str]) -> dict[str, float]:
    """The stages of the process that was done first, its end included."""
    found = []
    for _ in range(PREDICTIONS):
        asked = ["--stages", repr(time.time()), str(run)]
        whole, done = run_python(__file__, *asked, *_flags(images))
        seconds = json.loads(done.stdout.splitlines()[-1])
        found.append(seconds | {"shut down": whole - sum(seconds.values())})
    return min(found, key=lambda seconds: sum(seconds.values()))


def imports(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Own import time of each package's modules, the longest first."""
    _, done = run_python("-X", "importtime", "-m", "mmseq", *arguments)
    seconds: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for own, module in IMPORT.findall(done.stderr):
        package = module.partition(".")[0]
        seconds[package] += int(own) / 1e6
        modules[package] += 1
    whole = sum(seconds.values())
    return [
        {"package": name, "modules": modules[name], "seconds": s, "share, %": 100 * s / whole}
        for name, s in seconds.most_common(SHOWN)
    ]


def small_run(folder: Path) -> tuple[Path, list[str]]:
    """A run as small as the command line trains one, and a picture."""
    from generated import draw_pictures, write

    data = folder / "data"
    data.mkdir()
    draw_pictures(data / "images", 1)
    write(data / "train.jsonl", 8, 1, pictures=1)
    chosen = ["--fusion", "cross-transformer", "--aux", "none", "--set", "train.epochs=1"]
    run_python("-m", "mmseq", "train", str(data), *chosen, "--output", str(folder / "run"))
    return folder / "run", [str(data / "images" / "0.png")]


def _flags(images: Sequence[str]) -> list[str]:
    return [part for image in images for part in ("--image", image)]


def main() -> None:
    """Print tables; write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--image", action="append", default=[], metavar="FILE")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--stages", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stages:
        print(json.dumps(stages_of(options.run, options.image, options.stages)))
        return
    from interleaved import tell

    starts = []
    for command, limit in QUICK.items():
        seconds = [run_python("-m", "mmseq", command)[0] for _ in range(TIMES)]
        row = {"command": f"mmseq {command}", "best": min(seconds), "worst": max(seconds)}
        starts.append(row | {"wanted": limit})
    tell(starts, f"Seconds to start, of {TIMES}", None)
    with tempfile.TemporaryDirectory() as folder:
        run, images = options.run, options.image
        if run is None:
            run, images = small_run(Path(folder))
        arguments = ["predict", str(run), "--text", TEXT, *_flags(images)]
        totals = [run_python("-m", "mmseq", *arguments)[0] for _ in range(PREDICTIONS)]
        seconds = quickest_stages(run, images)
        packages = imports(arguments)
    whole = sum(seconds.values())
    stages = [
        {"stage": name, "seconds": value, "share, %": 100 * value / whole}
        for name, value in seconds.items()
    ]
    predict = {"best": min(totals), "worst": max(totals), "stages add up to": whole}
    tell([predict], f"Seconds of mmseq predict --text, of {PREDICTIONS}", None)
    tell(stages, "Where they go", None)
    tell(packages, "Imports (python -X importtime)", None)
    if options.json:
        found = {"starts": starts, "predict": predict, "stages": stages, "imports": packages}
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
