"""Shared by all tests: a tiny random encoder, tiny data, the command line, throwaway plugins."""

import hashlib
import importlib
import json
import os
import random
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from once import once
from PIL import Image

# The models are tiny: threads would only wait for each other. Before torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from mmseq.__main__ import run  # noqa: E402
from mmseq.console import Reporter
from mmseq.registry.plugins import ENGINE, Plugins, load_plugins

KEPT = Path(__file__).parent / "support" / "plugins"
PERSONS = ["Anna Kowalski", "Jordan", "Omar Said", "Li Wei", "Chelsea", "Rosa Parks"]
PLACES = ["Oslo", "New York", "Jordan", "Lima", "Chelsea", "Cape Town"]
SENTENCES = ["{P} was seen in {L} today", "great evening in {L} !", "{P} and friends", "so tired"]


def pytest_collection_modifyitems(items):
    """Files that start processes go first: they take longest, and none is left for the end."""
    slow = {item.path for item in items if item.get_closest_marker("process")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Several workers (`-n 2`) share the files out, in their order: the tests of a file have its
    runs in common.
    """
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder of this session that all its workers share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_environment(shared):
    """No test writes to the user's cache, or depends on how the user loads plugins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MMSEQ_LOAD_PLUGINS", raising=False)
        patch.delenv("MMSEQ_STRICT_PLUGINS", raising=False)
        patch.setenv("MMSEQ_CACHE", str(shared / "cache"))
        yield


@pytest.fixture(scope="session")
def tiny_encoder(shared):
    """Folder of a random BERT: 32 wide, 2 layers, a vocabulary of characters, safetensors."""
    from mmseq.testing import tiny_bert

    return once(shared / "tiny-bert", lambda folder: shutil.copytree(tiny_bert(), folder))


@pytest.fixture(scope="session")
def tiny_data(shared):
    """Folder with train, valid and test.jsonl of 24, 8 and 8 short sentences, PER and LOC.

    Of every four sentences one has no picture and one (the first) has two, all in images/.
    Tests that change it copy it first.
    """
    return once(shared / "tiny-data", _write_tiny_data)


def _write_tiny_data(folder):
    (folder / "images").mkdir(parents=True)
    draw = random.Random(0)
    for split, size in (("train", 24), ("valid", 8), ("test", 8)):
        lines = [json.dumps(_sentence(folder, f"{split}-{i}", i, draw)) for i in range(size)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sentence(folder, name, index, draw):
    tokens, tags = [], []
    for word in SENTENCES[draw.randrange(3) if index % 8 else 0].split():
        names = {"{P}": ("PER", PERSONS), "{L}": ("LOC", PLACES)}.get(word)
        found = draw.choice(names[1]).split() if names else [word]
        tokens += found
        tags += [f"{'I' if i else 'B'}-{names[0]}" if names else "O" for i in range(len(found))]
    images = [f"{name}-{i}.png" for i in range((2, 1, 1, 0)[index % 4])]
    for image in images:
        colour = tuple(draw.randrange(256) for _ in range(3))
        Image.new("RGB", (40, 32), colour).save(folder / "images" / image)
    return {"id": name, "tokens": tokens, "tags": tags, "images": images}


@pytest.fixture(scope="session")
def run_once(shared):
    """`run_once(config)`: folder of that config's run, made once a session and only to be read."""

    def run(config):
        import mmseq

        settings = json.dumps(config.tables(), sort_keys=True)
        name = hashlib.sha256(settings.encode()).hexdigest()[:16]
        quiet = Reporter(quiet=True)
        return once(
            shared / "runs" / name,
            lambda folder: mmseq.train(config, output=folder, reporter=quiet),
        )

    return run


@dataclass(frozen=True)
class Result:
    """What a command line gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def run_cli(capsys):
    """`run_cli("list", "fusion")`: the command line in this process, its output captured."""

    def call(*arguments, debug=False):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments], debug=debug)
        return Result(code, *capsys.readouterr())

    return call


class Site:
    """A folder with distributions, installed for one test."""

    def __init__(self, folder):
        self.folder = folder

    def add(
        self, name, source, *, version="1.0", distribution=None, module=None, requires=(), **files
    ):
        """Install `distribution` (mmseq-NAME) with entry point NAME: a package whose __init__ is
        `source` and whose further modules are `files`. `requires`: lines of its metadata.
        """
        distribution = distribution or f"mmseq-{name}"
        package = self.folder / (module or distribution.replace("-", "_"))
        package.mkdir()
        for stem, text in {"__init__": source, **files}.items():
            (package / f"{stem}.py").write_text(text, encoding="utf-8")
        self.describe(distribution, version, {name: package.name}, requires)
        return package

    def add_kept(self, name):
        """Install the package mmseq_NAME of tests/support/plugins."""
        package = f"mmseq_{name}"
        shutil.copytree(KEPT / package, self.folder / package)
        self.describe(f"mmseq-{name}", "1.0", {name: package})

    def describe(self, distribution, version, points, requires=()):
        """Make modules in the folder those of an installed distribution. `points`: its entry
        points, name to module.
        """
        facts = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            + "".join(f"Requires-Dist: {line}\n" for line in requires)
        )
        lines = [f"{name} = {module}\n" for name, module in points.items()]
        (facts / "entry_points.txt").write_text("[mmseq]\n" + "".join(lines))
        importlib.invalidate_caches()

    def load(self, *, strict=False):
        """The engine and this folder's plugins, without the installed ones."""
        found = metadata.distributions(path=[str(self.folder)])
        points = [p for d in found for p in d.entry_points if p.group == "mmseq"]
        return Plugins([ENGINE, *sorted(points, key=lambda p: p.name)], strict=strict)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Throwaway distributions that this process finds: `site.add("film", source)`.

    `site.load()` loads them alone; `run_cli` finds them beside the installed plugins.
    """
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    load_plugins.cache_clear()
    yield Site(folder)
    load_plugins.cache_clear()
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def echoes(site):
    """Folder of a plugin: tasks with known gradients (echo, mirror, apart), and long."""
    site.add_kept("echo")
    return site.folder


@pytest.fixture
def echo_config(tiny_encoder, tiny_data, echoes):
    """A text-only run of 4 epochs with 6 steps each and those tasks, at most a second."""

    def make(aux=("echo", "mirror", "apart"), weighting="fixed", **settings):
        from mmseq.config.config import Config

        return Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
                "decoder": {"name": "softmax"},
                "weighting": {"name": weighting},
            },
            aux=list(aux),
            settings={
                "data.path": str(tiny_data),
                "train.device": "cpu",
                "train.epochs": 4,
                "train.batch_size": 4,
                **settings,
            },
        )

    return make


@pytest.fixture
def make_result():
    """`make_result("a", 1, f1=80.0)`: a finished run's line, any field changed by name."""
    from mmseq.bench.results import Result

    def make(system, seed, *, f1=80.0, precision=None, recall=None, sha256="a" * 64, gold=4, **own):
        three = {
            "precision": f1 if precision is None else precision,
            "recall": f1 if recall is None else recall,
            "f1": f1,
        }
        scores = {
            **three,
            "gold": gold,
            "predicted": gold,
            "sentences": 4,
            "strict": {**three, "f1": f1 - 1, "gold": gold - 1, "predicted": gold},
            "per_type": {
                "LOC": {**three, "f1": f1 + 2, "support": 1},
                "PER": {**three, "f1": f1 - 2, "support": 3},
            },
        }
        fields = {
            "key": f"{system} {seed} {sha256} {own}",
            "system": system,
            "preset": system,
            "data": "tweets",
            "seed": seed,
            "settings": {},
            "config": {
                "data": {"path": "/here/tweets", "image_folder": "", "features": "auto"},
                "train": {"seed": seed, "epochs": 2},
            },
            "splits": {
                name: {"sha256": checksum, "images_sha256": "", "sentences": 4, "entities": gold}
                for name, checksum in (("train", "e" * 64), ("valid", "f" * 64), ("test", sha256))
            },
            "versions": {"python": "3.11.7", "torch": "2.6.0"},
            "scores": {"valid": scores, "test": scores},
            "counts": {
                name: {"correct": [1, 1, 1, 0], "predicted": [1] * 4, "gold": [1] * 4}
                for name in ("valid", "test")
            },
            "curve": [
                {"epoch": epoch, "losses": {"main": 1.0}, "valid_f1": f1 - 2 + epoch}
                for epoch in (1, 2)
            ],
            "best_epoch": 2,
            "seconds": {"pictures": 0.0, "training": 60.0, "evaluation": 1.0, "all": 70.0},
            "parameters": {"all": 22_700_000, "trained": 1500},
            "threads": 1,
            "finished": "2026-01-01T00:00:00+00:00",
        }
        return Result(**{**fields, **own})

    return make


@pytest.fixture(scope="module")
def text_run(tiny_encoder, tiny_data, run_once):
    """The folder of a run on text alone, only to be read."""
    from mmseq.config.config import Config

    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "fusion": {"name": "none"},
            "data": {"path": str(tiny_data)},
            "train": {"epochs": 1},
        }
    )
    return run_once(config)


@pytest.fixture(scope="module")
def pictured_run(tiny_encoder, tiny_data, run_once):
    """The folder of a run with pictures, only to be read."""
    from mmseq.config.config import Config

    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
        },
        settings={"data.path": str(tiny_data), "train.epochs": 1, "train.device": "cpu"},
    )
    return run_once(config)
