"""Options of the commands that carry out many runs: how many at a time, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mmseq.errors import UserError

if TYPE_CHECKING:
    from mmseq.jobs.job import Pool

OPTIONS = (
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Runs at a time [1; with --ray as many as have room].",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="CPU threads of a run [cores divided by jobs; with --ray 1].",
    ),
    click.option(
        "--ray",
        "ray_address",
        is_flag=False,
        flag_value="",
        metavar="[ADDRESS]",
        help="Run on Ray, on one machine or many; without ADDRESS on this one.",
    ),
    click.option(
        "--gpus", type=click.FloatRange(min=0), default=0.0, help="With --ray: GPUs of a run [0]."
    ),
)


def pool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``jobs``, ``threads``, ``ray_address`` and ``gpus`` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def pool_of(address: str | None, jobs: int | None, threads: int | None, gpus: float) -> Pool:
    """The pool that these options ask for; `UserError` where it cannot be had."""
    if address is None:
        if gpus:
            raise UserError("--gpus belongs to --ray; without it runs share the machine's GPU.")
        from mmseq.jobs.local import LocalPool

        return LocalPool(jobs or 1, threads or 0)
    from mmseq.jobs.ray_pool import RayPool

    return RayPool(address, jobs or 0, threads or 0, gpus)
