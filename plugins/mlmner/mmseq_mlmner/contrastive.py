"""A sentence's text and image vectors are drawn together, away from those of other sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from mmseq import AuxOutput, AuxTask, Positive, Share, Sizes, Targets, UserError, gather


class ContrastiveTask(AuxTask):
    """MLMNER's contrastive fusion task: match each sentence with its picture within the batch.

    The views ``text`` (T) and ``image`` (M), (B, W, D) each, are averaged over the real words. With
    cosine similarity and temperature t, over the sentences k of the batch that have a picture::

        l_i(M->T) = -log( exp(cos(M_i, T_i) / t) / sum_k exp(cos(M_i, T_k) / t) )
        loss = sum_i mix * l_i(M->T) + (1 - mix) * l_i(T->M)

    The count is the number of sentences with a picture; those without are neither pairs nor
    negatives. Under several processes k runs over the batch of all; with `train.accumulate` over
    the micro-batch. A single pair has nothing to be told from: its loss is log 1 = 0.

    Both views must have one width (`UserError` otherwise).

    Source: Li et al. 2022, Eq. 3-5. Eq. 5 prints a further minus sign, by which minimising would
    push pairs apart; this is the form that pulls them together, as the text says.
    """

    views: ClassVar[tuple[str, ...]] = ("text", "image")
    weight: ClassVar[float] = 0.5
    additive: ClassVar[bool] = False
    partial: ClassVar[bool] = True  # it reads no tag

    def __init__(self, sizes: Sizes, *, temperature: Positive = 0.1, mix: Share = 0.75) -> None:
        super().__init__()
        text, image = (sizes.views.get(view, 0) for view in self.views)
        if text != image:
            raise UserError(
                f"aux task 'contrastive' compares the views text and image, which are {text} and "
                f"{image} wide with this fusion; it needs one width: give the fusion's option for "
                "it, or choose another fusion."
            )
        self.temperature = temperature
        self.mix = mix

    def count(self, targets: Targets) -> int:
        return int(targets.has_image.sum())

    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()))
        text = _mean(views["text"], targets.mask)[targets.has_image]
        image = _mean(views["image"], targets.mask)[targets.has_image]
        return AuxOutput(self.pair_loss(text, image))

    def pair_loss(self, text: Tensor, image: Tensor) -> Tensor:
        """Summed loss of the pairs (n, D), n >= 0, against those of all processes."""
        # Half precision is too coarse for differences of cosines divided by the temperature.
        with torch.autocast(text.device.type, enabled=False):
            text, image = normalize(text, eps=1e-6), normalize(image, eps=1e-6)
            every, first = gather(torch.cat([text, image], dim=1))
            all_text, all_image = every.chunk(2, dim=1)
            partner = torch.arange(first, first + len(text), device=text.device)
            to_text = image @ all_text.T / self.temperature
            to_image = text @ all_image.T / self.temperature
            return self.mix * cross_entropy(to_text, partner, reduction="sum") + (
                1 - self.mix
            ) * cross_entropy(to_image, partner, reduction="sum")


def _mean(view: Tensor, mask: Tensor) -> Tensor:
    """(B, D): mean over the real words, in full precision."""
    view = view.to(torch.promote_types(view.dtype, torch.float32))
    words = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return view.masked_fill(~mask[:, :, None], 0).sum(dim=1) / words
