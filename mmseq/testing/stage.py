"""What an auxiliary task reads: the views of tiny encoders and of every registered fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.fusion import Fusion
from mmseq.contracts.states import Sizes, Targets
from mmseq.model.fields import fields_read
from mmseq.model.guard import ReadViews
from mmseq.registry.plugins import registry
from mmseq.registry.registry import Registry
from mmseq.testing.world import LABELS, World, worlds


@dataclass(frozen=True)
class Case:
    """What a task gets for a batch."""

    views: dict[str, Tensor]
    targets: Targets
    emissions: Tensor


class Stage:
    """Encoders and a fusion, whose views a task may read."""

    def __init__(self, world: World, name: str, fusion: Fusion) -> None:
        self.name = f"fusion '{name}' beside {world.name}"
        self.world, self.fusion = world, fusion.eval()
        views = {"picture": world.sizes.image, **world.sizes.parts, **fusion.views}
        views |= {"words": world.sizes.text, "fused": fusion.width}
        self.sizes: Sizes = replace(
            world.sizes,
            views=views,
            sentence_views=dict(fusion.sentence_views),
            losses={"main": 1.0, "checked": 1.0},
        )
        self.offered = {**views, **fusion.sentence_views}
        """Widths of all that a task may read"""

    def require_fields(self, title: str, task: AuxTask) -> None:
        """An error where the task reads a field in another way than what stands here, or one that
        it cannot have.
        """
        encoders = {self.world.name: self.world.text.extras, self.name: self.fusion.extras}
        fields_read(encoders, {title: task})

    @torch.no_grad()
    def case(self, indexes: Sequence[int], task: type[AuxTask]) -> Case:
        """Of those sentences, what a task of that class gets."""
        text, images = self.world.states(indexes, self.fusion.extras)
        fused = self.fusion(text, images)
        views = {**fused.sentence_views, **text.parts, **fused.views}
        views |= {"words": text.words, "fused": fused.states}
        if images is not None:
            views = {"picture": images.pooled, **views}
        draw = torch.Generator().manual_seed(2)
        head = torch.randn(self.fusion.width, len(LABELS), generator=draw)
        targets = self.world.batch(indexes, self.fusion.extras, task).targets
        return Case(ReadViews(task.views, views), targets, fused.states @ head)


def stages() -> list[Stage]:
    """Every registered fusion beside every fixture, those of the engine first."""
    return _stages(registry())


@lru_cache(maxsize=1)
def _stages(known: Registry) -> list[Stage]:
    entries = sorted(known.entries("fusion"), key=lambda e: e.distribution != "mmseq")
    found = []
    for entry in entries:
        for world in worlds(pictures=True):
            # A fusion that cannot be built there offers no views; its own check tells why.
            try:
                found.append(Stage(world, entry.name, entry.load()(world.sizes)))
            except Exception:  # noqa: S112
                continue
    return found
