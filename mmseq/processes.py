"""Several processes: gathering with gradient, and sums. With one process, the identity."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather


def process_count() -> int:
    """Number of processes training together."""
    return distributed.get_world_size() if _running() else 1


def gather(vectors: Tensor) -> tuple[Tensor, int]:
    """The vectors of all processes, with gradient, and the index of this process's first one.

    `vectors` (n, d), n may differ between processes and be 0. Every process must call it the same
    number of times in the same order.
    """
    if not _running():
        return vectors, 0
    counts = torch.zeros(process_count(), dtype=torch.long, device=vectors.device)
    counts[distributed.get_rank()] = len(vectors)
    distributed.all_reduce(counts)
    sizes = counts.tolist()
    # Collectives want equal shapes: pad to the largest, cut after.
    padded = vectors.new_zeros(max(*sizes, 1), vectors.shape[1])
    padded = torch.cat([vectors, padded[len(vectors) :]])
    parts = all_gather(padded)
    joined = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return joined, sum(sizes[: distributed.get_rank()])


def all_sum(tensor: Tensor) -> Tensor:
    """`tensor` summed over all processes (no gradient)."""
    if not _running():
        return tensor
    total = tensor.detach().clone()
    distributed.all_reduce(total)
    return total


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def sum_gradients(module: nn.Module) -> None:
    """Add up every parameter's gradient over the processes.

    Losses are already divided by the number of items of all processes, so the sum is exact also
    where one process had no picture or no entity; a weight unused in one process counts 0 there.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
    )
    used = torch.tensor([float(p.grad is not None) for p in parameters], device=flat.device)
    distributed.all_reduce(flat)
    distributed.all_reduce(used)
    start = 0
    for parameter, count in zip(parameters, used.tolist(), strict=True):
        part = flat[start : start + parameter.numel()]
        start += parameter.numel()
        # A weight that no process used keeps no gradient, as in one process.
        parameter.grad = part.view_as(parameter).clone() if count else None
