"""The pictures of a batch, gathered by sentence."""

from __future__ import annotations

import torch
from torch import Tensor

from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.contracts.states import ImageStates
from mmseq.model.batch import Batch


def image_states(batch: Batch, encoder: ImageEncoder) -> ImageStates:
    """The pictures of a batch, gathered by sentence. The encoder sees each distinct one once,
    forward and backward, however many sentences share it.
    """
    sentences, device = len(batch.text.mask), batch.text.mask.device
    if not len(batch.owner):
        # One region that is masked out: attention over nothing is defined, and every weight
        # keeps its place in the graph.
        return ImageStates(
            regions=torch.zeros(sentences, 1, encoder.width, device=device),
            mask=torch.zeros(sentences, 1, dtype=torch.bool, device=device),
            vector=torch.zeros(sentences, encoder.width, device=device),
            grid=torch.zeros(sentences, 1, 4, device=device),
            image_index=torch.zeros(sentences, 1, dtype=torch.long, device=device),
            levels=tuple(torch.zeros(sentences, c, 1, 1, device=device) for c in encoder.levels),
        )
    given = batch.pictures
    distinct = given if isinstance(given, Pictures) else encoder(given)
    pictures = _of_sentences(distinct, batch.row)
    slots = int(batch.slot.max()) + 1
    count, width = pictures.regions.shape[1:]
    place = batch.owner * slots + batch.slot
    # Out of place and by rows: a sentence's pictures side by side, empty slots zero.
    regions = pictures.regions.new_zeros(sentences * slots, count, width)
    regions = regions.index_copy(0, place, pictures.regions)
    present = torch.zeros(sentences * slots, dtype=torch.bool, device=device)
    present[place] = True
    return ImageStates(
        regions=regions.view(sentences, slots * count, width),
        mask=present.view(sentences, slots, 1)
        .expand(-1, -1, count)
        .reshape(sentences, slots * count),
        vector=_mean(pictures.vector, batch.owner, sentences),
        grid=pictures.grid.repeat(slots, 1).expand(sentences, -1, -1),
        image_index=torch.arange(slots, device=device)
        .repeat_interleave(count)
        .expand(sentences, -1),
        levels=tuple(_mean(level, batch.owner, sentences) for level in pictures.levels),
    )


def _of_sentences(distinct: Pictures, row: Tensor) -> Pictures:
    """(P, …) to (N, …): each distinct picture wherever a sentence has it."""
    if len(row) == len(distinct.regions):
        return distinct  # They are numbered as they come, so that each is where it belongs.
    return Pictures(
        distinct.regions[row],
        distinct.vector[row],
        distinct.grid,
        tuple(level[row] for level in distinct.levels),
    )


def _mean(rows: Tensor, owner: Tensor, sentences: int) -> Tensor:
    """Mean of the rows of each sentence, zero where it has none."""
    total = rows.new_zeros(sentences, *rows.shape[1:]).index_add(0, owner, rows)
    count = torch.bincount(owner, minlength=sentences).clamp(min=1)
    return total / count.view(-1, *[1] * (rows.dim() - 1))
