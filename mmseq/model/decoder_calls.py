"""The calls of decoders, as `mmseq.model.calls` has those of all others."""

from __future__ import annotations

from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.model.calls import Numbers
from mmseq.model.guard import blamed, require, require_finite, require_graph, require_labels


def loss(
    title: str, decoder: Decoder, emissions: Tensor, tags: Tensor, mask: Tensor, numbers: Numbers
) -> Tensor:
    """The main loss, summed over its items."""
    with blamed(title, **_read(decoder, emissions), tags=tags):
        main = decoder.loss(emissions, tags, mask)
    require(title, "loss", main, Tensor)
    if numbers.finite:
        require_finite(title, "loss", main)
        require_graph(title, "loss", main, [emissions])
    return main


def partial_loss(
    title: str,
    decoder: Decoder,
    emissions: Tensor,
    allowed: Tensor,
    mask: Tensor,
    numbers: Numbers,
) -> Tensor:
    """The main loss of a batch with open words, summed over its items."""
    with blamed(title, **_read(decoder, emissions), allowed=allowed):
        main = decoder.partial_loss(emissions, allowed, mask)
    require(title, "partial_loss", main, Tensor)
    if numbers.finite:
        require_finite(title, "partial_loss", main)
        require_graph(title, "partial_loss", main, [emissions])
    return main


def decode(
    title: str, decoder: Decoder, emissions: Tensor, mask: Tensor, labels: int | None = None
) -> Tensor:
    """The best tags: (B, W) long, labels at every real word. `labels`: their number; by
    default that of the emissions.
    """
    with blamed(title, **_read(decoder, emissions), mask=mask):
        tags = decoder.decode(emissions, mask)
    require_labels(title, "what decode gives", tags, mask, labels or emissions.shape[-1])
    return tags


def scores(title: str, decoder: Decoder, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    """(B, W): the probability of each word's tag."""
    with blamed(title, **_read(decoder, emissions), mask=mask):
        words = decoder.scores(emissions, tags, mask)
    require(title, "scores", words, Tensor, mask.shape)
    return words


def span_scores(
    title: str, decoder: Decoder, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor
) -> Tensor:
    """(N,): probabilities of `spans` (N, 3), each its sentence, first word and end."""
    with blamed(title, **_read(decoder, emissions), mask=mask, spans=spans):
        whole = decoder.span_scores(emissions, tags, mask, spans)
    require(title, "span_scores", whole, Tensor, (len(spans),))
    return whole


def k_best(
    title: str, decoder: Decoder, emissions: Tensor, mask: Tensor, number: int
) -> tuple[Tensor, Tensor]:
    """The best tag sequences (B, number, W) and their log-probabilities (B, number)."""
    with blamed(title, **_read(decoder, emissions), mask=mask):
        paths, logs = decoder.k_best(emissions, mask, number)
    require(title, "paths of k_best", paths, Tensor, (len(mask), number, mask.shape[1]))
    require(title, "log-probabilities of k_best", logs, Tensor, (len(mask), number))
    return paths, logs


def _read(decoder: Decoder, given: Tensor) -> dict[str, Tensor]:
    """What a decoder gets, by the name that messages give it."""
    return {"states" if decoder.reads == "fused" else "emissions": given}
