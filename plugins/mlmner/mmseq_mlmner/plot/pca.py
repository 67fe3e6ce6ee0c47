"""Principal component analysis: the plane in which vectors differ most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

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

    An axis's sign is free. scikit-learn (since 1.5) makes its entry of greatest size positive,
    whatever the order of the vectors, so that pictures repeat.
    """
    vectors = vectors.astype(np.float64)
    axes, shares = np.zeros((2, vectors.shape[1])), np.zeros(2)
    # Without any variance there is no share of it to speak of.
    if np.ptp(vectors, axis=0).any():
        # The whole decomposition: what scikit-learn takes for large data is drawn at random.
        pca = PCA(min(2, *vectors.shape), svd_solver="full").fit(vectors)
        axes[: len(pca.components_)] = pca.components_
        shares[: len(pca.components_)] = pca.explained_variance_ratio_
    return Plane(vectors.mean(axis=0), axes, (float(shares[0]), float(shares[1])))
