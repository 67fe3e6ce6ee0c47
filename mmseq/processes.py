"""Several processes: gathering with gradient, and sums. With one process, the identity."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

T = TypeVar("T")


def process_count() -> int:
    """Number of processes training together."""
    return distributed.get_world_size() if _running() else 1


def process_index() -> int:
    """The number of this process among them, from 0."""
    return distributed.get_rank() if _running() else 0


def gather(vectors: Tensor) -> tuple[Tensor, int]:
    """The vectors of all processes, with gradient, and the index of this process's first one.

    `vectors` (n, d), n may differ between processes and be 0. Every process must call it the same
    number of times in the same order, and use the result in its loss, be it for no item: the
    backward pass is a meeting of all processes too. So is a gradient on the text encoder's states
    alone: take the vectors of no item from the views too (by an empty mask), never made anew.
    """
    if not _running():
        return vectors, 0
    counts = torch.zeros(process_count() + 1, dtype=torch.long, device=vectors.device)
    counts[distributed.get_rank()] = len(vectors)
    counts[-1] = vectors.requires_grad and torch.is_grad_enabled()
    distributed.all_reduce(counts)
    *sizes, needing_gradient = counts.tolist()
    # Collectives want equal shapes: pad to the largest, cut after.
    padded = vectors.new_zeros(max(*sizes, 1), vectors.shape[1])
    padded = torch.cat([vectors, padded[len(vectors) :]])
    if needing_gradient and not padded.requires_grad:
        # A process whose own vectors need no gradient goes backward with the others all the same.
        padded.requires_grad_()
    parts = _AllGather.apply(padded)
    joined = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return joined, sum(sizes[: distributed.get_rank()])


def all_sum(tensor: Tensor) -> Tensor:
    """`tensor` summed over all processes (no gradient)."""
    if not _running():
        return tensor.detach()
    total = tensor.detach().clone()
    distributed.all_reduce(total)
    return total


def from_all(value: T) -> list[T]:
    """`value` of every process, in their order. Small ones: they travel pickled."""
    if not _running():
        return [value]
    values: list[Any] = [None] * process_count()
    distributed.all_gather_object(values, value)
    return values


def any_of_all(wish: bool, device: torch.device) -> bool:
    """Whether any process says so: all get the same answer, on `device`."""
    return wish if not _running() else bool(all_sum(torch.tensor(int(wish), device=device)).item())


def sum_gradients(module: nn.Module) -> None:
    """Add up every parameter's gradient over the processes.

    Losses are already divided by the number of items of all processes, so the sum is exact also
    where one process had no picture or no entity; a weight unused in one process counts 0 there.
    """
    if not _running():
        return
    parameters = [p for p in module.parameters() if p.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
    )
    used = torch.tensor([float(p.grad is not None) for p in parameters], device=flat.device)
    distributed.all_reduce(flat)
    distributed.all_reduce(used)
    start = 0
    for parameter, count in zip(parameters, used.tolist(), strict=True):
        # Not copied: gradients last as long as the step, as their sum does.
        part = flat[start : start + parameter.numel()]
        start += parameter.numel()
        # A weight that no process used keeps no gradient, as in one process.
        parameter.grad = part.view_as(parameter) if count else None


class _AllGather(torch.autograd.Function):
    """Tensors of one shape from all processes, stacked; the gradient is summed over them."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(process_count())]
        distributed.all_gather(parts, tensor.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[distributed.get_rank()]


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()
