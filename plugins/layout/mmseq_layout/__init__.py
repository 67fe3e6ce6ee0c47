"""Word boxes for mmseq: where on the page a word stands, and what the page shows there."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the two fusions and a preset for each."""
    add.fusion("layout", "mmseq_layout.fusion:LayoutFusion")
    add.fusion("layout-regions", "mmseq_layout.fusion:LayoutRegionsFusion")
    add.preset("layout-bert-crf", "mmseq_layout:presets/layout-bert-crf.toml")
    add.preset("layout-regions-bert-crf", "mmseq_layout:presets/layout-regions-bert-crf.toml")
