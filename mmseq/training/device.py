"""Where a run computes, and how precisely."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.accelerator import is_available as has_accelerator

from mmseq.config.config import TrainConfig
from mmseq.errors import UserError
from mmseq.processes import process_count
from mmseq.training.launch import require_launcher


def make_accelerator(train: TrainConfig) -> Accelerator:
    """Device, precision and processes as the config and the launcher ask for them; `UserError` for
    a device that is not there, and for a launcher that asks for what is not done.

    A CPU has no fp16: there it is full precision.
    """
    require_launcher()
    _require_device(train.device)
    # Asked for no CPU, accelerate takes each process of a launcher for the only one where there is
    # no other device.
    cpu = train.device == "cpu" or not has_accelerator()
    precision = train.precision
    if precision == "auto":
        precision = "bf16" if _has_bf16(train) else "no"
    if precision == "fp16" and cpu:
        precision = "no"
    _forget_another(cpu, precision)
    return Accelerator(cpu=cpu, mixed_precision=precision)


def _require_device(name: str) -> None:
    """Make that GPU the process's own, where one is named; `UserError` where it is not there."""
    kind, _, number = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"train.device = {name}: this machine has no Apple GPU; write auto or cpu.")
    if kind != "cuda":
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise UserError(
            f"train.device = {name}: torch sees no CUDA GPU here (nvidia-smi shows whether there "
            "is one; torch.version.cuda whether this torch is made for one); write auto or cpu."
        )
    if not number:
        return
    if int(number) >= count:
        there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise UserError(f"train.device = {name}: this machine has {there}.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            f"train.device = {name}: of several processes each takes a GPU of its own; write cuda."
        )
    torch.cuda.set_device(int(number))


def _forget_another(cpu: bool, precision: str) -> None:
    """Let a second training in this process have another precision or device than the first.

    accelerate keeps them for the process's life, and says ValueError to others. What connects
    several processes stays.
    """
    shared = AcceleratorState._shared_state
    if shared and (shared.get("_cpu"), shared.get("_mixed_precision")) != (cpu, precision):
        AcceleratorState._reset_state(reset_partial_state=process_count() == 1)


def _has_bf16(train: TrainConfig) -> bool:
    if train.device in ("cpu", "mps"):
        return False
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
