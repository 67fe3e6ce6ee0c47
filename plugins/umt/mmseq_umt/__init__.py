"""UMT for mmseq: the cross-transformer fusion and entity boundary detection (Yu et al. 2020)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion, the auxiliary task and the paper's settings."""
    add.fusion("cross-transformer", "mmseq_umt.cross_transformer:CrossTransformerFusion")
    add.aux_task("boundary", "mmseq_umt.boundary:BoundaryTask")
    add.preset("umt-bert-crf", "mmseq_umt:presets/umt-bert-crf.toml")
    add.preset("mt-bert-crf", "mmseq_umt:presets/mt-bert-crf.toml")
