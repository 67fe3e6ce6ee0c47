"""Linear layers in 8 bits, for prediction on a CPU."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from mmseq.errors import UserError

WEIGHT = 63
"""Largest weight as an integer: 7 bits beside inputs of 8, as processors without the newer
instructions add two products in 16 bits, and 2 x 63 x 255 just fits"""


class Int8Linear(nn.Module):
    """A linear layer whose weights are small integers, with a scale for each output.

    Its input is rounded to 8 bits over the range that it has in the batch (torch's dynamic
    quantisation), so that a sentence's results depend a little on the sentences beside it. In a
    layer with more outputs than inputs each row is first brought to one size: there single large
    rows, such as a separator's, cost the others most, and beside the product it is cheap. Raises
    AttributeError or RuntimeError where torch cannot multiply so.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach().float()
        scales = (weight.abs().amax(dim=1) / WEIGHT).clamp(min=torch.finfo(torch.float32).tiny)
        zeros = torch.zeros(len(scales), dtype=torch.long)
        self.bias = None if linear.bias is None else linear.bias.detach().float()
        self._by_row = self.out_features > self.in_features
        with warnings.catch_warnings():
            # torch is to lose its quantised tensors one day; a user can do nothing about that.
            warnings.simplefilter("ignore")
            whole = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            bias = None if self._by_row else self.bias
            self._packed = torch.ops.quantized.linear_prepack(whole, bias)

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs) as multiplied, in 32 bits: for code that looks into a layer."""
        whole: Tensor = torch.ops.quantized.linear_unpack(self._packed)[0].dequantize()
        return whole

    def forward(self, values: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), in 32 bits."""
        if not self._by_row:
            return self._product(values)
        size = values.abs().amax(dim=-1, keepdim=True)
        size = size.clamp(min=torch.finfo(torch.float32).tiny)
        found = self._product(values / size)
        return found * size if self.bias is None else torch.addcmul(self.bias, found, size)

    def _product(self, values: Tensor) -> Tensor:
        # The weights leave room for all 8 bits of the input.
        found: Tensor = torch.ops.quantized.linear_dynamic(values, self._packed, False)
        return found


def quantise(part: nn.Module, title: str) -> int:
    """Put an `Int8Linear` in place of each linear layer of a model's `part`; gives their number.

    Subclasses of `nn.Linear` are left alone: their owners know why. `title`: what messages call
    the part. Raises `UserError` where it has no linear layer, or torch no way to multiply so.
    """
    made: dict[nn.Module, Int8Linear] = {}
    # A layer that several share is found by each of its names.
    for name, layer in list(part.named_modules(remove_duplicate=False)):
        if type(layer) is not nn.Linear:
            continue
        if layer not in made:
            try:
                made[layer] = Int8Linear(layer)
            except (AttributeError, RuntimeError) as error:
                raise UserError(
                    f"int8: torch {torch.__version__} has no 8-bit linear layers for this "
                    "processor; leave int8 out."
                ) from error
        owner, _, own = name.rpartition(".")
        setattr(part.get_submodule(owner), own, made[layer])
    if not made:
        raise UserError(f"int8: {title} has no linear layers to quantise; leave int8 out.")
    return len(made)
