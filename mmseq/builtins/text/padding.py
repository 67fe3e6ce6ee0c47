"""Rows of ids to a rectangle."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def padded(rows: Sequence[Sequence[int]], width: int, fill: int = 0) -> Tensor:
    """(rows, width) long: each row at the left, `fill` after it."""
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows])
