"""Where gradients must go: to every weight that trains, and back to what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mmseq.testing.contract import Judge, Outputs

DRAWS = 3
"""Training passes together: one alone may drop a whole weight out"""


def total(outputs: Outputs) -> Tensor:
    """A random sum over all that is given for real words and sentences."""
    draw = torch.Generator().manual_seed(5)
    values = [t[outputs.mask] for t in outputs.words.values()] + list(outputs.sentences.values())
    sums = [(v * torch.randn(v.shape, generator=draw).to(v)).sum() for v in values]
    return torch.stack(sums).sum()


def check_weights(
    judge: Judge,
    module: nn.Module,
    loss: Callable[[], Tensor],
    unused: Sequence[str] = (),
    where: str = "",
) -> None:
    """Every trained weight gets a finite gradient, but for those said to be `unused`."""
    contract = f"gradients of its weights{where}"
    module.train()
    module.zero_grad(set_to_none=True)
    for seed in range(DRAWS):
        torch.manual_seed(seed)
        with judge.running(f"training mode{where}"):
            value = loss()
        if value.requires_grad:
            with judge.running("backward", "no operation changes in place what backward needs"):
                value.backward()  # type: ignore[no-untyped-call]
    module.eval()
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    for name in unused:
        right = f"name one of {', '.join(trained)}"
        judge.require(name in trained, contract, f"unused '{name}' is not its weight", right)
    without = [n for n, p in trained.items() if p.grad is None and n not in unused]
    judge.require(
        not without,
        contract,
        f"none for {', '.join(without)}",
        "every weight has a share in the result (no detach, .data or .item() on the way), or does "
        "not require a gradient, or is named as unused",
    )
    for name, parameter in trained.items():
        if parameter.grad is not None:
            judge.finite(contract, f"the gradient of {name}", parameter.grad)
    module.zero_grad(set_to_none=True)


def check_pictures_reached(
    judge: Judge, found: Mapping[str, Tensor], present: Tensor, into: str
) -> None:
    """Every sentence's pictures have a gradient: `found` of each tensor (B, …); `present` (B,)."""
    reach = torch.stack([g.flatten(1).abs().sum(dim=1) for g in found.values()]).sum(dim=0)
    blind = ((reach == 0) & present).nonzero()[:, 0].tolist()
    judge.require(
        not blind,
        "gradients of its inputs",
        f"none for the pictures of sentences {blind}",
        f"regions, vector or levels have a share in the {into}, or needs_images is False",
    )


def gradients(
    judge: Judge, value: Tensor, inputs: Mapping[str, Tensor], where: str = ""
) -> dict[str, Tensor]:
    """The gradient of `value` with respect to each input; all 0 where it does not reach it."""
    if not value.requires_grad:
        return {name: torch.zeros_like(tensor) for name, tensor in inputs.items()}
    with judge.running("backward", "no operation changes in place what backward needs"):
        found = torch.autograd.grad(value, list(inputs.values()), allow_unused=True)
    filled = {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(inputs.items(), found, strict=True)
    }
    for name, gradient in filled.items():
        contract = f"gradients of its inputs{where}"
        judge.finite(contract, f"the gradient of {name}", gradient)
    return filled
