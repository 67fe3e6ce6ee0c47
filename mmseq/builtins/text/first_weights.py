"""First weights of an LSTM, and of vectors that are looked up; and none at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@torch.no_grad()
def initialise_lstm(lstm: nn.LSTM) -> None:
    """Glorot-uniform matrices, each gate its own; biases 0, those of the forget gates 1.

    That is Ma & Hovy (2016), and Jozefowicz et al. (2015) for the forget gates.
    """
    hidden = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if parameter.dim() == 2:
            for gate in parameter.chunk(4):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            # torch has two biases that are added; gates stand in the order i, f, g, o.
            if name.startswith("bias_ih"):
                parameter[hidden : 2 * hidden] = 1


@torch.no_grad()
def initialise_vectors(vectors: nn.Embedding) -> None:
    """Uniform in ±sqrt(3 / width) (Ma & Hovy 2016); 0 at padding."""
    bound = math.sqrt(3 / vectors.embedding_dim)
    nn.init.uniform_(vectors.weight, -bound, bound)
    if vectors.padding_idx is not None:
        vectors.weight[vectors.padding_idx] = 0


_DRAWS = frozenset({"normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"})
"""Functions that draw a tensor's values, of torch and of transformers, which puts its own in their
place: known by name"""


class NothingDrawn(TorchFunctionMode):
    """Within it first weights are 0 and not drawn: for a model whose own weights are loaded next.

    Drawing takes longer than loading: of the 110 million of a base-size encoder, seconds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") not in _DRAWS:
            return func(*args, **kwargs)
        with torch.no_grad():
            return (args[0] if args else kwargs["tensor"]).zero_()
