"""The assembled model: encoders, fusion, head, tasks, decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from mmseq.contracts.aux_task import AuxOutput, AuxTask
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.fusion import Fused, Fusion
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.states import ImageStates, Targets, TextStates
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.errors import ComponentError
from mmseq.model.batch import Batch, Collator, ExtraField, PictureSource
from mmseq.model.gathering import image_states
from mmseq.model.guard import (
    ReadViews,
    blamed,
    require,
    require_finite,
    require_graph,
    require_labels,
    require_number,
)


@dataclass(frozen=True)
class Output:
    """A forward pass: loss sums by name, emissions, and the states that all losses share."""

    losses: Mapping[str, Tensor]
    emissions: Tensor
    shared: Tensor


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
        self.head = nn.Linear(fusion.width, len(labels))
        self.tasks = nn.ModuleDict(tasks)
        self.decoder = decoder
        self.weighting = weighting

    def task(self, name: str) -> AuxTask:
        """The auxiliary task of that name."""
        task = self.tasks[name]
        assert isinstance(task, AuxTask)
        return task

    @property
    def extras(self) -> tuple[ExtraField, ...]:
        """Fields of an example that components read."""
        read = {
            self._titles.get("text_encoder", "text encoder"): self.text_encoder.extras,
            self._titles.get("fusion", "fusion"): self.fusion.extras,
        }
        return tuple(
            ExtraField(name, entries, reader)
            for reader, fields in read.items()
            for name, entries in fields.items()
        )

    @property
    def preparation(self) -> int:
        """Epochs of main-task training that the tasks ask for."""
        return max([0, *(self.task(name).preparation for name in self.tasks)])

    def views(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Every view by name, and the text encoder's states."""
        images = None
        if self.image_encoder is not None:
            with blamed(self.title("image_encoder"), precomputed=batch.pictures):
                images = image_states(batch, self.image_encoder)
        text = self._text(batch, images)
        fused = self._fused(text, images)
        views = {**text.parts, **fused.views, "words": text.words, "fused": fused.states}
        return views, text.words

    def _text(self, batch: Batch, images: ImageStates | None) -> TextStates:
        title, encoder = self.title("text_encoder"), self.text_encoder
        with blamed(title, inputs=batch.text, images=images):
            text: TextStates = encoder(batch.text, images)
        size = tuple(batch.text.mask.shape)
        require(title, "what forward gives", text, TextStates)
        self._vectors(title, "words", text.words, (*size, encoder.width))
        for name, width in encoder.parts.items():
            self._vectors(title, f"part '{name}'", text.parts.get(name), (*size, width))
        return replace(text, extras=batch.text.extras)

    def _fused(self, text: TextStates, images: ImageStates | None) -> Fused:
        title, fusion = self.title("fusion"), self.fusion
        with blamed(title, text=text, images=images):
            fused: Fused = fusion(text, images)
        size = tuple(text.mask.shape)
        require(title, "what forward gives", fused, Fused)
        self._vectors(title, "states", fused.states, (*size, fusion.width))
        for name, width in fusion.views.items():
            self._vectors(title, f"view '{name}'", fused.views.get(name), (*size, width))
        if others := sorted(set(fused.views) - set(fusion.views)):
            raise ComponentError(
                f"{title}: it gives the views {', '.join(others)}, which it does not announce in "
                "self.views."
            )
        return fused

    def _task(
        self, name: str, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        title, task = self.title(f"aux.{name}"), self.task(name)
        read = ReadViews(task.views, views)
        with blamed(title, views=read, emissions=emissions):
            output: AuxOutput = task(read, targets, emissions)
        require(title, "what forward gives", output, AuxOutput)
        require(title, "loss", output.loss, Tensor)
        if self.watched:
            require_finite(title, "loss", output.loss)
        if output.emissions is not None:
            require(title, "emissions", output.emissions, Tensor, emissions.shape)
        return output

    def _vectors(self, title: str, what: str, value: object, shape: tuple[int, ...]) -> None:
        """`ComponentError` for anything but a tensor of that shape and the weights' precision."""
        if value is None:
            raise ComponentError(f"{title}: it announces {what} and gives none.")
        require(title, what, value, Tensor, shape)
        assert isinstance(value, Tensor)
        require_number(title, what, value, self.head.weight.dtype)
        if self.watched:
            require_finite(title, what, value)

    def title(self, place: str) -> str:
        """What messages call a component, by its place: ``fusion``, ``aux.NAME`` …"""
        return self._titles.get(place, place)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Output:
        """Losses of the main task and of `tasks`; in prediction (no tags) emissions only.

        A task that refines does so in the order of the config, and the main loss is taken of the
        refined emissions.
        """
        views, shared = self.views(batch)
        emissions = self.head(views["fused"])
        losses: dict[str, Tensor] = {}
        tags = batch.targets.tags
        for name in tasks:
            task = self.task(name)
            if tags is not None or task.refines:
                output = self._task(name, views, batch.targets, emissions)
                losses[name] = output.loss
                emissions = emissions if output.emissions is None else output.emissions
        if tags is None:
            return Output({}, emissions, shared)
        with blamed(self.title("decoder"), emissions=emissions, tags=tags):
            main = self.decoder.loss(emissions, tags, batch.targets.mask)
        require(self.title("decoder"), "loss", main, Tensor)
        if self.watched:
            require_finite(self.title("decoder"), "loss", main)
            require_graph(self.title("decoder"), "loss", main, [emissions])
        return Output({"main": main, **losses}, emissions, shared)

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tags: (B, W) long, labels at every real word."""
        title = self.title("decoder")
        with blamed(title, emissions=emissions, mask=mask):
            tags = self.decoder.decode(emissions, mask)
        require_labels(title, "what decode gives", tags, mask, len(self.labels))
        return tags

    def weigh(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        """The mean losses of a micro-batch as one, with a weight for each."""
        title = self.title("weighting")
        with blamed(title, losses=losses, shared=shared):
            weighted: Weighted = self.weighting(losses, shared, progress)
        require(title, "what forward gives", weighted, Weighted)
        require(title, "total", weighted.total, Tensor)
        require_graph(title, "total", weighted.total, losses.values())
        require(title, "weights", weighted.weights, Mapping)
        for name in losses:
            if name not in weighted.weights:
                named = ", ".join(weighted.weights) or "none"
                raise ComponentError(
                    f"{title}: loss '{name}' has no weight in weights (there: {named}); give that "
                    "of every loss it gets."
                )
            if not isinstance(weighted.weights[name], int):
                require(title, f"weight of '{name}'", weighted.weights[name], float)
        if self.watched and all(loss.isfinite() for loss in losses.values()):
            require_finite(title, "total", weighted.total)
        return weighted

    def collator(self, pictures: PictureSource | None) -> Collator:
        """What makes batches for it; without `pictures`, of the words alone."""
        title = self.title("text_encoder")
        return Collator(self.text_encoder, self.labels, pictures, self.extras, title)

    def counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, int]:
        """Number of items of each loss in the batch."""
        parts: dict[str, AuxTask | Decoder] = {name: self.task(name) for name in tasks}
        counts = {}
        for name, part in {"main": self.decoder, **parts}.items():
            title = self.title("decoder" if name == "main" else f"aux.{name}")
            with blamed(f"{title}, count,"):
                counts[name] = part.count(batch.targets)
            require(title, "count", counts[name], int)
        return counts
