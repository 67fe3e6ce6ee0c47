"""The calls of components: each names the component in what goes wrong, and checks what it gives.

`title` is what messages call the component. Every function raises `ComponentError` where the
component fails, or gives something else than its contract says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.aux_task import AuxOutput, AuxTask
from mmseq.contracts.callback import Callback
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.example import Example
from mmseq.contracts.fusion import Fused, Fusion
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.states import ImageStates, Sizes, Targets, TextStates
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.contracts.weighting import Weighted, Weighting
from mmseq.errors import ComponentError
from mmseq.model.batch import Batch
from mmseq.model.gathering import image_states
from mmseq.model.guard import (
    ReadViews,
    blamed,
    read_by,
    require,
    require_finite,
    require_graph,
    require_labels,
    require_number,
)


@dataclass(frozen=True)
class Numbers:
    """What the numbers are held to that a component gives."""

    dtype: torch.dtype
    """That of the model's weights"""
    finite: bool
    """Also look for NaN and infinity"""

    def require_vectors(self, title: str, what: str, value: object, shape: tuple[int, ...]) -> None:
        """`ComponentError` for what is not a tensor of that shape and of the weights' precision."""
        if value is None:
            raise ComponentError(f"{title}: it announces {what} and gives none.")
        require(title, what, value, Tensor, shape)
        assert isinstance(value, Tensor)
        require_number(title, what, value, self.dtype)
        if self.finite:
            require_finite(title, what, value)


def fit(title: str, cls: Any, examples: Sequence[Example], options: Mapping[str, Any]) -> Any:
    """What a component must learn from the training text before it exists."""
    with blamed(f"{title}, fit,"):
        return cls.fit(examples, **options)


def hub_models(title: str, cls: Any, options: Mapping[str, Any]) -> list[str]:
    """The models of the Hub that an encoder with these options is made of."""
    with blamed(f"{title}, hub_models,"):
        return list(cls.hub_models(options))


def build(title: str, cls: Any, sizes: Sizes, arguments: Mapping[str, Any]) -> Any:
    """A new component."""
    with blamed(f"{title}, constructor,"):
        return cls(sizes, **arguments)


def encode(title: str, encoder: TextEncoder, example: Example) -> tuple[Any, int]:
    """A sentence in the text encoder's own form, and its length as the encoder finds it."""
    with blamed(title, f"encode of {example.where}"):
        encoded = encoder.encode(example.tokens)
    with blamed(title, f"length of {example.where}"):
        length = encoder.length(encoded, len(example.tokens))
    require(title, "what length gives", length, int)
    return encoded, length


def collate(title: str, encoder: TextEncoder, encoded: Sequence[Any]) -> Mapping[str, Tensor]:
    """The text encoder's own tensors for a batch."""
    with blamed(title, "collate"):
        tensors = encoder.collate(encoded)
    require(title, "what collate gives", tensors, Mapping)
    for name, tensor in tensors.items():
        require(title, f"'{name}' of what collate gives", tensor, Tensor, None)
    return tensors


def pictures(title: str, encoder: ImageEncoder, batch: Batch) -> ImageStates:
    """The pictures of a batch, by sentence."""
    with blamed(title, precomputed=batch.pictures):
        return image_states(batch, encoder)


def encode_text(
    title: str,
    encoder: TextEncoder,
    inputs: TextInputs,
    images: ImageStates | None,
    numbers: Numbers,
) -> TextStates:
    """A vector for every word, with the parts that the encoder announces."""
    with blamed(title, inputs=inputs, images=images):
        text: TextStates = encoder(inputs, images)
    size = tuple(inputs.mask.shape)
    require(title, "what forward gives", text, TextStates)
    numbers.require_vectors(title, "words", text.words, (*size, encoder.width))
    for name, width in encoder.parts.items():
        numbers.require_vectors(title, f"part '{name}'", text.parts.get(name), (*size, width))
    return replace(text, extras=inputs.extras)


def fuse(
    title: str, fusion: Fusion, text: TextStates, images: ImageStates | None, numbers: Numbers
) -> Fused:
    """The fused states, with the views, of words and of sentences, that the fusion announces and no
    others.
    """
    with blamed(title, text=text, images=images):
        fused: Fused = fusion(text, images)
    size = tuple(text.mask.shape)
    require(title, "what forward gives", fused, Fused)
    numbers.require_vectors(title, "states", fused.states, (*size, fusion.width))
    for name, width in fusion.views.items():
        numbers.require_vectors(title, f"view '{name}'", fused.views.get(name), (*size, width))
    for name, width in fusion.sentence_views.items():
        view = fused.sentence_views.get(name)
        numbers.require_vectors(title, f"sentence view '{name}'", view, (size[0], width))
    for attribute in ("views", "sentence_views"):
        if others := sorted(set(getattr(fused, attribute)) - set(getattr(fusion, attribute))):
            raise ComponentError(
                f"{title}: it gives the {attribute.replace('_', ' ')} {', '.join(others)}, which "
                f"it does not announce in self.{attribute}."
            )
    return fused


def task(
    title: str,
    task: AuxTask,
    views: Mapping[str, Tensor],
    targets: Targets,
    emissions: Tensor,
    numbers: Numbers,
) -> AuxOutput:
    """The task's loss and refined emissions; of all `views` it sees those that it names."""
    read = ReadViews(task.views, views)
    with blamed(title, views=read, emissions=emissions):
        output: AuxOutput = task(read, targets, emissions)
    require(title, "what forward gives", output, AuxOutput)
    require(title, "loss", output.loss, Tensor)
    if numbers.finite:
        require_finite(title, "loss", output.loss)
    if output.emissions is not None:
        require(title, "emissions", output.emissions, Tensor, emissions.shape)
    return output


def observe(title: str, task: AuxTask, views: Mapping[str, Tensor], targets: Targets) -> None:
    """A batch of the training data, shown to a task at the end of its preparation."""
    read = ReadViews(task.views, views)
    with blamed(title, "observe", views=read):
        task.observe(read, targets)


def finish(title: str, task: AuxTask) -> None:
    """The task has observed all training data."""
    with blamed(title, "finish"):
        task.finish()


def count(title: str, part: AuxTask | Decoder, targets: Targets) -> int:
    """Number of items of a loss in a batch."""
    with blamed(f"{title}, count,"):
        found = part.count(targets)
    require(title, "count", found, int)
    return found


def loss(
    title: str,
    decoder: Decoder,
    emissions: Tensor,
    tags: Tensor,
    mask: Tensor,
    numbers: Numbers,
    allowed: Tensor | None = None,
) -> Tensor:
    """The main loss, summed over its items; of a batch with open words by what is `allowed`."""
    what = "loss" if allowed is None else "partial_loss"
    with blamed(title, **read_by(decoder, emissions), tags=tags):
        if allowed is None:
            main = decoder.loss(emissions, tags, mask)
        else:
            main = decoder.partial_loss(emissions, allowed, mask)
    require(title, what, main, Tensor)
    if numbers.finite:
        require_finite(title, what, main)
        require_graph(title, what, main, [emissions])
    return main


def decode(
    title: str, decoder: Decoder, emissions: Tensor, mask: Tensor, labels: int | None = None
) -> Tensor:
    """The best tags: (B, W) long, labels at every real word. `labels`: their number; by
    default that of the emissions.
    """
    with blamed(title, **read_by(decoder, emissions), mask=mask):
        tags = decoder.decode(emissions, mask)
    require_labels(title, "what decode gives", tags, mask, labels or emissions.shape[-1])
    return tags


def scores(title: str, decoder: Decoder, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    """(B, W): the probability of each word's tag."""
    with blamed(title, **read_by(decoder, emissions), mask=mask):
        words = decoder.scores(emissions, tags, mask)
    require(title, "scores", words, Tensor, mask.shape)
    return words


def span_scores(
    title: str, decoder: Decoder, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor
) -> Tensor:
    """(N,): probabilities of `spans` (N, 3), each its sentence, first word and end."""
    with blamed(title, **read_by(decoder, emissions), mask=mask, spans=spans):
        whole = decoder.span_scores(emissions, tags, mask, spans)
    require(title, "span_scores", whole, Tensor, (len(spans),))
    return whole


def k_best(
    title: str, decoder: Decoder, emissions: Tensor, mask: Tensor, number: int
) -> tuple[Tensor, Tensor]:
    """The best tag sequences (B, number, W) and their log-probabilities (B, number)."""
    with blamed(title, **read_by(decoder, emissions), mask=mask):
        paths, logs = decoder.k_best(emissions, mask, number)
    require(title, "paths of k_best", paths, Tensor, (len(mask), number, mask.shape[1]))
    require(title, "log-probabilities of k_best", logs, Tensor, (len(mask), number))
    return paths, logs


def weigh(
    title: str,
    weighting: Weighting,
    losses: Mapping[str, Tensor],
    shared: Tensor,
    progress: float,
    numbers: Numbers,
) -> Weighted:
    """The losses as one, with a weight for each."""
    with blamed(title, losses=losses, shared=shared):
        weighted: Weighted = weighting(losses, shared, progress)
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
    if numbers.finite and all(loss.isfinite() for loss in losses.values()):
        require_finite(title, "total", weighted.total)
    return weighted


def end_epoch(title: str, weighting: Weighting, losses: Mapping[str, float]) -> None:
    """The weighting learns what the losses of an epoch were."""
    with blamed(title, "end_epoch"):
        weighting.end_epoch(losses)


def notify(title: str, callback: Callback, method: str, *given: object) -> Any:
    """What the callback's method of that name gives."""
    with blamed(title, method):
        return getattr(callback, method)(*given)


def build_callback(title: str, cls: Any, options: Mapping[str, Any]) -> Callback:
    """A new callback."""
    with blamed(title, "its constructor"):
        callback: Callback = cls(**options)
    return callback
