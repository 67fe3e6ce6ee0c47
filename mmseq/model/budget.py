"""How much a model that is built again may ask for: what its file of weights can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mmseq.errors import UserError

SLACK = 2**29
"""Bytes beyond: parts that are built and not kept, as a classifier is"""
TIMES = 3
"""So often the weights: tied ones are made once for each place"""
CALLS = 5_000
"""Tensors beyond those of the weights"""
EACH = 20
"""Tensors that are made for one of the weights"""

_MADE = frozenset(
    {
        *("empty", "zeros", "ones", "full", "rand", "randn", "randint", "randperm", "eye"),
        *("arange", "range", "linspace", "logspace", "empty_strided", "tril_indices"),
        *("triu_indices", "new_empty", "new_zeros", "new_ones", "new_full", "repeat"),
    }
)
"""Functions that make a tensor of sizes that they are told: known by name"""


class Budget(TorchFunctionMode):
    """Within it `UserError`, before memory is taken, for tensors of more bytes in all, or for more
    of them, than a model can have whose `held` tensors have `size` bytes. `what`: the folder that
    asks, for the message.
    """

    def __init__(self, held: int, size: int, what: str) -> None:
        super().__init__()
        self._bytes = SLACK + TIMES * size
        self._calls = CALLS + EACH * held
        self._size, self._what = size, what

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _MADE:
            self._take(_bytes(func, args, kwargs))
        return func(*args, **kwargs)

    def _take(self, size: int) -> None:
        self._bytes -= size
        self._calls -= 1
        if self._bytes < 0 or self._calls < 0:
            more = f"{size / 1e9:,.1f} GB at once" if size > SLACK else "ever more tensors"
            raise UserError(
                f"{self._what}: asks for {more}, and the weights are {self._size / 1e9:,.3f} GB in "
                "all: they are of another model; restore the folder from where the run was made."
            )


def _bytes(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Of the tensor that a call makes, told by one that has no memory."""
    if "out" in kwargs:
        return 0
    own = args[0] if args and isinstance(args[0], torch.Tensor) else None
    try:
        if own is not None:
            made = func(own.to("meta"), *args[1:], **{**kwargs, "device": "meta"})
        else:
            made = func(*args, **{**kwargs, "device": "meta"})
    # Of no device, as `repeat`, or wrong: then the call says so itself.
    except TypeError:
        return (
            math.prod(n for n in args[1:] if isinstance(n, int)) * own.nbytes
            if own is not None
            else 0
        )
    return int(made.nbytes)
