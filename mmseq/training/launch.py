"""Several processes as a launcher starts them: what cannot work is refused before any work."""

from __future__ import annotations

import time
from pathlib import Path

from accelerate.utils import parse_flag_from_env

from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.processes import process_count, process_index

WAIT = 90.0
"""Seconds that a network file system may take to show what another machine has written"""


def require_launcher() -> None:
    """`UserError` where the launcher was set to share a model out over the processes."""
    for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if parse_flag_from_env(f"ACCELERATE_USE_{name}"):
            raise UserError(
                f"The launcher asks for {name}, which mmseq does not do: every process holds the "
                "whole model. Launch without: torchrun, or accelerate launch --multi_gpu."
            )


def require_sentences(train: Split) -> None:
    """`UserError` where a process would have no sentence to train on."""
    if train.facts.sentences < process_count():
        raise UserError(
            f"{train.path}: {train.facts.sentences} sentences for {process_count()} processes; "
            "start fewer."
        )


def require_seen(folder: Path, wait: float = WAIT) -> None:
    """`UserError` in a process that after `wait` seconds does not see the run that has begun."""
    config, deadline = folder / "config.toml", time.monotonic() + wait
    while not config.is_file():
        if time.monotonic() > deadline:
            raise UserError(
                f"{folder}: process {process_index()} does not see the folder that the main "
                "process has made; give one on a file system that all machines share (--output)."
            )
        time.sleep(1)
