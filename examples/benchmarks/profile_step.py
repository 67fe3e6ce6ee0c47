"""Where the time of a training step goes: torch's operators by their own time.

Text alone with the embedded encoder and the CRF, as `mmseq train` runs it.

    python examples/benchmarks/profile_step.py [--data DATA] [--fusion none] [--steps 10]
        [--threads 2] [--rows 12] [--json FILE]
"""

from __future__ import annotations

import argparse

import torch
from interleaved import tell
from loops import Loop
from torch.profiler import ProfilerActivity, profile


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="a data folder (default: the sample)")
    parser.add_argument("--fusion", default="none")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loop = Loop(options.data, {}, options.fusion)
    steps = loop.steps(options.steps + 2)
    loop.run(steps[:2])
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        loop.run(steps[2:])
    events = sorted(profiled.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    rows = [
        {
            "operator": event.key,
            "share, %": 100 * event.self_cpu_time_total / total,
            "ms a step": event.self_cpu_time_total / 1e3 / options.steps,
            "calls a step": event.count / options.steps,
        }
        for event in events[: options.rows]
    ]
    each = total / 1e3 / options.steps
    tell(rows, f"{each:.0f} ms a step on {options.threads} thread(s)", options.json)


if __name__ == "__main__":
    main()
