"""The text encoder `prefix`: a transformer whose attention sees the picture in every layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from mmseq import (
    Count,
    ImageStates,
    Positive,
    Sizes,
    TextInputs,
    TransformerEncoder,
    UserError,
)
from mmseq_prefix.attention import Prefix, install, prefixed
from mmseq_prefix.prompts import VisualPrefixes

OWNER = "text encoder 'prefix'"


class PrefixEncoder(TransformerEncoder):
    """A pretrained transformer in which pyramid features of the picture are attention prefixes.

    In layer l, with [phi_k^l ; phi_v^l] from the picture (`VisualPrefixes`)::

        attention = softmax(Q [phi_k^l ; K]^T / sqrt(d)) [phi_v^l ; V]

    Every window of a sentence has its sentence's prefixes; with several pictures they are made of
    the mean of their maps. A sentence without a picture has none: it gives what the plain
    `TransformerEncoder` gives.

    `side`: each level is pooled to side x side places, the length of a prefix. `prefix_factor`:
    what makes the prefixes trains at a multiple of `learning_rate`, being new. The other options
    are those of `TransformerEncoder`; with `freeze` -1 only the prefixes train, and what `layer` =
    mix and `case` = on add.

    `UserError` where the image encoder gives no levels, and for a model that does not look up its
    attention function by name, as transformers' `AttentionInterface` needs.

    Source: Chen et al. 2022 (HVPNeT), their gate and prefix equations. Their pictures are the
    tweet's and three cut from it by a detector; here they are those of the data.
    """

    needs_images: ClassVar[bool] = True

    def __init__(
        self,
        sizes: Sizes,
        *,
        side: Count = 2,
        prefix_factor: Positive = 5.0,
        assets: Path | None = None,
        **options: Any,
    ) -> None:
        if not sizes.levels:
            raise UserError(
                f"{OWNER} makes its prefixes of the picture's pyramid, and the image encoder gives "
                "none; give --set image_encoder.levels=true (or an image encoder with levels)."
            )
        super().__init__(sizes, assets=assets, **options)
        self.prefix_factor = prefix_factor
        layers = install(self.model, self.encode(["a"]).windows[0])
        if not layers:
            kind = type(self.model).__name__
            model = options.get("model", "the default model")
            raise UserError(
                f"{OWNER}: '{model}' is a {kind}, whose attention transformers cannot replace; "
                "take another model (BERT, RoBERTa, ELECTRA, ModernBERT …) or text encoder "
                "'transformer'."
            )
        self.visual = VisualPrefixes(sizes.levels, layers, self.width, side)

    def rate_factors(self) -> Mapping[str, float]:
        own = {f"visual.{name}": self.prefix_factor for name, _ in self.visual.named_parameters()}
        return {**super().rate_factors(), **own}

    def hidden(self, inputs: TextInputs, images: ImageStates | None) -> Tensor:
        assert images is not None  # needs_images
        owner = _sentences(inputs.tensors)
        prefixes = self.visual(images.levels, images.present)
        with prefixed([_of_rows(prefix, owner) for prefix in prefixes]):
            return super().hidden(inputs, images)


def _sentences(tensors: Mapping[str, Tensor]) -> Tensor:
    """(N,): the sentence that each window belongs to.

    The windows of a sentence follow each other, and its first word lies in the first of them.
    """
    windows = torch.arange(len(tensors["input_ids"]), device=tensors["row"].device)
    first = tensors["row"][:, 0].contiguous()
    return torch.searchsorted(first, windows, right=True) - 1


def _of_rows(prefix: Prefix, owner: Tensor) -> Prefix:
    keys, values, mask = (t[owner] for t in (prefix.keys, prefix.values, prefix.mask))
    return replace(prefix, keys=keys, values=values, mask=mask)
