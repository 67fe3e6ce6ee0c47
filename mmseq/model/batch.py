"""A batch: sentences and their pictures as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mmseq.contracts.image_encoder import Pictures
from mmseq.contracts.states import Targets
from mmseq.contracts.text_encoder import TextInputs
from mmseq.model.guard import ReadFields


@dataclass(frozen=True)
class Batch:
    """A batch as the model gets it."""

    text: TextInputs
    targets: Targets
    pictures: Mapping[str, Tensor] | Pictures = field(default_factory=dict)
    """Precomputed pictures, P rows each, every distinct one once; empty without pictures. Or what
    an image encoder that does not change any more has given for them
    """
    owner: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """(N,) long: a sentence that has a picture, for each picture that a sentence has"""
    slot: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """(N,) long: the picture's number within that sentence"""
    row: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """(N,) long: which of the P it is"""

    def to(self, device: torch.device) -> Batch:
        """The batch with every tensor on `device`."""

        def moved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {k: t.to(device, non_blocking=True) for k, t in tensors.items()}

        extras = ReadFields(moved(self.text.extras))
        of_tasks = {k: t for k, t in self.targets.extras.items() if k not in extras}
        mask = self.text.mask.to(device)
        tags, shared, known = self.targets.tags, self.targets.picture, self.targets.known
        return Batch(
            TextInputs(moved(self.text.tensors), mask, extras),
            replace(
                self.targets,
                mask=mask,
                has_image=self.targets.has_image.to(device),
                tags=None if tags is None else tags.to(device),
                extras=ReadFields({**extras, **moved(of_tasks)}),
                picture=None if shared is None else shared.to(device),
                known=None if known is None else known.to(device),
            ),
            self._pictures_to(device),
            self.owner.to(device),
            self.slot.to(device),
            self.row.to(device),
        )

    def _pictures_to(self, device: torch.device) -> Mapping[str, Tensor] | Pictures:
        given = self.pictures
        if not isinstance(given, Pictures):
            return {k: t.to(device, non_blocking=True) for k, t in given.items()}
        regions, vector, grid, *levels = (
            t.to(device, non_blocking=True)
            for t in (given.regions, given.vector, given.grid, *given.levels)
        )
        return Pictures(regions, vector, grid, tuple(levels))
