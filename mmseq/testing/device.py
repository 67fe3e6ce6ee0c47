"""Would it run on a GPU? A tensor made on the CPU by itself must not meet those of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from mmseq.testing.contract import Judge
from mmseq.testing.tensors import places

_NAMES = (
    "arange", "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randint", "randn",
    "randperm", "tensor", "zeros",
)  # fmt: skip
MAKERS = {getattr(torch, name) for name in _NAMES}
"""Make a tensor on the CPU unless a device is named"""
MOVERS = ("to", "copy_", "cpu", "cuda", "type_as", "tolist", "item", "numpy")
MIXERS = ("__getitem__", "__setitem__", "index_put", "index_put_", "_pack_padded_sequence")
"""Take indexes or lengths from the CPU too"""


class Strays(TorchFunctionMode):
    """Follows the tensors that a component makes without naming a device.

    The batch is taken to be on another device: an operation that mixes such a tensor (0-dim ones
    may be mixed) with any other would fail there.
    """

    def __init__(self, judge: Judge, known: Iterable[Tensor]) -> None:
        super().__init__()
        self._judge = judge
        # Kept, so that no id is given twice.
        self._made: dict[int, Tensor] = {id(tensor): tensor for tensor in known}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in MAKERS:
            if kwargs.get("device") is None:
                self._keep(result)
            return result
        name = getattr(func, "__name__", "")
        if name in ("to", "type_as") and _to_another(args[1:], kwargs):
            # Where it is there already, it comes back as it was.
            self._made.pop(id(args[0]), None)
        given = [tensor for _, tensor in places((args, kwargs))]
        strays = [t for t in given if id(t) in self._made and t.dim()]
        if strays and name not in MOVERS and name not in MIXERS:
            if len(strays) < len([t for t in given if t.dim()]):
                shape = tuple(strays[0].shape)
                self._judge.fail(
                    "device (a tensor made on the CPU)",
                    f"{resolve_name(func) or name} mixes one of shape {shape} with the batch's",
                    "torch.zeros(…, device=x.device), x.new_zeros(…), or a buffer",
                )
            for _, tensor in places(result):
                self._keep(tensor)
        return result

    def _keep(self, tensor: Tensor) -> None:
        self._made[id(tensor)] = tensor


def _to_another(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Does a call of `Tensor.to` name a device, itself or by another tensor?"""
    return any(
        isinstance(value, Tensor | torch.device | str) for value in (*args, *kwargs.values())
    )


@contextmanager
def no_strays(judge: Judge, module: nn.Module) -> Iterator[None]:
    """Fail if the block's forward pass needs the batch on the CPU."""
    plain = [v for part in module.modules() for v in vars(part).values() if isinstance(v, Tensor)]
    with Strays(judge, plain):
        yield


def check_device(judge: Judge, module: nn.Module, call: Callable[[], object]) -> None:
    """The forward pass in both modes mixes no tensor made on the CPU with those of the batch."""
    for mode in (True, False):
        module.train(mode)
        with no_strays(judge, module):
            call()
    module.eval()
