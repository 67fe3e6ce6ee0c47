"""Pyramid picture features to attention prefixes, one for each layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, layer_norm, leaky_relu

from mmseq_prefix.attention import HeadShape, Prefix


class VisualPrefixes(nn.Module):
    """Levels of a picture's pyramid, gated for each text layer, as keys and values.

    With M_i the map of level i, pooled to p = side x side places::

        V_i = LayerNorm(pool(M_i)) W_i + b_i                       (p, width)
        m = mean over levels and places of V_i
        g^l = softmax over levels of LeakyReLU(W^l m + b^l)        one gate for each text layer l
        Vg^l = sum_i g_i^l V_i
        [phi_k^l ; phi_v^l] = Vg^l W_phi^l + b_phi^l               split into the layer's heads

    The LayerNorm is over channels and has no weights: levels have scales of their own.
    """

    def __init__(
        self, levels: Sequence[int], layers: Sequence[HeadShape], width: int, side: int
    ) -> None:
        super().__init__()
        self.side = side
        self.shapes = tuple(layers)
        self.levels = nn.ModuleList(nn.Linear(channels, width) for channels in levels)
        self.gates = nn.ModuleList(nn.Linear(width, len(levels)) for _ in layers)
        self.prefixes = nn.ModuleList(
            nn.Linear(width, shape.heads * (shape.key + shape.value)) for shape in layers
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor], present: Tensor) -> list[Prefix]:
        """Of each layer; `maps` (B, C, h, w) of each level, `present` (B,) bool: has a picture."""
        projected = torch.stack(
            [level(self._pooled(map_)) for level, map_ in zip(self.levels, maps, strict=True)],
            dim=1,
        )
        mean = projected.mean(dim=(1, 2))
        found = []
        for gate, linear, shape in zip(self.gates, self.prefixes, self.shapes, strict=True):
            shares = leaky_relu(gate(mean)).softmax(dim=-1)
            gated = torch.einsum("bi,bipw->bpw", shares, projected)
            ends = [shape.heads * shape.key, shape.heads * shape.value]
            keys, values = linear(gated).split(ends, dim=-1)
            found.append(Prefix(_heads(keys, shape.heads), _heads(values, shape.heads), present))
        return found

    def _pooled(self, map_: Tensor) -> Tensor:
        """(B, p, C), row by row."""
        pooled = adaptive_avg_pool2d(map_, self.side).flatten(2).transpose(1, 2)
        return layer_norm(pooled, pooled.shape[-1:])


def _heads(vectors: Tensor, heads: int) -> Tensor:
    """(B, p, heads * d) to (B, heads, p, d)."""
    return vectors.view(*vectors.shape[:2], heads, -1).transpose(1, 2)
