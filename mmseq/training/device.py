"""Where a run computes, and how precisely."""

from __future__ import annotations

from accelerate import Accelerator
from torch.accelerator import is_available as has_accelerator
from torch.cuda import is_available, is_bf16_supported

from mmseq.config.config import TrainConfig
from mmseq.training.launch import require_launcher


def make_accelerator(train: TrainConfig) -> Accelerator:
    """Device, precision and processes as the config and the launcher ask for them; `UserError` for
    a launcher that asks for what is not done.
    """
    require_launcher()
    precision = train.precision
    if precision == "auto":
        precision = "bf16" if _has_bf16(train) else "no"
    # Asked for no CPU, accelerate takes each process of a launcher for the only one where there is
    # no other device.
    cpu = train.device == "cpu" or not has_accelerator()
    return Accelerator(cpu=cpu, mixed_precision=precision)


def _has_bf16(train: TrainConfig) -> bool:
    return train.device != "cpu" and is_available() and is_bf16_supported()
