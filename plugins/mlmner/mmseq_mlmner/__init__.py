"""MLMNER for mmseq: contrastive and clustering tasks for multimodal NER (Li et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mmseq

if TYPE_CHECKING:
    import click


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the two auxiliary tasks and the paper's settings."""
    add.aux_task("contrastive", "mmseq_mlmner.contrastive:ContrastiveTask")
    add.aux_task("cluster", "mmseq_mlmner.cluster:ClusterTask")
    add.preset("mlmner", "mmseq_mlmner:presets/mlmner.toml")


@mmseq.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `mmseq plot`."""
    from mmseq_mlmner.plot import plot

    cli.add_command(plot)
