"""GVATT for mmseq: visual attention by the sentence and a gate for every word (Lu et al. 2018)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion and the published settings."""
    add.fusion("gvatt", "mmseq_gvatt.fusion:GvattFusion")
    add.preset("gvatt-hbilstm-crf", "mmseq_gvatt:presets/gvatt-hbilstm-crf.toml")
    add.preset("gvatt-bert-crf", "mmseq_gvatt:presets/gvatt-bert-crf.toml")
