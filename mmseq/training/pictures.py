"""Before the main task: the image encoder learns by itself to name what a picture stands for.

A picture that several sentences share says one thing, and a few hundred pictures may stand behind
thousands of sentences. Learned from the sentences, they are known by heart before the rest has
learned to use them. So the trained part of the image encoder first learns from each distinct
picture, once an epoch, which types the entities of its sentences have, and stays as it is from then
on: the main task begins with pictures that can be read.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.data.names import ambiguous_names
from mmseq.data.splits import types_of
from mmseq.layers.probe import linear_probe
from mmseq.pictures.fixed import FixedPictures
from mmseq.pictures.table import FeatureTable
from mmseq.pictures.types import TypedPictures, typed_pictures, vectors_of
from mmseq.processes import (
    all_sum,
    any_of_all,
    from_all,
    process_count,
    process_index,
    sum_gradients,
)
from mmseq.runs.leftovers import LAST
from mmseq.training import messages
from mmseq.training.checkpoint import Checkpoints, Generators
from mmseq.training.optimiser import factors_of, grouped, schedule, set_rates
from mmseq.training.progress import SavedPictures
from mmseq.training.setup import Setup

BATCH = 16
HEAD_RATE = 1e-3
DECAY = 0.05
WARMUP = 0.1
SMOOTHING = 0.1
TRIED = 3
"""Steps for an estimate, of which the first, which warms caches up, is not counted"""


@dataclass(frozen=True)
class Named:
    """How many validation pictures, of those whose sentences have entities, are named rightly."""

    pictures: int
    before: int
    """By a linear classifier on the image encoder as it was"""
    after: int
    """By the encoder that has learned"""

    @property
    def learned(self) -> bool:
        """It names no fewer: what it has learned is kept, for a fusion reads it more easily than a
        classifier that is fitted to it.
        """
        return self.after >= self.before

    def line(self) -> str:
        """For the user."""
        after, before = (100 * number / self.pictures for number in (self.after, self.before))
        kept = "" if self.learned else ": it stays as it was"
        return (
            f"The image encoder names {after:.1f} % of {self.pictures} validation pictures rightly;"
            f" as it was, {before:.1f} %{kept}."
        )


class Naming(nn.Module):
    """The image encoder with a linear layer over the pooled picture: a score for each type."""

    def __init__(self, encoder: ImageEncoder, types: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, types)

    def forward(self, rows: Mapping[str, Tensor]) -> Tensor:
        """(N, T) for what the encoder's `precompute` gave for N pictures."""
        scores: Tensor = self.head(self.encoder(rows).vector)
        return scores


def picture_learning(setup: Setup) -> PictureLearning | None:
    """The phase, where the image encoder asks for it and has something to learn. What it learns
    with is fixed from here on: nothing else trains it.
    """
    encoder = setup.model.image_encoder
    if encoder is None or not encoder.picture_epochs or setup.pictures is None:
        return None
    trained = [weight for weight in encoder.parameters() if weight.requires_grad]
    if not trained:
        return None
    learning = PictureLearning(setup, encoder, setup.pictures, trained)
    for weight in trained:
        weight.requires_grad_(False)
    return learning


class PictureLearning:
    """The phase: an epoch is a pass over the distinct training pictures."""

    def __init__(
        self,
        setup: Setup,
        encoder: ImageEncoder,
        pictures: FeatureTable,
        trained: Sequence[nn.Parameter],
    ) -> None:
        self.setup, self.encoder, self.pictures, self.trained = setup, encoder, pictures, trained
        self.accelerator, self.settings = setup.accelerator, setup.config.train
        types = types_of(setup.splits["train"])
        ambiguous = ambiguous_names(setup.splits["train"].examples)
        # None of the validation data where there are none.
        self.train, self.valid = (
            typed_pictures(
                setup.splits[name].examples if name in setup.splits else (),
                pictures,
                types,
                ambiguous,
            )
            for name in ("train", "valid")
        )
        # The same layer in every process; each may drop out other units later.
        set_seed(self.settings.seed)
        self.model = Naming(encoder, len(types)).to(self.accelerator.device)
        set_seed(self.settings.seed + process_index())
        self.optimiser = self._optimiser()
        self.stepping = self.accelerator.prepare(self.optimiser)
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]
        self.checkpoints = Checkpoints(setup.folder / LAST / "pictures", SavedPictures)

    def run(self, pressed: Callable[[], bool]) -> dict[str, int] | None:
        """From the start, or the last checkpoint, to the end; `Named` as JSON, None where nothing
        was learned or there is nothing to hold it against. `pressed`: the user wants to stop, asked
        after each step.
        """
        if not len(self.train) or self.train.counts.shape[1] < 2:
            return None
        before = {n: t.clone() for n, t in self.encoder.state_dict().items()}
        shares = self.train.shares.to(self.accelerator.device)
        probed = self._named(linear_probe(self._vectors(self.train), shares))
        with self._learning():
            self._learn(pressed)
        if not len(self.valid):
            self.setup.reporter.line(
                f"The image encoder has learned from {len(self.train)} pictures; none of the "
                "validation data tells how well."
            )
            return None
        found = Named(len(self.valid), probed, self._named(self.model.head))
        if not found.learned:
            self.encoder.load_state_dict(before)
        self.setup.reporter.line(found.line())
        return asdict(found)

    def seconds(self, pictures: int) -> float:
        """What the phase would take over as many distinct training pictures, by a few steps that
        are for nothing else: weights are other ones afterwards.
        """
        if not len(self.train):
            return 0.0
        times = []
        with self._learning():
            for number in range(TRIED):
                batch = [(number * BATCH + i) % len(self.train) for i in range(BATCH)]
                started = time.perf_counter()
                self._step(batch, 0, TRIED)
                times.append((time.perf_counter() - started) / BATCH)
        return self.encoder.picture_epochs * pictures * sum(times[1:]) / len(times[1:])

    def fixed(self) -> FixedPictures:
        """Pictures as the encoder gives them now."""
        return FixedPictures(self.pictures, self.encoder, self.accelerator.device)

    @contextmanager
    def _learning(self) -> Iterator[None]:
        """While inside, what trains of the encoder has a gradient."""
        for weight in self.trained:
            weight.requires_grad_(True)
        self.model.train()
        try:
            yield
        finally:
            for weight in self.trained:
                weight.requires_grad_(False)

    def _learn(self, pressed: Callable[[], bool]) -> None:
        each, reporter = math.ceil(len(self.train) / BATCH), self.setup.reporter
        first = 0
        if self.checkpoints.exists():
            first = self.checkpoints.load(self.model, self.optimiser)["epoch"]
        for epoch in range(first, self.encoder.picture_epochs):
            total = 0.0
            name = f"pictures {epoch + 1}/{self.encoder.picture_epochs}"
            order = np.random.default_rng([self.settings.seed, epoch, 2]).permutation(
                len(self.train)
            )
            with reporter.progress(name, each) as advance:
                for number in range(each):
                    batch = order[number * BATCH : (number + 1) * BATCH]
                    total += self._step(batch.tolist(), epoch * each + number, each)
                    advance(1, f"loss {total / (number + 1):.3f}")
                    if any_of_all(pressed(), self.accelerator.device):
                        raise messages.interrupted(f"picture epoch {epoch}", self.setup.folder)
            reporter.line(f"{name}  loss {total / each:.3f}")
            state = {"step": (epoch + 1) * each, "epoch": epoch + 1}
            generators = from_all(Generators.here())
            if self.accelerator.is_main_process:
                self.checkpoints.save(self.model, self.optimiser, state, generators)

    def _step(self, batch: Sequence[int], step: int, each: int) -> float:
        """One step; the mean loss over the batch, which the processes share."""
        factor = schedule(step, each * self.encoder.picture_epochs, WARMUP)
        set_rates(self.optimiser, self.base_rates, factor)
        device, own = self.accelerator.device, batch[process_index() :: process_count()]
        loss = torch.zeros((), device=device)
        if own:
            rows = self.pictures.rows_on(device, [self.train.paths[i] for i in own])
            with self.accelerator.autocast():
                scores = self.model(rows)
            shares = self.train.shares[list(own)].to(device)
            loss = cross_entropy(
                scores.float(), shares, label_smoothing=SMOOTHING, reduction="sum"
            ) / len(batch)
            self.accelerator.backward(loss)
        sum_gradients(self.model)
        limit = self.settings.gradient_clip or float("inf")
        self.accelerator.clip_grad_norm_(self.model.parameters(), limit)
        self.stepping.step()
        self.stepping.zero_grad(set_to_none=True)
        return all_sum(loss).item()

    def _named(self, head: Callable[[Tensor], Tensor]) -> int:
        """How many validation pictures the encoder as it is and `head` name rightly."""
        if not len(self.valid):
            return 0
        with torch.no_grad():
            return self.valid.named(head(self._vectors(self.valid)))

    def _vectors(self, pictures: TypedPictures) -> Tensor:
        return vectors_of(pictures, self.pictures, self.encoder, self.accelerator.device)

    def _optimiser(self) -> AdamW:
        """AdamW: the encoder at its own rate, times a parameter's factor where it gives one."""
        rate, factors = self.encoder.learning_rate, factors_of(self.encoder)
        return AdamW(
            [
                *grouped("image_encoder", self.trained, rate, DECAY, factors),
                *grouped("head", self.model.head.parameters(), HEAD_RATE, DECAY, {}),
            ],
            fused=True,
        )
