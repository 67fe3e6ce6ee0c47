"""What is attacked: tiny data, a tiny run with its checkpoint and stores, results, plans, tables.

All of it is made by the commands themselves, in seconds, on a CPU and without a network.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

WORDS = ["Anna", "was", "in", "New", "York"]
TAGS = ["B-PER", "O", "O", "B-LOC", "I-LOC"]
CONFIG = """
[data]
path = "data"
features = "features"
cache = "cache"
[text_encoder]
model = "bert"
[image_encoder]
model = "test_resnet"
weights = "random"
train = "frozen"
picture_epochs = 0
[fusion]
name = "gate"
[train]
device = "cpu"
epochs = 2
batch_size = 4
learning_rate = 0.01
keep_last = true
"""
PLAN = """
data = ["data"]
seeds = "1"
[set]
"train.epochs" = 1
"train.keep_last" = false
[[systems]]
name = "tiny"
config = "config.toml"
"""
SPACE = """
trials = 2
[space]
"train.learning_rate" = { low = 1e-3, high = 1e-1, log = true }
"train.epochs" = [1, 2]
"""
PUBLISHED = """
[data.data]
title = "Data"
gold = { default = 4 }
[sources.lee]
citation = "Lee (2020), Journal."
url = "https://example.org/lee"
[[figures]]
system = "tiny"
data = "data"
source = "lee"
f1 = 79.5
precision = 80.0
recall = 79.0
"""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")


def settings() -> dict[str, str]:
    """The environment of every command: nothing of the user's, no network, plain text."""
    return {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "80",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }


def make(folder: Path) -> None:
    """Make the world in a new folder, which is the current one afterwards."""
    from mmseq.__main__ import run
    from mmseq.testing import tiny_bert

    folder.mkdir(parents=True)
    os.chdir(folder)
    os.environ.update(settings(), MMSEQ_CACHE=str(folder / "user-cache"))
    shutil.copytree(tiny_bert(), "bert")
    make_data()
    make_pictures()
    for name, text in (
        ("config.toml", CONFIG),
        ("plan.toml", PLAN),
        ("space.toml", SPACE),
        ("published.toml", PUBLISHED),
    ):
        Path(name).write_text(text, encoding="utf-8")
    many = Path("data/test.jsonl").read_text(encoding="utf-8") * 800
    Path("many.jsonl").write_text(many, encoding="utf-8")
    quiet = ["--quiet", "--config", "config.toml"]
    if code := run(["train", *quiet, "--output", "run"]):
        raise SystemExit(code)
    # An unfinished run: what is written last is not there.
    shutil.copytree("run", "unfinished")
    for name in ("metrics.json", "timing.json", "model.safetensors", "README.md"):
        (Path("unfinished") / name).unlink()
    shutil.rmtree("unfinished/predictions")
    _results()


def make_data() -> None:
    """Sentences with pictures in three splits, and files of words, in the current folder."""
    draw = Random(0)
    images = Path("data/images")
    images.mkdir(parents=True)
    for split, size in (("train", 8), ("valid", 4), ("test", 4)):
        records = []
        for number in range(size):
            name = f"{split}{number}.png"
            picture(draw).save(images / name)
            records.append(
                {"id": name[:-4], "tokens": WORDS, "tags": TAGS, "images": [name], "n": number}
            )
        lines = "".join(json.dumps(record) + "\n" for record in records)
        Path(f"data/{split}.jsonl").write_text(lines, encoding="utf-8")
    rows = "".join(f"{word}\tX\t{tag}\n" for word, tag in zip(WORDS, TAGS, strict=True))
    Path("words.conll").write_text(f"{rows}\n{rows}", encoding="utf-8")
    Path("words.txt").write_text(f"IMGID:train0\n{rows}\nIMGID:1\n{rows}", encoding="utf-8")
    Path("lines.txt").write_text("Anna was in New York\n\nLi, 東京 @x #y\n" * 3, encoding="utf-8")


def picture(draw: Random) -> Any:
    """A small picture of one colour."""
    from PIL import Image

    return Image.new("RGB", (20, 16), tuple(draw.randrange(256) for _ in range(3)))


def make_pictures() -> None:
    """A picture of each format."""
    Path("pictures").mkdir()
    draw = Random(1)
    for form in FORMATS:
        held = io.BytesIO()
        picture(draw).save(held, form)
        Path(f"pictures/a.{form.lower()}").write_bytes(held.getvalue())


def _results() -> None:
    """A line that a bench has written, and more of its kind: two systems, two seeds each."""
    from mmseq.__main__ import run

    with redirect_stdout(io.StringIO()):
        code = run(["bench", "plan.toml", "--output", "bench", "--quiet"])
    if code:
        raise SystemExit(code)
    shutil.rmtree("bench/runs", ignore_errors=True)
    (line,) = Path("bench/results.jsonl").read_text(encoding="utf-8").splitlines()
    made = []
    for system, rate in (("tiny", 0.01), ("other", 0.1)):
        for seed in (1, 2):
            record = json.loads(line) | {"system": system, "seed": seed, "key": f"{system} {seed}"}
            record["config"]["train"] |= {"learning_rate": rate, "seed": seed}
            made.append(json.dumps(record) + "\n")
    Path("results.jsonl").write_text("".join(made), encoding="utf-8")
