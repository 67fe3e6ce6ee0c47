"""An LSTM's first weights."""

from __future__ import annotations

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
