"""A component comes back from its saved state as it was."""

from __future__ import annotations

from collections.abc import Callable

from safetensors.torch import load, save
from torch import Tensor, nn

from mmseq.runs.weights import tensors_of
from mmseq.testing.contract import Judge, Outputs


def check_state(
    judge: Judge,
    module: nn.Module,
    rebuild: Callable[[], nn.Module],
    run: Callable[[nn.Module], Outputs],
) -> None:
    """The `state_dict` in a file of a run, loaded into a new one, gives the same outputs.

    `rebuild` draws other weights than `module` has.
    """
    contract = "state (saved and loaded again)"
    kept = "all that must outlast the process is in parameters and buffers of fixed shape"
    module.train()
    run(module)
    module.eval()
    expected = run(module)
    with judge.running(contract, "state_dict holds tensors alone"):
        data = save(tensors_of(module))
    fresh = rebuild()
    with judge.running(contract, f"the same names and shapes as before: {kept}"):
        fresh.load_state_dict(load(data), strict=True)
    fresh.eval()
    found = run(fresh)
    plain = _plain_tensors(module)
    right = f"{kept} (not saved, since no buffer: {plain})" if plain else kept
    for sentence in range(len(expected.mask)):
        judge.alike(contract, found.of(sentence), expected.of(sentence), right)


def _plain_tensors(module: nn.Module) -> str:
    """Attributes that are tensors, but neither parameters nor buffers."""
    return ", ".join(
        f"{name}.{attribute}" if name else attribute
        for name, part in module.named_modules()
        for attribute, value in vars(part).items()
        if isinstance(value, Tensor)
    )
