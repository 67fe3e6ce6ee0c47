"""MLMNER for mmseq: contrastive and clustering tasks for multimodal NER (Li et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mmseq

if TYPE_CHECKING:
    import click


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the two auxiliary tasks, the paper's settings, ablations and tables."""
    add.aux_task("contrastive", "mmseq_mlmner.contrastive:ContrastiveTask")
    add.aux_task("cluster", "mmseq_mlmner.cluster:ClusterTask")
    for name in (
        "mlmner",
        "mlmner-no-cluster",
        "mlmner-no-contrastive",
        "mlmner-no-cluster-no-contrastive",
    ):
        add.preset(name, f"mmseq_mlmner:presets/{name}.toml")
    for name in ("table3", "table4"):
        add.plan(name, f"mmseq_mlmner:plans/{name}.toml")
    add.published("multimodal-ner-twitter", "mmseq_mlmner:published/twitter.toml")


@mmseq.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `mmseq plot`."""
    from mmseq_mlmner.plot.command import plot

    cli.add_command(plot)
