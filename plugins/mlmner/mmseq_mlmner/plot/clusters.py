"""What `mmseq plot --clusters` shows: states of a run, its centres, how far types stand apart."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

import mmseq
from mmseq_mlmner.cluster import ClusterTask
from mmseq_mlmner.plot.figure import draw_clusters
from mmseq_mlmner.plot.silhouette import silhouette


def cluster_plot(
    run: Path, *, split: str = "test", data: str | None = None, images: str | None = None
) -> tuple[Figure, str]:
    """The figure of a finished run's entity words, and a line on what it shows.

    Options and errors as of `mmseq.entity_states`.
    """
    tagger = mmseq.load(run)
    tagger.reporter.quiet = False
    before, after = (
        mmseq.entity_states(tagger, split=split, data=data, images=images, trained=trained)
        for trained in (False, True)
    )
    tasks = [task for task in tagger.model.tasks.values() if isinstance(task, ClusterTask)]
    centers = {
        name: center.numpy()
        for task in tasks
        for name, center in task.named_centers().items()
        if name in after.types
    }
    scores = [silhouette(states.vectors, states.types) for states in (before, after)]
    words, types = len(after.words), len(set(after.types))
    source = f"the {split} data in {data}" if data else f"its {split} data"
    title = f"{run.resolve().name}: {words} entity words of {source}"
    first, last = ("none" if score is None else f"{score:.3f}" for score in scores)
    return (
        draw_clusters(title, before, after, centers, scores),
        f"entity words: {words}; types: {types}; silhouette: {first} before training, {last} after",
    )
