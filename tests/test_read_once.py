"""In one process each picture file is read once: counted by Python's own audit events."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter

SPLITS = {"train": 12, "valid": 4, "test": 4}
QUIET = Reporter(quiet=True)
_watched: list[tuple[str, Counter]] = []


def _note(event, arguments):
    if event == "open" and _watched:
        folder, opened = _watched[-1]
        path = str(arguments[0])
        if path.startswith(folder):
            opened[Path(path).name] += 1


sys.addaudithook(_note)  # for good: it does nothing while no folder is watched


@pytest.fixture
def data(tmp_path):
    """A data folder with 20 sentences, each with a picture of its own."""
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for split, size in SPLITS.items():
        names = [f"{split}-{i}.png" for i in range(size)]
        for name in names:
            noise = draw.integers(0, 255, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(images / name)
        lines = [
            json.dumps({"tokens": ["Lima", "!"], "tags": ["B-LOC", "O"], "images": [name]})
            for name in names
        ]
        (images.parent / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return images.parent


@pytest.fixture
def opened(data):
    """`opened()`: how often each picture has been opened since it was last asked."""
    counts = Counter()
    _watched.append((str(data / "images"), counts))

    def since():
        found = dict(counts)
        counts.clear()
        return found

    yield since
    _watched.pop()


@pytest.fixture
def config(data, tmp_path, tiny_encoder):
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_resnet", "weights": "random"},
            "fusion": {"name": "gate"},
        },
        settings={
            "data.path": str(data),
            "data.features": str(tmp_path / "store"),
            "train.device": "cpu",
            "train.epochs": 1,
        },
    )


def test_a_run_and_an_evaluation_open_each_picture_once(config, opened, tmp_path, run_cli):
    every = {f"{split}-{i}.png": 1 for split, size in SPLITS.items() for i in range(size)}
    assert len(every) == 20
    first = mmseq.train(config, output=tmp_path / "first", reporter=QUIET)
    assert opened() == every
    second = mmseq.train(config, output=tmp_path / "second", reporter=QUIET)
    assert opened() == every
    facts = [json.loads((run / "metrics.json").read_text())["data"] for run in (first, second)]
    assert facts[0] == facts[1]
    result = run_cli("evaluate", first, "--json")
    assert opened() == {f"test-{i}.png": 1 for i in range(4)}
    checksum = json.loads(result.out)["data"]["images_sha256"]
    assert checksum == facts[0]["test"]["images_sha256"]
