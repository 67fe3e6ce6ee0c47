"""The contracts are typed: a type checker catches what a plugin gives wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PLUGIN = """
from collections.abc import Iterator, Mapping
from pathlib import Path

import mmseq
from torch import Tensor, nn


class Right(mmseq.Fusion):
    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.project, self.width = nn.Linear(sizes.image, sizes.text), sizes.text

    def forward(self, text: mmseq.TextStates, images: mmseq.ImageStates | None) -> mmseq.Fused:
        assert images is not None
        picture = self.project(images.pooled) * images.present[:, None]
        return mmseq.Fused(text.words + picture[:, None])


class Bare(Right):
    def forward(self, text: mmseq.TextStates, images: mmseq.ImageStates | None) -> Tensor:  # wrong
        return text.words


class NeverNone(Right):
    def forward(self, text: mmseq.TextStates, images: mmseq.ImageStates) -> mmseq.Fused:  # wrong
        return mmseq.Fused(text.words)


class Loss(mmseq.AuxTask):
    def count(self, targets: mmseq.Targets) -> float:  # wrong
        return 0.5

    def forward(
        self, views: Mapping[str, Tensor], targets: mmseq.Targets, emissions: Tensor
    ) -> mmseq.AuxOutput:
        return mmseq.AuxOutput(views["fused"])  # (a number of the wrong shape is the checks' part)


class Lines(mmseq.Reader):
    suffixes = (".tab",)

    def read(self, path: Path) -> Iterator[mmseq.Example]:
        yield mmseq.Example(["a"])  # wrong
        yield ("a",)  # wrong


class Stops(mmseq.Callback):
    def on_epoch(self, event: mmseq.EpochEvent) -> bool:  # wrong
        return event.valid is None


class Sum(mmseq.Weighting):
    def forward(
        self, losses: Mapping[str, Tensor], shared: Tensor, progress: float
    ) -> mmseq.Weighted:
        return mmseq.weighted_sum(losses, 1.0)  # wrong


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    add.fusion("right", Right)
    add.fusoin("right", Right)  # wrong
    add.decoder("right", 3)  # wrong


tagger = mmseq.load("run")
for sentence in tagger.predict(["a"]):
    print(sentence.spans[0].text.upper(), sentence.spams)  # wrong
"""


@pytest.mark.ci
def test_mypy_finds_every_wrong_line_of_a_plugin_and_no_other(tmp_path):
    path = tmp_path / "mmseq_wrong.py"
    path.write_text(PLUGIN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(line) for line in re.findall(r"mmseq_wrong\.py:(\d+): error", done.stdout)}
    lines = PLUGIN.split("\n")
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) == 10
    assert found == wrong, done.stdout


def test_the_package_says_that_it_is_typed():
    import mmseq

    assert (Path(mmseq.__file__).parent / "py.typed").is_file()
