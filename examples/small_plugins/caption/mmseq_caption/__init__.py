"""A task for mmseq that reads a text: which words the caption of the picture has."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register the task."""
    add.aux_task("caption", "mmseq_caption.task:CaptionTask")
