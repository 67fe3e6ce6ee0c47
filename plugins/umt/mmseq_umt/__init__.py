"""UMT for mmseq: the cross-transformer fusion and entity boundary detection (Yu et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mmseq

if TYPE_CHECKING:
    import click


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion, the auxiliary task and the paper's settings."""
    add.fusion("cross-transformer", "mmseq_umt.cross_transformer:CrossTransformerFusion")
    add.aux_task("boundary", "mmseq_umt.boundary:BoundaryTask")
    add.preset("umt-bert-crf", "mmseq_umt:presets/umt-bert-crf.toml")
    add.preset("mt-bert-crf", "mmseq_umt:presets/mt-bert-crf.toml")


@mmseq.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `mmseq parity`."""
    from mmseq_umt.parity.command import parity

    cli.add_command(parity)
