"""A fusion for mmseq that says how text and picture go together, and a task that trains it."""

from __future__ import annotations

import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register fusion and task."""
    add.fusion("relation", "mmseq_relation.fusion:RelationFusion")
    add.aux_task("relation", "mmseq_relation.task:RelationTask")
