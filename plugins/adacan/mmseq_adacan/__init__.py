"""AdaCAN for mmseq: adaptive co-attention of words and image regions (Zhang et al. 2018)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion and the published settings."""
    add.fusion("adacan", "mmseq_adacan.fusion:AdacanFusion")
    add.preset("adacan-cnn-bilstm-crf", "mmseq_adacan:presets/adacan-cnn-bilstm-crf.toml")
    add.preset("adacan-bert-crf", "mmseq_adacan:presets/adacan-bert-crf.toml")
