"""Principal component analysis: the plane in which vectors differ most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Plane:
    """A plane in F dimensions, with how much of the variance lies along its axes."""

    origin: Array
    """(F,): the mean of the vectors"""
    axes: Array
    """(2, F): the first two principal components, of length 1; zero where there is none"""
    shares: tuple[float, float]
    """Of the variance, 0 to 1"""

    def project(self, vectors: Array) -> Array:
        """(N, F) to (N, 2)."""
        projected: Array = (vectors - self.origin) @ self.axes.T
        return projected


def principal_plane(vectors: Array) -> Plane:
    """The plane of the two greatest variances of `vectors` (N, F), N >= 1.

    An axis's sign is free: here its entry of greatest size is positive, so that pictures repeat.
    """
    vectors = vectors.astype(np.float64)
    origin = vectors.mean(axis=0)
    _, values, rows = np.linalg.svd(vectors - origin, full_matrices=False)
    count = min(2, len(rows))
    axes, shares = np.zeros((2, vectors.shape[1])), np.zeros(2)
    largest = np.abs(rows[:count]).argmax(axis=1)[:, None]
    axes[:count] = rows[:count] * np.sign(np.take_along_axis(rows[:count], largest, axis=1))
    if values.any():
        shares[:count] = values[:count] ** 2 / (values**2).sum()
    return Plane(origin, axes, (float(shares[0]), float(shares[1])))
