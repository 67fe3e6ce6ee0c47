"""Visual prefixes for mmseq: pictures act inside the text encoder (after Chen et al. 2022)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the text encoder and its preset."""
    add.text_encoder("prefix", "mmseq_prefix.encoder:PrefixEncoder")
    add.preset("prefix-bert-crf", "mmseq_prefix:presets/prefix-bert-crf.toml")
