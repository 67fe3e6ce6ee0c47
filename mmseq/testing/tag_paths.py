"""A decoder held to the sums over all tag paths of three words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.data.tags import spans
from mmseq.testing.subject import Subject
from mmseq.testing.world import LABELS, read_width

CASES = 4
"""Random emissions for which all paths are enumerated"""
ENTITIES = (
    ("B-PER", "O", "B-PER"),
    ("O", "B-LOC", "I-LOC"),
    ("B-PER", "B-LOC", "O"),
    ("B-LOC", "I-LOC", "I-LOC"),
)
"""Tags whose entities are looked for in all paths"""


def check_likelihood(subject: Subject, decoder: Any) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Loss, decoding and scores against all tag paths of three words.

    Gives of each case the emissions, each path's likelihood, and which paths BIO allows.
    """
    paths = torch.tensor(list(product(range(len(LABELS)), repeat=3)))
    allowed = torch.tensor([_allowed(path) for path in paths.tolist()])
    free, known = [], []
    for case in range(CASES):
        draw = torch.Generator().manual_seed(case)
        emissions = 2 * torch.randn(1, 3, read_width(decoder), generator=draw)
        mask = torch.ones(1, 3, dtype=torch.bool)
        losses = torch.stack([decoder.loss(emissions, path[None], mask) for path in paths])
        likelihood = (-losses.double()).exp()
        mass = float(likelihood.sum())
        subject.require(
            abs(mass - 1) < 1e-3,
            "loss (negative log-likelihood)",
            f"exp(-loss) over all {len(paths)} tag paths of three words sums to {mass:.4g}",
            "1: loss = -log p(tags | emissions), natural log, summed over the sentence; for a "
            "loss that is none (focal, dice, label smoothing) set likelihood = False in the "
            "class",
        )
        best = decoder.decode(emissions, mask)[0]
        place = int((paths == best).all(dim=1).nonzero()[0, 0])
        top = float(likelihood.max())
        top_allowed = float(likelihood[allowed].max())
        free.append(float(likelihood[place]) >= top * 0.999)
        subject.require(
            free[-1] or float(likelihood[place]) >= top_allowed * 0.999,
            "decode (the best tags)",
            f"{_named(best)} has probability {likelihood[place]:.4g}",
            f"{_named(paths[likelihood.argmax()])} has {top:.4g}, the most of all",
        )
        for tag in range(len(LABELS)):
            tags = torch.full((1, 3), tag)
            scores = decoder.scores(emissions, tags, mask)[0].double()
            right = torch.stack([likelihood[paths[:, w] == tag].sum() for w in range(3)])
            subject.alike(
                f"scores (probability of {LABELS[tag]} at each of three words)",
                {"scores": scores},
                {"scores": right},
                f"{[round(p, 4) for p in right.tolist()]}, summed over all paths",
            )

        _check_entities(subject, decoder, emissions, paths, likelihood)
        known.append((emissions, likelihood, allowed))
    return known


def check_probabilities(subject: Subject, decoder: Any, emissions: Tensor, mask: Tensor) -> None:
    """Scores that no loss says anything of: of all tags of a word they sum to 1."""
    every = [decoder.scores(emissions, tag * mask, mask) for tag in range(len(LABELS))]
    scores = torch.stack(every)
    low, high = float(scores.min()), float(scores.max())
    contract, found = "scores (probability of a tag)", f"they are from {low:.4g} to {high:.4g}"
    subject.require(low >= 0 and high < 1.001, contract, found, "probabilities, 0 to 1")
    sums = {"the sum over all tags of a word": scores.sum(dim=0)}
    subject.alike(contract, sums, dict.fromkeys(sums, mask.float()), "1, 0 at padding")
    for path in ENTITIES:
        tags = torch.tensor([[LABELS.index(name) for name in path]])
        places = torch.tensor([(0, start, end) for start, end, _ in spans(path)])
        contract = f"span_scores of {' '.join(path)}"
        first, three = emissions[:1, :3], mask[:1, :3]
        with subject.running(contract, emissions=first, tags=tags, spans=places):
            given = decoder.span_scores(first, tags, three, places)
        subject.tensor(contract, "it", given, (len(places),))
        low, high = float(given.min()), float(given.max())
        found = f"they are from {low:.4g} to {high:.4g}"
        subject.require(low >= 0 and high < 1.001, contract, found, "probabilities, 0 to 1")


def _check_entities(
    subject: Subject, decoder: Any, emissions: Tensor, paths: Tensor, likelihood: Tensor
) -> None:
    """Scores of entities; a decoder's own are their probabilities over all paths."""
    mask = torch.ones(1, 3, dtype=torch.bool)
    for path in ENTITIES:
        tags = torch.tensor([[LABELS.index(name) for name in path]])
        places = spans(path)
        contract = f"span_scores of {' '.join(path)}"
        given = torch.tensor([(0, start, end) for start, end, _ in places])
        with subject.running(contract, emissions=emissions, tags=tags, spans=given):
            found = decoder.span_scores(emissions, tags, mask, given)
        subject.tensor(contract, "it", found, (len(places),))
        right = torch.stack([likelihood[_holds(paths, tags[0], place)].sum() for place in places])
        told = f"{[round(p, 4) for p in right.tolist()]}, summed over all paths"
        if type(decoder).span_scores is not Decoder.span_scores:
            subject.alike(contract, {"it": found.double()}, {"it": right}, told)


def _allowed(path: Sequence[int]) -> bool:
    """BIO: I-X follows B-X or I-X."""
    names = ["O", *(LABELS[tag] for tag in path)]
    return all(
        not after.startswith("I-") or before[2:] == after[2:]
        for before, after in zip(names, names[1:], strict=False)
    )


def _holds(paths: Tensor, tags: Tensor, entity: tuple[int, int, str]) -> Tensor:
    """Which paths have the entity that is in `tags`, and end it there."""
    start, end, kind = entity
    held = (paths[:, start:end] == tags[start:end]).all(dim=1)
    if end < paths.shape[1]:
        held &= paths[:, end] != LABELS.index(f"I-{kind}")
    return held


def _named(path: Tensor) -> str:
    return " ".join(LABELS[tag] for tag in path.tolist())
