"""Do this project's modules give the numbers of the authors' published code?"""

from __future__ import annotations

from pathlib import Path

import torch

from mmseq_umt.authors_weights import load_authors_weights
from mmseq_umt.parity_file import OUTPUTS, read
from mmseq_umt.published_tagger import PublishedTagger

TOLERANCE = 1e-5
"""Largest absolute difference that is put down to the published code's rounding in 32 bits"""


def compare(path: str | Path) -> dict[str, float]:
    """The largest absolute difference of each output in a file, padding included.

    The file's weights are loaded into the text encoder, fusion, boundary task and decoder that
    training uses; these run once, without dropout, from the file's inputs alone. `decoded` is 0.0
    where the best paths of all sentences are the file's, else 1.0.

    Raises `UserError` where the file is missing, damaged, or does not hold a whole model.
    """
    file = read(Path(path))
    model = PublishedTagger(file).eval()
    load_authors_weights(model, file)
    # In 64 bits, so that what differs is the file's own rounding, whatever the processor.
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in file.inputs.items()}
    with torch.no_grad():
        ours = model.double()(inputs)
    found = {name: (ours[name] - file.outputs[name]).abs().max().item() for name in OUTPUTS}
    # Tags are no amounts, and padding has none.
    wrong = (ours["decoded"] != file.outputs["decoded"]) & file.inputs["attention_mask"].bool()
    return {**found, "decoded": float(wrong.any())}
