"""In one process each picture file is read once: counted by Python's own audit events."""

import hashlib
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.data.splits import load_folder
from mmseq.pictures.checksums import images_sha256
from mmseq.pictures.reading import read_once
from mmseq.runs.provenance import checksums_of

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


def test_what_is_made_of_a_file_is_of_the_bytes_that_were_hashed(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    for path, data in zip(paths, (b"one", b"two", b"one"), strict=False):
        path.write_bytes(data)
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))

    def change(data, path):
        path.write_bytes(b"other")
        return data

    found = list(read_once(paths, lambda sha: sha == two, change, ahead=1))
    assert [read.path for read in found] == paths
    assert [read.sha256 for read in found] == [one, two, one, None]
    assert [read.made for read in found[:3]] == [None, b"two", None]
    assert found[3].made.kind == "missing"


def test_a_checksum_is_of_what_was_read_first(data, opened):
    path = data / "images" / "test-0.png"
    examples = [Example(("a",), images=(path,)), Example(("b",), images=(path, path))]
    known = {}
    before = images_sha256(examples, known)
    assert opened() == {path.name: 1}
    path.write_bytes(b"another picture")
    assert images_sha256(examples, known) == before
    assert images_sha256(examples) != before


def test_splits_that_share_pictures_read_them_once(data, opened):
    splits = load_folder(data)
    shared = {name: replace(splits["valid"], name=name) for name in ("valid", "test")}
    found = checksums_of(shared)
    assert found["valid"] == found["test"]
    assert opened() == {f"valid-{i}.png": 1 for i in range(4)}
