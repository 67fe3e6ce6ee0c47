"""A task for mmseq that reads a label of the sentence: its sentiment."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the task."""
    add.aux_task("sentiment", "mmseq_sentiment.task:SentimentTask")
