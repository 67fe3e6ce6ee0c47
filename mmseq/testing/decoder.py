"""The contract of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Targets
from mmseq.model.announcements import reading
from mmseq.model.partial import has_partial_loss
from mmseq.model.prediction import gives_k_best
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import check_weights, gradients
from mmseq.testing.invariance import check_batches, check_inputs_kept, check_repeats
from mmseq.testing.k_best import K, check_best_of_all, check_k_best
from mmseq.testing.normaliser import Normaliser
from mmseq.testing.partial_loss import check_completions, check_partial_loss
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tag_paths import check_likelihood, check_probabilities
from mmseq.testing.tensors import LARGE
from mmseq.testing.world import EVERY, LABELS, decoder_sizes, read_width

WORDS = (7, 2, 1, 7, 4, 3)
"""Of the six sentences"""


def check_decoder(
    component: type[Decoder] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check a decoder, a class or a registered name, with `options` of its constructor.

    Its loss must be a negative log-likelihood: exp(-loss) over all tag paths of three words sums
    to 1. Its decoding must be the most probable path, of all or of those that BIO allows, its
    scores the probabilities of the tags, its own `span_scores` those of entities, its own `k_best`
    the most probable paths in order: probabilities among all paths, or among those that BIO allows,
    the same for all three; its own `partial_loss` that of the paths which complete the known tags.
    Of one whose attribute `likelihood` is False, scores are
    probabilities, and sum to 1. One that reads fused states gets some of these in place of
    emissions. `unused`: weights that get no gradient. Raises
    `mmseq.testing.ContractError` for a broken contract, `mmseq.UserError` for a wrong name or
    option.
    """
    subject = Subject("decoder", component, options)
    _Check(subject, unused).run()


class _Check:
    def __init__(self, subject: Subject, unused: Sequence[str]) -> None:
        self.subject, self.unused = subject, unused
        fault = reading(subject.cls)
        subject.require(not fault, "reads", fault, "what its methods are to get")
        self.what = "states" if subject.cls.reads == "fused" else "emissions"
        self.sizes = decoder_sizes()
        self.learned = subject.fit()
        self.decoder: Any = self.build()
        draw = torch.Generator().manual_seed(1)
        longest, labels = max(WORDS), len(LABELS)
        width = read_width(self.decoder)
        self.emissions = 2 * torch.randn(len(WORDS), longest, width, generator=draw)
        self.mask = torch.arange(longest)[None] < torch.tensor(WORDS)[:, None]
        drawn = torch.randint(0, labels, (len(WORDS), longest), generator=draw)
        self.tags = drawn * self.mask

    def build(self, seed: int = 17) -> Any:
        return self.subject.build(self.sizes, fitted=self.learned, seed=seed)

    def run(self) -> None:
        subject, decoder = self.subject, self.decoder
        given = (self.emissions, self.tags, self.mask)
        self.sums()
        read: dict[str, Any] = {self.what: self.emissions, "mask": self.mask}
        with subject.running("decode, scores", **read):
            check_inputs_kept(subject, given, lambda: self.outputs(EVERY))
        with torch.inference_mode():
            self.shapes()
        with torch.no_grad():
            check_repeats(subject, decoder, lambda: self.outputs(EVERY))
            emissions, _, mask = self.cut(EVERY)
            known, shares = [], Normaliser(subject)
            if decoder.likelihood:
                known = check_likelihood(subject, decoder, shares)
            else:
                check_probabilities(subject, decoder, emissions, mask)
            if gives_k_best(decoder):
                check_k_best(subject, decoder, emissions, mask)
                for case in known:
                    check_best_of_all(subject, decoder, case, shares)
            if has_partial_loss(type(decoder)):
                check_partial_loss(subject, decoder, *self.cut(EVERY))
                for case in known:
                    check_completions(subject, decoder, case)
            if known:
                shares.agree()
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

    def half(self) -> None:
        """Emissions or states in half precision, as under automatic mixed precision."""
        emissions, tags, mask = self.cut(EVERY)
        contract = f"loss of bfloat16 {self.what}"
        # Layers over the states are cast there.
        mixed = torch.autocast("cpu", torch.bfloat16, enabled=self.what == "states")
        with self.subject.running(contract, "it computes in 32 bits"), mixed:
            loss = self.decoder.loss(emissions.bfloat16(), tags, mask)
        self.subject.finite(contract, "it", loss)

    def reached(self) -> None:
        emissions, tags, mask = self.cut(EVERY)
        emissions.requires_grad_()
        loss = self.decoder.loss(emissions, tags, mask)
        gradient = gradients(self.subject, loss, {self.what: emissions})[self.what]
        missed = (gradient.abs().sum(dim=2) == 0) & mask
        self.subject.require(
            not missed.any(),
            "gradients of its inputs",
            f"none for the {self.what} of {int(missed.sum())} words",
            f"every word's {self.what} have a share in the loss",
        )
