"""A language model as auxiliary task for mmseq: predict each word's neighbours (Rei 2017)."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the auxiliary task."""
    add.aux_task("language-model", "mmseq_language_model.task:LanguageModelTask")
