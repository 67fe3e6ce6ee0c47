"""What `growth.py` measures: one training step over generated sentences, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generated import draw_pictures, write

from mmseq import Config
from mmseq.config.config import DataConfig
from mmseq.console import Reporter
from mmseq.data.source import load_data
from mmseq.model.assembly import build_model
from mmseq.model.collate import Collator
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run

TASKS = ("contrastive", "cluster", "boundary")
MULTIMODAL = {"fusion.name": "cross-transformer"}
"""The model that the sample is trained with; encoders are the packaged ones"""
STEPS = 10_000


@dataclass(frozen=True)
class Shape:
    """Generated data."""

    sentences: int = 8
    words: tuple[int, int] = (16, 16)
    """Of a sentence, from and to"""
    types: int = 4
    pictures: int = 1
    """Of each sentence"""
    batch: int = 8

    def make(self, folder: Path) -> Path:
        """The data folder, with a file `train` alone."""
        folder.mkdir(parents=True)
        draw_pictures(folder / "images", self.pictures)
        types = [f"TYPE{number}" for number in range(self.types)]
        path = folder / "train.jsonl"
        write(path, self.sentences, 1, words=self.words, types=types, pictures=self.pictures)
        return folder


@dataclass(frozen=True)
class Axis:
    """What grows, and how data of a size look."""

    name: str
    sizes: tuple[int, ...]
    shape: Callable[[int], Shape]
    of_step: bool = True
    """The work is a training step; else reading and preparing all sentences"""


STEP = Shape()
AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "sentences",
            (1000, 2000, 4000, 8000, 16000),
            lambda n: Shape(sentences=n, words=(5, 30), pictures=0),
            of_step=False,
        ),
        # All within one window of the encoder, of some three sub-words a word. Longer sentences are
        # read in windows of one length, each half over the next, so that their time is linear.
        Axis(
            "words a sentence",
            (8, 16, 32, 64, 128),
            lambda n: replace(STEP, sentences=4, batch=4, words=(n, n)),
        ),
        # Enough sentences that every type is among their names.
        Axis("tags", (5, 9, 17, 33, 65, 129), lambda n: replace(STEP, sentences=96, types=n // 2)),
        Axis("pictures a sentence", (1, 2, 4, 8, 16), lambda n: replace(STEP, pictures=n)),
    )
}


def work_of(axis: Axis, size: int, folder: Path) -> Callable[[], object]:
    """What is timed at that size; everything around it is done now, in a new `folder`."""
    data = axis.shape(size).make(folder / "data")
    if axis.of_step:
        return training_step(data, folder / "run", axis.shape(size).batch, MULTIMODAL, TASKS)
    return reading(data)


def reading(data: Path) -> Callable[[], object]:
    """Reading the file, checking it, and preparing every sentence for the packaged encoder."""
    config = Config.from_layers(flags={"fusion": {"name": "none"}}, aux=[])
    model, _ = build_model(config, ["O"])
    settings = DataConfig(path=str(data), cache="off")

    def work() -> object:
        split = load_data(settings, ["train"])["train"]
        labels = sorted({tag for example in split.examples for tag in example.tags or ()})
        return split, Collator(model.text_encoder, labels, None).prepared(split.examples)

    return work


def training_step(
    data: Path, run: Path, batch: int, settings: dict[str, object], tasks: Sequence[str]
) -> Callable[[], object]:
    """A whole optimiser step over the first batch, from prepared sentences on, with all tasks."""
    fixed = {"data.path": str(data), "train.device": "cpu", "train.batch_size": batch}
    config = Config.from_layers(
        aux=tasks, settings={**fixed, "train.epochs": STEPS, "train.warmup": 0.0, **settings}
    )
    trainer = Trainer(new_run(config, run, Reporter(quiet=True)))
    trainer._begin()
    if trainer.preparing:
        trainer._finish_preparation()
    trainer.model.train()
    batches, group = trainer.batches, trainer.batches.order(0)[0]
    return lambda: trainer._train_step([batches.batch(indexes) for indexes in group])
