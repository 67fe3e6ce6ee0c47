"""The contract of a decoder: held to the sums over all tag paths of three words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Sizes, Targets
from mmseq.data.tags import spans
from mmseq.model.prediction import gives_k_best
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import check_weights, gradients
from mmseq.testing.invariance import check_batches, check_inputs_kept, check_repeats
from mmseq.testing.k_best import K, check_best_of_all, check_k_best
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tensors import LARGE
from mmseq.testing.world import EVERY, LABELS, text_sizes

WORDS = (7, 2, 1, 7, 4, 3)
"""Of the six sentences"""
CASES = 4
"""Random emissions for which all paths are enumerated"""
ENTITIES = (
    ("B-PER", "O", "B-PER"),
    ("O", "B-LOC", "I-LOC"),
    ("B-PER", "B-LOC", "O"),
    ("B-LOC", "I-LOC", "I-LOC"),
)
"""Tags whose entities are looked for in all paths"""


def check_decoder(
    component: type[Decoder] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check a decoder, a class or a registered name, with `options` of its constructor.

    Its loss must be a negative log-likelihood: exp(-loss) over all tag paths of three words sums
    to 1. Its decoding must be the most probable path, of all or of those that BIO allows, its
    scores the probabilities of the tags, its own `span_scores` those of entities, its own `k_best`
    the most probable paths in order. Of one whose attribute `likelihood` is False, scores are
    probabilities, and sum to 1. `unused`: weights that get no gradient. Raises
    `mmseq.testing.ContractError` for a broken contract, `mmseq.UserError` for a wrong name or
    option.
    """
    subject = Subject("decoder", component, options)
    _Check(subject, unused).run()


class _Check:
    def __init__(self, subject: Subject, unused: Sequence[str]) -> None:
        self.subject, self.unused = subject, unused
        self.sizes: Sizes = text_sizes()
        self.learned = subject.fit()
        self.decoder: Any = self.build()
        draw = torch.Generator().manual_seed(1)
        longest, labels = max(WORDS), len(LABELS)
        self.emissions = 2 * torch.randn(len(WORDS), longest, labels, generator=draw)
        self.mask = torch.arange(longest)[None] < torch.tensor(WORDS)[:, None]
        drawn = torch.randint(0, labels, (len(WORDS), longest), generator=draw)
        self.tags = drawn * self.mask

    def build(self, seed: int = 17) -> Any:
        return self.subject.build(self.sizes, fitted=self.learned, seed=seed)

    def run(self) -> None:
        subject, decoder = self.subject, self.decoder
        given = (self.emissions, self.tags, self.mask)
        self.sums()
        check_inputs_kept(subject, given, lambda: self.outputs(EVERY))
        with torch.inference_mode():
            self.shapes()
        with torch.no_grad():
            check_repeats(subject, decoder, lambda: self.outputs(EVERY))
            known = self.enumerated() if decoder.likelihood else self.probabilities()
            if gives_k_best(decoder):
                emissions, _, mask = self.cut(EVERY)
                check_k_best(subject, decoder, emissions, mask)
                for case in known:
                    check_best_of_all(subject, decoder, *case)
            check_batches(subject, self.outputs)
            check_state(
                subject,
                decoder,
                lambda: self.build(seed=18),
                lambda module: self.outputs(EVERY, module),
            )
        check_device(subject, decoder, lambda: self.outputs(EVERY))
        self.half()
        check_weights(subject, decoder, lambda: self.loss(EVERY), self.unused)
        self.reached()

    def cut(self, indexes: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Those sentences, as long as the longest of them; padding holds large numbers."""
        rows = list(indexes)
        longest = max(WORDS[i] for i in rows)
        mask = self.mask[rows, :longest]
        emissions = self.emissions[rows, :longest].clone()
        emissions[~mask] = LARGE
        return emissions, self.tags[rows, :longest], mask

    def loss(self, indexes: Sequence[int]) -> Tensor:
        loss: Tensor = self.decoder.loss(*self.cut(indexes))
        return loss

    def count(self, indexes: Sequence[int]) -> int:
        _, tags, mask = self.cut(indexes)
        count: int = self.decoder.count(Targets(mask, mask.any(dim=1), tags))
        return count

    def outputs(self, indexes: Sequence[int], decoder: Any = None) -> Outputs:
        emissions, tags, mask = self.cut(indexes)
        decoder = decoder or self.decoder
        given = {
            "decode": decoder.decode(emissions, mask),
            "scores": decoder.scores(emissions, tags, mask),
        }
        losses = [
            decoder.loss(emissions[[i]], tags[[i]], mask[[i]]).detach() for i in range(len(mask))
        ]
        whole = {"loss": torch.stack(losses)}
        if gives_k_best(decoder):
            whole["probabilities of k_best"] = decoder.k_best(emissions, mask, K)[1].exp()
        return Outputs(mask, given, whole)

    def sums(self) -> None:
        """The loss is a scalar, summed over what is counted; the count an int."""
        subject = self.subject
        with subject.running("loss"):
            whole, count = self.loss(EVERY), self.count(EVERY)
        subject.tensor("loss (a scalar)", "it", whole, ())
        right = "an int: int(mask.sum()), say"
        subject.require(type(count) is int and count > 0, "count", f"it is {count!r}", right)
        parts = sum(self.count([i]) for i in EVERY)
        right = "the count of a batch is the sum of its sentences'"
        subject.require(count == parts, "count", f"{count}, sentence by sentence {parts}", right)
        single = torch.stack([self.loss([i]) for i in EVERY]).sum()
        subject.alike(
            "loss (a sum)",
            {"that of six sentences": whole},
            {"that of six sentences": single},
            f"the sum of theirs, {single.item():.4g} here (reduction='sum', no mean)",
        )

    def shapes(self) -> None:
        subject, decoder = self.subject, self.decoder
        emissions, tags, mask = self.cut(EVERY)
        with subject.running("decode and scores in inference mode"):
            best = decoder.decode(emissions, mask)
            scores = decoder.scores(emissions, tags, mask)
        subject.require(
            isinstance(best, Tensor) and best.dtype == torch.long and best.shape == mask.shape,
            "decode",
            f"it gives {getattr(best, 'dtype', type(best))} {tuple(getattr(best, 'shape', ()))}",
            f"torch.int64 {tuple(mask.shape)}",
        )
        subject.tensor("scores (B, W)", "it", scores, tuple(mask.shape))
        right = "0 at padding"
        subject.require(not best[~mask].any(), "decode", "tags at padding", right)
        subject.require(not scores[~mask].any(), "scores", "numbers at padding", right)

    def enumerated(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Loss, decoding and scores against all tag paths of three words.

        Gives of each case the emissions, each path's likelihood, and which paths BIO allows.
        """
        subject, decoder = self.subject, self.decoder
        paths = torch.tensor(list(product(range(len(LABELS)), repeat=3)))
        allowed = torch.tensor([_allowed(path) for path in paths.tolist()])
        free, known = [], []
        for case in range(CASES):
            draw = torch.Generator().manual_seed(case)
            emissions = 2 * torch.randn(1, 3, len(LABELS), generator=draw)
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

            self.entities(emissions, paths, likelihood)
            known.append((emissions, likelihood, allowed))
        return known

    def probabilities(self) -> tuple[()]:
        """Scores that no loss says anything of: of all tags of a word they sum to 1."""
        subject, decoder = self.subject, self.decoder
        emissions, tags, mask = self.cut(EVERY)
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
            emissions, mask = self.emissions[:1, :3], self.mask[:1, :3]
            with subject.running(contract, emissions=emissions, tags=tags, spans=places):
                given = decoder.span_scores(emissions, tags, mask, places)
            subject.tensor(contract, "it", given, (len(places),))
            low, high = float(given.min()), float(given.max())
            found = f"they are from {low:.4g} to {high:.4g}"
            subject.require(low >= 0 and high < 1.001, contract, found, "probabilities, 0 to 1")
        return ()

    def entities(self, emissions: Tensor, paths: Tensor, likelihood: Tensor) -> None:
        """Scores of entities; a decoder's own are their probabilities over all paths."""
        subject, decoder = self.subject, self.decoder
        mask = torch.ones(1, 3, dtype=torch.bool)
        for path in ENTITIES:
            tags = torch.tensor([[LABELS.index(name) for name in path]])
            places = spans(path)
            contract = f"span_scores of {' '.join(path)}"
            given = torch.tensor([(0, start, end) for start, end, _ in places])
            with subject.running(contract, emissions=emissions, tags=tags, spans=given):
                found = decoder.span_scores(emissions, tags, mask, given)
            subject.tensor(contract, "it", found, (len(places),))
            right = torch.stack(
                [likelihood[_holds(paths, tags[0], place)].sum() for place in places]
            )
            told = f"{[round(p, 4) for p in right.tolist()]}, summed over all paths"
            if type(decoder).span_scores is not Decoder.span_scores:
                subject.alike(contract, {"it": found.double()}, {"it": right}, told)

    def half(self) -> None:
        """Emissions in half precision, as under automatic mixed precision."""
        emissions, tags, mask = self.cut(EVERY)
        contract = "loss of bfloat16 emissions"
        with self.subject.running(contract, "it computes in 32 bits"):
            loss = self.decoder.loss(emissions.bfloat16(), tags, mask)
        self.subject.finite(contract, "it", loss)

    def reached(self) -> None:
        emissions, tags, mask = self.cut(EVERY)
        emissions.requires_grad_()
        loss = self.decoder.loss(emissions, tags, mask)
        gradient = gradients(self.subject, loss, {"emissions": emissions})["emissions"]
        missed = (gradient.abs().sum(dim=2) == 0) & mask
        self.subject.require(
            not missed.any(),
            "gradients of its inputs",
            f"none for the emissions of {int(missed.sum())} words",
            "every word's emissions have a share in the loss",
        )


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
