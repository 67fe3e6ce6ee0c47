"""A decoder for mmseq that scores spans of words, by their first and last."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the decoder."""
    add.decoder("spans", "mmseq_spans.decoder:SpanDecoder")
