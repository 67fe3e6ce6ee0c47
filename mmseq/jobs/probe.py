"""What a run would take: seconds, disk and memory, from a few timed steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.errors import UserError
from mmseq.model.collate import PictureSource
from mmseq.model.order import epoch_steps, lengths_of
from mmseq.model.prediction import predict
from mmseq.pictures.fixed import FixedPictures
from mmseq.pictures.ready import pictures_to_compute, ready_pictures
from mmseq.training.optimiser import build_optimiser
from mmseq.training.pictures import PictureLearning, picture_learning
from mmseq.training.rounds import rounds_of
from mmseq.training.setup import Setup, assemble
from mmseq.training.step import Stepper

STEPS = 4
"""Steps chosen, of which the first, which warms caches up, is not counted"""


@dataclass(frozen=True)
class Estimate:
    """Of one run."""

    seconds: float
    """Pictures (those not in the feature store), what the image encoder learns from them by itself,
    training and evaluation
    """
    disk: int
    """Bytes of its run folder when finished with its weights"""
    peak_disk: int
    """Bytes while it trains: checkpoint and best weights"""
    memory: int
    """Bytes: largest resident set, or memory of the GPU, so far"""
    device: str


def probe(tables: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """An `Estimate` as JSON; or, under ``error``, what would stop the run at its start.

    Nothing is kept: features of the pictures tried go nowhere.
    """
    torch.set_num_threads(threads)
    quiet = Reporter(quiet=True)
    try:
        with TemporaryDirectory() as place:
            setup = assemble(Config(tables), Path(place) / "run", quiet)
            return asdict(estimate(setup))
    except UserError as error:
        return {"error": str(error)}


def estimate(setup: Setup) -> Estimate:
    """What the run would take. Its weights are other ones afterwards."""
    quiet = Reporter(quiet=True)
    model, settings, device = setup.model, setup.config.train, setup.accelerator.device
    model.to(device)
    examples = setup.splits["train"].examples
    texts = model.collator(None)
    steps = epoch_steps(lengths_of(texts.prepared(examples)), settings, 0, 0, 1)
    # Batches are alike in length, so a few neighbours would not be like the rest.
    chosen = [steps[i * len(steps) // STEPS] for i in range(min(STEPS, len(steps)))]
    numbers = sorted({i for step in chosen for batch in step for i in batch})
    tried = [examples[i] for i in numbers]
    picture_seconds = 0.0
    pictures = None
    if model.image_encoder is not None:
        own = setup.config.data.model_copy(update={"features": "off"})
        started = time.perf_counter()
        pictures = ready_pictures([tried], model.image_encoder, own, device=device, reporter=quiet)
        each = (time.perf_counter() - started) / max(1, pictures.new)
        every = (e for split in setup.splits.values() for e in split.examples)
        missing = pictures_to_compute(
            every, model.image_encoder, setup.config.data, dict(pictures.contents)
        )
        picture_seconds = each * missing
        setup.pictures = pictures
    learning = picture_learning(setup)
    source: PictureSource | None = pictures
    learning_seconds = 0.0
    if learning:
        learning_seconds, source = _learning_seconds(setup, learning, tried)
    collator = model.collator(source)
    prepared = {i: collator.prepare(examples[i], training=True) for i in numbers}
    optimiser = build_optimiser(model, settings)
    for group in optimiser.param_groups:
        # It takes as long, and a rate that is far too high makes no weight infinite.
        group["lr"] = 0.0
    stepper = Stepper(
        model, optimiser, setup.accelerator, settings.gradient_clip, settings.adversarial
    )
    # Centres and the like are not measured yet: a task that prepares is timed as if it were absent.
    ready = [name for name in model.tasks if not model.task(name).preparation]
    model.train()

    def timed(step: Sequence[Sequence[int]]) -> float:
        started = time.perf_counter()
        batches = [collator.batch([prepared[i] for i in batch]).to(device) for batch in step]
        stepper.step(batches, ready, 0.0)
        return time.perf_counter() - started

    first = timed(chosen[0])
    # Each twice: where something else held the machine up, the other time is the step's own.
    counted = [min(timed(step), timed(step)) for step in chosen[1:]] or [first]
    started = time.perf_counter()
    sentences = list(prepared.values())
    predict(model, collator, sentences, device=device, span_scores=True)
    each_sentence = (time.perf_counter() - started) / len(sentences)
    picture_seconds += learning_seconds
    rounds = rounds_of(settings, len(examples))
    evaluated = len(rounds.ends) * _size(setup, "valid") + _size(setup, "test")
    seconds = (
        picture_seconds + rounds.total * sum(counted) / len(counted) + evaluated * each_sentence
    )
    weights = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    moments = sum(
        value.numel() * value.element_size()
        for state in optimiser.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
    text = sum(split.path.stat().st_size for split in setup.splits.values())
    # At the end of an epoch the old checkpoint, the new one and the best weights are all there.
    peak = 2 * (weights + moments) + weights + text
    return Estimate(seconds, weights + text, peak, _peak_memory(device), str(device))


def _learning_seconds(
    setup: Setup, learning: PictureLearning, tried: Sequence[Example]
) -> tuple[float, FixedPictures]:
    """Of the phase in which the image encoder learns, and of encoding its pictures afterwards; and
    those of the sentences `tried`, encoded.
    """
    paths = {path for example in setup.splits["train"].examples for path in example.images}
    seconds, fixed = learning.seconds(len(paths)), learning.fixed()
    own = [path for path in {p for e in tried for p in e.images} if fixed.has(path)]
    started = time.perf_counter()
    for path in own:
        fixed.rows([path])
    return seconds + (time.perf_counter() - started) * len(paths) / max(1, len(own)), fixed


def _size(setup: Setup, split: str) -> int:
    return len(setup.splits[split].examples) if split in setup.splits else 0


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
