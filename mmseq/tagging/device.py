"""The device that a tagger runs on."""

from __future__ import annotations

import torch

from mmseq.errors import UserError


def usable_device(name: str, *, int8: bool) -> torch.device:
    """The device of that name, asked for before a model is built for it; `UserError` for one that
    cannot be used here, or not with `int8`.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not isinstance(name, str | torch.device):
        raise UserError(f"device {name!r} is no name of a device; take 'auto', 'cpu' or 'cuda'.")
    try:
        device = torch.device(name.strip().lower() if isinstance(name, str) else name)
        if int8 and device.type != "cpu":
            raise UserError(
                f"int8 is for the CPU, and the model would run on '{name}': leave int8 out, or "
                "take the CPU (device='cpu'; on the command line, CUDA_VISIBLE_DEVICES=)."
            )
        torch.empty(0, device=device)
    # Without CUDA in torch it is the latter; without an Apple GPU the message lists all backends.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
        raise UserError(
            f"device '{name}' cannot be used here ({reason}); take 'auto' or 'cpu'."
        ) from error
    return device
