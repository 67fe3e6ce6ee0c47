"""FiLM for mmseq: the picture scales and shifts every word's features (Perez et al. 2018)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the fusion and its preset."""
    add.fusion("film", "mmseq_film.fusion:FilmFusion")
    add.preset("film-bert-crf", "mmseq_film:presets/film-bert-crf.toml")
