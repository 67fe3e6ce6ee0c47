"""Transformer layers whose attention sees where words stand."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class LayoutLayer(nn.Module):
    """Pre-norm transformer layer with a bias on its attention scores.

    z' = z + W_o softmax(Q K^T / sqrt(d) + bias) V with Q, K, V from LayerNorm(z), then
    z' + FFN(LayerNorm(z')); `heads` heads of width d, exact GELU. W_o and the FFN's last map start
    at 0: a new layer gives z.
    """

    def __init__(self, width: int, heads: int, dropout: float, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.change = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
        )
        # Each half starts by adding nothing: the words are good before the layer has learned.
        for last in (self.output, self.change[-1]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """`states` (B, W, width); `bias` (B, heads, W, W), very low where j is not a word."""
        joint = self.query_key_value(self.attention_norm(states))
        query, key, value = joint.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout.p if self.training else 0.0
        seen = scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype), dropout_p=dropout
        )
        states = states + self.dropout(self.output(seen.transpose(1, 2).flatten(2)))
        changed: Tensor = states + self.dropout(self.change(self.norm(states)))
        return changed
