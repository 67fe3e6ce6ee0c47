"""The assembled model: encoders, fusion, head, tasks, decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.fusion import Fusion
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.states import Targets
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.model import calls
from mmseq.model.batch import Batch
from mmseq.model.collate import Collator, PictureSource
from mmseq.model.fields import fields_read
from mmseq.model.partial import allowed_tags


@dataclass(frozen=True)
class Output:
    """A forward pass: loss sums by name, emissions, and the states that all losses share."""

    losses: Mapping[str, Tensor]
    emissions: Tensor
    """What the decoder reads: emissions as refined, or the fused states"""
    shared: Tensor


def head_of(decoder: Decoder, width: int, labels: int) -> nn.Module:
    """(B, W, F) to what the decoder reads."""
    return nn.Linear(width, labels) if decoder.reads == "emissions" else nn.Identity()


class Model(nn.Module):
    """One tagger put together from components; knows none of them by name."""

    def __init__(
        self,
        labels: Sequence[str],
        text_encoder: TextEncoder,
        image_encoder: ImageEncoder | None,
        fusion: Fusion,
        tasks: Mapping[str, AuxTask],
        decoder: Decoder,
        weighting: Weighting,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        """`titles`: what messages call a component, by its place: ``fusion``, ``aux.NAME`` …"""
        super().__init__()
        self.labels = tuple(labels)
        self._titles = dict(titles or {})
        self.watched = False
        """Also look for NaN in what each component gives"""
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.fusion = fusion
        self.head = head_of(decoder, fusion.width, len(labels))
        self.tasks = nn.ModuleDict(tasks)
        self.decoder = decoder
        self.weighting = weighting
        encoders = {
            self._titles.get("text_encoder", "text encoder"): text_encoder.extras,
            self.title("fusion"): fusion.extras,
        }
        self.extras = fields_read(encoders, {self.title(f"aux.{n}"): t for n, t in tasks.items()})
        """Fields of an example that components read"""

    def task(self, name: str) -> AuxTask:
        """The auxiliary task of that name."""
        task = self.tasks[name]
        assert isinstance(task, AuxTask)
        return task

    @property
    def preparation(self) -> int:
        """Epochs of main-task training that the tasks ask for."""
        return max([0, *(self.task(name).preparation for name in self.tasks)])

    def views(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Every view by name, and the text encoder's states."""
        images = None
        if self.image_encoder is not None:
            images = calls.pictures(self.title("image_encoder"), self.image_encoder, batch)
        text = calls.encode_text(
            self.title("text_encoder"), self.text_encoder, batch.text, images, self.numbers
        )
        fused = calls.fuse(self.title("fusion"), self.fusion, text, images, self.numbers)
        pooled = {} if images is None else {"picture": images.pooled}
        own = {"words": text.words, "fused": fused.states}
        return {**pooled, **fused.sentence_views, **text.parts, **fused.views, **own}, text.words

    @property
    def numbers(self) -> calls.Numbers:
        """What the numbers are held to that its components give."""
        # Without a head, of the decoder, which then has what weights it would have.
        own = (*self.head.parameters(), *self.decoder.parameters())
        dtype = own[0].dtype if own else torch.get_default_dtype()
        return calls.Numbers(dtype, finite=self.watched)

    def title(self, place: str) -> str:
        """What messages call a component, by its place: ``fusion``, ``aux.NAME`` …"""
        return self._titles.get(place, place)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Output:
        """Losses of the main task and of `tasks`; in prediction (no tags) emissions only.

        A task that refines does so in the order of the config, and the main loss is taken of the
        refined emissions. Beside a decoder that reads the fused states, emissions are 0.
        """
        views, shared = self.views(batch)
        emissions = self.head(views["fused"])
        losses: dict[str, Tensor] = {}
        targets, tags = batch.targets, batch.targets.tags
        fused = emissions if self.decoder.reads == "fused" else None
        if fused is not None:
            emissions = fused.new_zeros(*targets.mask.shape, len(self.labels))
        for name in tasks:
            task, title = self.task(name), self.title(f"aux.{name}")
            if tags is not None or task.refines:
                output = calls.task(title, task, views, targets, emissions, self.numbers)
                losses[name] = output.loss
                emissions = emissions if output.emissions is None else output.emissions
        emissions = emissions if fused is None else fused
        if tags is None:
            return Output({}, emissions, shared)
        main = self._main_loss(emissions, targets, tags)
        return Output({"main": main, **losses}, emissions, shared)

    def _main_loss(self, emissions: Tensor, targets: Targets, tags: Tensor) -> Tensor:
        known, allowed = targets.known, None
        if known is not None:
            allowed = allowed_tags(tags, known, len(self.labels))
        title, mask = self.title("decoder"), targets.mask
        return calls.loss(title, self.decoder, emissions, tags, mask, self.numbers, allowed)

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tags: (B, W) long, labels at every real word."""
        labels = len(self.labels)
        return calls.decode(self.title("decoder"), self.decoder, emissions, mask, labels)

    def weigh(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        """The mean losses of a micro-batch as one, with a weight for each."""
        title = self.title("weighting")
        return calls.weigh(title, self.weighting, losses, shared, progress, self.numbers)

    def collator(self, pictures: PictureSource | None) -> Collator:
        """What makes batches for it; without `pictures`, of the words alone."""
        title = self.title("text_encoder")
        return Collator(self.text_encoder, self.labels, pictures, self.extras, title)

    def counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, int]:
        """Number of items of each loss in the batch."""
        counts = {"main": calls.count(self.title("decoder"), self.decoder, batch.targets)}
        for name in tasks:
            counts[name] = calls.count(self.title(f"aux.{name}"), self.task(name), batch.targets)
        return counts
