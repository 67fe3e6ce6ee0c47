"""How far outputs of this project's modules are from those in a file, and how far they may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmseq_umt.parity import TOLERANCE
from mmseq_umt.parity.file import OUTPUTS, read
from mmseq_umt.parity.tagger import PublishedTagger
from mmseq_umt.parity.weights import load_authors_weights


@dataclass(frozen=True)
class Difference:
    """Between one output here and in the file."""

    largest: float
    """Absolute"""
    magnitude: float
    """The largest absolute value of the file's output; 1 for tags, which are no amounts"""

    @property
    def within(self) -> bool:
        """At most `TOLERANCE` of the magnitude. An undefined number is not."""
        return self.largest <= TOLERANCE * self.magnitude


def differences(path: str | Path) -> dict[str, Difference]:
    """Of each output in a parity file, as `mmseq_umt.parity.compare` says."""
    file = read(Path(path))
    model = PublishedTagger(file).eval()
    load_authors_weights(model, file)
    # In 64 bits, so that what differs is the file's own rounding, whatever the processor.
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in file.inputs.items()}
    with torch.no_grad():
        ours = model.double()(inputs)
    found = {name: difference(ours[name], file.outputs[name]) for name in OUTPUTS}
    # Padding has no tag.
    wrong = (ours["decoded"] != file.outputs["decoded"]) & file.inputs["attention_mask"].bool()
    return {**found, "decoded": Difference(float(wrong.any()), 1.0)}


def difference(ours: Tensor, theirs: Tensor) -> Difference:
    """Between two tensors of one shape."""
    return Difference((ours - theirs).abs().max().item(), theirs.abs().max().item())
