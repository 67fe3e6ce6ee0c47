"""The end of the preparation phase: tasks observe the training data, and may begin."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from mmseq.console import Advance
from mmseq.model import calls
from mmseq.model.batch import Batch
from mmseq.model.model import Model


@torch.no_grad()
def observe(model: Model, steps: Iterable[Iterable[Batch]], advance: Advance) -> None:
    """The tasks that asked for a preparation see every batch of this process, and finish it."""
    model.eval()
    waiting = {name: model.task(name) for name in model.tasks if model.task(name).preparation}
    for batches in steps:
        for batch in batches:
            views, _ = model.views(batch)
            for name, task in waiting.items():
                calls.observe(model.title(f"aux.{name}"), task, views, batch.targets)
        advance(1)
    for name, task in waiting.items():
        calls.finish(model.title(f"aux.{name}"), task)
