"""One number for how well the types stand apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmseq_mlmner.plot.pca import Array

ROWS = 1024
"""Words whose distances to all others are held at once"""


def silhouette(vectors: Array, types: Sequence[str]) -> float | None:
    """Mean silhouette of `vectors` (N, F) by `types`, -1 to 1; None with fewer than two types.

    For a word, a is its mean distance to the other words of its type and b the least of its mean
    distances to another type's words; its silhouette is (b - a) / max(a, b): 1 where types are
    tight and far apart, 0 where they cannot be told, below 0 where others are nearer. The only
    word of a type has 0. Distances are Euclidean, over all F dimensions.

    Source: Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis".
    """
    names, own = np.unique(np.asarray(types), return_inverse=True)
    if len(names) < 2:
        return None
    points = vectors.astype(np.float64)
    # About the mean, where less is lost in the difference of squares.
    points -= points.mean(axis=0)
    squares = (points**2).sum(axis=1)
    member = (own[:, None] == np.arange(len(names))).astype(np.float64)
    sizes = member.sum(axis=0)
    found = np.zeros(len(points))
    for start in range(0, len(points), ROWS):
        rows = np.arange(start, min(start + ROWS, len(points)))
        squared = squares[rows, None] + squares - 2 * points[rows] @ points.T
        squared[np.arange(len(rows)), rows] = 0
        totals = np.sqrt(squared.clip(min=0)) @ member
        mine = own[rows]
        near = totals[np.arange(len(rows)), mine] / (sizes[mine] - 1).clip(min=1)
        means = np.where(member[rows] == 1, np.inf, totals / sizes)
        far = means.min(axis=1)
        larger = np.maximum(near, far)
        some = (sizes[mine] > 1) & (larger > 0)
        found[rows[some]] = (far - near)[some] / larger[some]
    return float(found.mean())
