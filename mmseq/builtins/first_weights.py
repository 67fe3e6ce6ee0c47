"""First weights of an LSTM, and of vectors that are looked up."""

from __future__ import annotations

import math

import torch
from torch import nn


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
