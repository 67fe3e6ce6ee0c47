"""The picture of entity words by type, before and after training, with the types' centres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from mmseq import PLOT_COLOURS, EntityStates, plot_style
from mmseq_mlmner.plot.pca import Array, principal_plane

Centers = Mapping[str, Array]

MARKERS = "os^DvP"
"""More types than colours have other markers"""


def draw_clusters(
    title: str,
    before: EntityStates,
    after: EntityStates,
    centers: Centers,
    scores: Sequence[float | None],
) -> Figure:
    """Two panels, before and after training, each in its own principal plane.

    `before` and `after` hold the same words. Stars are the means of the shown words; after
    training those of `centers`, for the types that have one. `scores`: silhouettes, for the titles.
    """
    looks = dict(zip(sorted(set(after.types)), cycle(product(MARKERS, PLOT_COLOURS))))
    with plot_style():
        figure = Figure(figsize=(12, 6.5), layout="constrained")
        figure.suptitle(title)
        left, right = figure.subplots(1, 2)
        for axes, when, states, own, score in (
            (left, "Before training", before, {}, scores[0]),
            (right, "After training", after, centers, scores[1]),
        ):
            stars = "the clustering task's centres" if own else "means of the words shown"
            number = "one type" if score is None else f"silhouette {score:.3f}"
            axes.set_title(f"{when}: {number}\nstars: {stars}", fontsize="medium")
            points = _draw(axes, states, {**_means(states), **own}, looks)
        counts = Counter(after.types)
        figure.legend(
            [points[name] for name in looks],
            [f"{name} ({counts[name]})" for name in looks],
            loc="outside lower center",
            ncols=8,
            markerscale=2,
        )
    return figure


def _draw(
    axes: Axes, states: EntityStates, centers: Centers, looks: Mapping[str, tuple[str, str]]
) -> dict[str, PathCollection]:
    """The points of each type and its star, added to `axes`."""
    drawn = {}
    plane = principal_plane(states.vectors)
    points, types = plane.project(states.vectors), np.asarray(states.types)
    # The rarest type on top, where it can be seen.
    for name, _ in Counter(states.types).most_common():
        marker, colour = looks[name]
        x, y = points[types == name].T
        drawn[name] = axes.scatter(x, y, s=14, marker=marker, color=colour, alpha=0.6, linewidths=0)
    stars = np.stack([plane.project(centers[name]) for name in looks])
    for name, (x, y), (right, up) in zip(looks, stars, _directions(stars), strict=True):
        axes.scatter(x, y, s=260, marker="*", color=looks[name][1], edgecolors="black", zorder=4)
        axes.annotate(
            name, (x, y), (24 * right, 24 * up), textcoords="offset points", zorder=3,
            horizontalalignment="left" if right > 0 else "right", verticalalignment="center",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
            arrowprops={"arrowstyle": "-"},
        )  # fmt: skip
    axes.set_xlabel(f"component 1 ({plane.shares[0]:.1%} of variance)")
    axes.set_ylabel(f"component 2 ({plane.shares[1]:.1%} of variance)")
    axes.set_aspect("equal", adjustable="datalim")
    return drawn


def _directions(stars: Array) -> Array:
    """(K, 2): where the name of each star (K, 2) goes: all around, since centres often lie close.

    Outwards as far as can be: the directions go round in the order in which the stars do.
    """
    right, up = (stars - stars.mean(axis=0)).T
    around = np.arctan2(up, right)
    order = around.argsort().argsort()
    angles = around.min() + 2 * np.pi * order / len(stars)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _means(states: EntityStates) -> Centers:
    types = np.asarray(states.types)
    vectors = states.vectors.astype(np.float64)
    return {str(name): vectors[types == name].mean(axis=0) for name in np.unique(types)}
