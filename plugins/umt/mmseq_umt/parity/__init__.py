"""Do this project's modules give the numbers of the authors' published code?"""

from __future__ import annotations

from pathlib import Path

TOLERANCE = 1e-5
"""Largest difference, as a share of an output's magnitude, that is put down to the published
code's rounding in 32 bits
"""


def compare(path: str | Path) -> dict[str, float]:
    """The largest absolute difference of each output in a file, padding included.

    The file's weights are loaded into the text encoder, fusion, boundary task and decoder that
    training uses; these run once, without dropout, from the file's inputs alone. `decoded` is 0.0
    where the best paths of all sentences are the file's, else 1.0.

    Raises `UserError` where the file is missing, damaged, or does not hold a whole model.
    """
    # Here, since the command line imports this package and must not wait for torch.
    from mmseq_umt.parity.comparison import differences

    return {name: difference.largest for name, difference in differences(path).items()}
