"""`mmseq plot`: pictures of what a run has learned."""

from __future__ import annotations

import os
from pathlib import Path

import click

import mmseq

ENDINGS = (".png", ".svg")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--clusters", is_flag=True, help="Entity words by type, before and after training.")
@click.option("--data", metavar="DATA", help="Another data folder or file [the run's own].")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    default="test",
    help="Which split of DATA [test].",
)
@click.option("--images", metavar="DIR", help="Folder of the pictures [DATA/images].")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="New PNG or SVG file [RUN/clusters.png, replaced if it is there].",
)
def plot(
    run: Path, clusters: bool, data: str | None, split: str, images: str | None, output: Path | None
) -> None:
    """Plot what training made of the entity words in RUN's data.

    With --clusters: the fused states of all entity words, coloured by gold type, each side in the
    plane of its two greatest variances, with the types' centres; left with the weights that
    training began with, right with those of RUN. The silhouette (-1 to 1, over all dimensions)
    says how far the types stand apart. Needs the extra `report` of mmseq-mlmner.

    \b
    Example:
      mmseq plot runs/sample-cross-transformer-1 --clusters
    """
    if not clusters:
        raise mmseq.UserError("Say which plot: --clusters is the one there is.")
    if output is not None:
        _require_new(output)
    try:
        from mmseq_mlmner.plot.clusters import cluster_plot
    except ImportError as error:
        raise mmseq.UserError(
            "mmseq plot needs matplotlib and scikit-learn, of which one cannot be imported "
            f"({error}): pip install 'mmseq-mlmner[report]'."
        ) from error
    figure, facts = cluster_plot(run, split=split, data=data, images=images)
    target = output or run / "clusters.png"
    picture = mmseq.render_figure(figure, target.suffix[1:].lower())
    try:
        target.write_bytes(picture)
    except OSError as error:
        reason = error.strerror or error
        raise mmseq.UserError(
            f"{target}: cannot be written ({reason}); name another file with --output."
        ) from error
    mmseq.Reporter().line(f"{target}: {facts}")


def _require_new(output: Path) -> None:
    if output.suffix.lower() not in ENDINGS:
        raise mmseq.UserError(f"--output {output}: give a name that ends in .png or .svg.")
    if os.path.exists(output):
        raise mmseq.UserError(f"--output {output}: exists; give another name.")
    if not os.path.isdir(output.parent):
        raise mmseq.UserError(f"--output {output}: no folder {output.parent}; make it first.")
