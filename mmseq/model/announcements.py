"""What a component announces of itself once it is built: widths and learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from mmseq.contracts.decoder import Decoder
from mmseq.errors import ComponentError, UserError
from mmseq.registry.entries import Entry

GIVE_VECTORS = {
    "text_encoder": ("parts",),
    "image_encoder": (),
    "fusion": ("views", "sentence_views"),
}
"""Kinds whose components say by `width` how wide the vectors are that they give -> where they
announce the widths of further ones."""

RATED = {"text_encoder": True, "image_encoder": True, "weighting": False}
"""Kinds whose components have a `learning_rate` of their own -> whether one without it is wrong."""

READ = ("emissions", "fused")
"""What a decoder may read"""


def require_announced(entry: Entry, component: object) -> None:
    """`ComponentError` where a component of that `entry` announces what is missing or wrong;
    `UserError` for what is not a torch module.
    """
    if not isinstance(component, nn.Module):
        raise UserError(f"{entry.target} is not a torch module.")
    faults = []
    if entry.kind in GIVE_VECTORS:
        faults.append(announced(component, GIVE_VECTORS[entry.kind]))
    if entry.kind in RATED:
        faults.append(rated(component, needed=RATED[entry.kind]))
    if isinstance(component, Decoder):
        faults.append(reading(component))
    for fault in filter(None, faults):
        raise ComponentError(f"{entry.full_title}: {fault}.")


def announced(component: object, further: Sequence[str]) -> str:
    """What is wrong with the widths that a component announces: its own, and by name those in its
    attributes `further`; empty: nothing.
    """
    width = getattr(component, "width", None)
    if not isinstance(width, int) or width < 1:
        return (
            f"its width is {width!r}; set self.width in the constructor, the size of the vectors "
            "that it gives, an int above 0"
        )
    for attribute in further:
        widths = getattr(component, attribute)
        if not isinstance(widths, Mapping) or not all(isinstance(w, int) for w in widths.values()):
            return (
                f"its {attribute} are {widths!r}; map names to widths, as in {{'seen': sizes.text}}"
            )
    return ""


def rated(component: object, *, needed: bool = True) -> str:
    """What is wrong with a component's `learning_rate`, which may be None unless it is `needed`;
    empty: nothing.
    """
    rate = getattr(component, "learning_rate", None)
    if (rate is None and not needed) or (isinstance(rate, int | float) and rate >= 0):
        return ""
    return (
        f"its learning_rate is {rate!r}; set self.learning_rate in the constructor, a number of at "
        f"least 0{'' if needed else ', or None'}"
    )


def reading(decoder: Decoder) -> str:
    """What is wrong with what a decoder says that it reads; empty: nothing."""
    if decoder.reads in READ:
        return ""
    return f"its reads is {decoder.reads!r}; write one of {', '.join(map(repr, READ))}"
