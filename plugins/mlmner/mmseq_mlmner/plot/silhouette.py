"""One number for how well the types stand apart."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.metrics import silhouette_score

from mmseq_mlmner.plot.pca import Array


def silhouette(vectors: Array, types: Sequence[str]) -> float | None:
    """Mean silhouette of `vectors` (N, F) by `types`, -1 to 1; None with fewer than two types.

    For a word, a is its mean distance to the other words of its type and b the least of its mean
    distances to another type's words; its silhouette is (b - a) / max(a, b): 1 where types are
    tight and far apart, 0 where they overlap, below 0 where others are nearer. The only
    word of a type has 0. Distances are Euclidean, over all F dimensions.

    Source: Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis".
    """
    number = len(set(types))
    if number < 2:
        return None
    if number == len(types):
        return 0.0  # each word is the only one of its type, for which scikit-learn has no answer
    points = vectors.astype("float64")
    # About the mean, where less is lost in the difference of squares that a distance is made of.
    return float(silhouette_score(points - points.mean(axis=0), types))
