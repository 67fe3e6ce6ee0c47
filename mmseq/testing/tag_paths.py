"""A decoder held to the sums over all tag paths of three words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.data.tags import spans
from mmseq.testing.normaliser import Case, Normaliser, enumerated
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


def check_likelihood(subject: Subject, decoder: Any, shares: Normaliser) -> list[Case]:
    """Loss, decoding and scores against all tag paths of three words, which are given back."""
    known = []
    for case in range(CASES):
        draw = torch.Generator().manual_seed(case)
        emissions = 2 * torch.randn(1, 3, read_width(decoder), generator=draw)
        mask = torch.ones(1, 3, dtype=torch.bool)
        found = enumerated(decoder, emissions)
        paths, likelihood = found.paths, found.likelihood
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
        top, top_allowed = (float(some.max()) for some in (likelihood, likelihood[found.allowed]))
        subject.require(
            float(likelihood[place]) >= min(top, top_allowed) * 0.999,
            "decode (the best tags)",
            f"{_named(best)} has probability {likelihood[place]:.4g}",
            f"{_named(paths[likelihood.argmax()])} has {top:.4g}, the most of all",
        )
        for tag in range(len(LABELS)):
            scores = decoder.scores(emissions, torch.full((1, 3), tag), mask)[0]
            right = {
                of: torch.stack([share[paths[:, w] == tag].sum() for w in range(3)])
                for of, share in found.shares.items()
            }
            contract = f"scores (probability of {LABELS[tag]} at each of three words)"
            shares.hold("scores", contract, scores, right)
        _check_entities(subject, decoder, found, shares)
        known.append(found)
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


def _check_entities(subject: Subject, decoder: Any, case: Case, shares: Normaliser) -> None:
    """Scores of entities; a decoder's own are their probabilities over tag paths."""
    mask = torch.ones(1, 3, dtype=torch.bool)
    for path in ENTITIES:
        tags = torch.tensor([[LABELS.index(name) for name in path]])
        places = spans(path)
        contract = f"span_scores of {' '.join(path)}"
        given = torch.tensor([(0, start, end) for start, end, _ in places])
        with subject.running(contract, emissions=case.emissions, tags=tags, spans=given):
            found = decoder.span_scores(case.emissions, tags, mask, given)
        subject.tensor(contract, "it", found, (len(places),))
        if type(decoder).span_scores is not Decoder.span_scores:
            held = [_holds(case.paths, tags[0], place) for place in places]
            right = {
                of: torch.stack([share[holds].sum() for holds in held])
                for of, share in case.shares.items()
            }
            shares.hold("span_scores", contract, found, right)


def _holds(paths: Tensor, tags: Tensor, entity: tuple[int, int, str]) -> Tensor:
    """Which paths have the entity that is in `tags`, and end it there."""
    start, end, kind = entity
    held = (paths[:, start:end] == tags[start:end]).all(dim=1)
    if end < paths.shape[1]:
        held &= paths[:, end] != LABELS.index(f"I-{kind}")
    return held


def _named(path: Tensor) -> str:
    return " ".join(LABELS[tag] for tag in path.tolist())
