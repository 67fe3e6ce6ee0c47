"""Modality attention for mmseq: words weigh word, characters, picture (Moon et al. 2018)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion and the whole system as a preset."""
    add.fusion("modality-attention", "mmseq_modality_attention.fusion:ModalityAttentionFusion")
    add.preset(
        "modality-attention-bilstm-crf",
        "mmseq_modality_attention:presets/modality-attention-bilstm-crf.toml",
    )
