"""The layer all of UMT is built of: BERT's, with keys that may come from elsewhere."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from mmseq import attend


class TransformerLayer(nn.Module):
    """Post-norm transformer layer; attention over no key contributes exactly 0.

    S' = LayerNorm(S + W_o attend(S W_q, C W_k, C W_v)), then LayerNorm(S' + FFN(S')), with biases,
    `heads` heads and an exact GELU (Li et al. 2022, Eq. 1-2; Devlin et al. 2019). Where a sentence
    has no key at all, LayerNorm(S) remains of the first half: not even the bias of W_o is added.
    """

    def __init__(self, width: int, heads: int, dropout: float, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.gelu = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """`states` (B, Q, width) query `context` (B, K, width); `mask` (B, K) bool: real keys."""
        attended = attend(
            self._split(self.query(states)),
            self._split(self.key(context)),
            self._split(self.value(context)),
            mask,
            self.dropout.p if self.training else 0.0,
        )
        attended = self.output(attended.transpose(1, 2).flatten(2))
        attended = attended * mask.any(dim=1)[:, None, None]
        states = self.attention_norm(states + self.dropout(attended))
        changed = self.outer(self.gelu(self.inner(states)))
        return cast(Tensor, self.norm(states + self.dropout(changed)))

    def _split(self, vectors: Tensor) -> Tensor:
        """(B, n, width) to (B, heads, n, width / heads)."""
        batch, number, width = vectors.shape
        split = vectors.view(batch, number, self.heads, width // self.heads)
        return split.transpose(1, 2)


class Transformer(nn.Module):
    """Several `TransformerLayer`: over its own states, or over a context that stays the same."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float, expansion: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, dropout, expansion) for _ in range(layers)
        )

    def forward(self, states: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, Q, width); `mask` (B, K) bool of the keys: `context` (B, K, width), or `states`."""
        for layer in self.layers:
            states = layer(states, states if context is None else context, mask)
        return states


def initialise(module: nn.Module) -> None:
    """BERT's initialisation, for `Module.apply`: linear weights N(0, 0.02), biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
