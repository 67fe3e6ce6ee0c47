"""What a training on 100 million sentences with a picture each would take on 8 to 512 GPUs.

Nothing is measured here: constants are measured elsewhere or assumed, as SCALING.md says of each,
and the tables there are what this prints.

    python examples/benchmarks/cost_model.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

PAIRS = 100e6
"""Sentences, with a picture each"""
NODE = 8
"""GPUs of a machine"""
BATCH = 256
"""Sentences a GPU and step"""
SUBWORDS, REGIONS = 24, 49
WIDTH, PICTURE_WIDTH = 768, 1280
ENCODER = 110e6
"""Weights of a base-size text encoder"""
STACK = 85.1e6
"""Of them in its layers; the others are looked up"""
LAYER = 7.09e6
"""Weights of one transformer layer, 768 wide: 12 x 768 x 768"""
PROJECTIONS, GATE = 2 * WIDTH * PICTURE_WIDTH, 2 * WIDTH * WIDTH
FUSION = 5 * LAYER + PROJECTIONS + GATE
"""Cross-transformer (4 layers) and boundary task (1)"""
ACHIEVED = 150e12
"""FLOP/s of a GPU, bf16 (assumed: 15 % of an H100's 989e12)"""
NVLINK = 300e9
"""Bytes/s of a ring within a machine (assumed)"""
NETWORKS = {"8 x 400 Gb/s": 320e9, "1 x 100 Gb/s": 10e9}
"""Bytes/s of a ring between machines: all ports of one, 80 % of the line rate (assumed)"""
LATENCY = 5e-6
"""Seconds of a hop (assumed)"""
AHEAD = 8
"""Cores that make batches for a GPU, where they are made ahead"""
ACCUMULATE = 8
"""Micro-batches to a step, where gradients travel seldom"""
COLLATE = 0.18e-3
"""Seconds of one core for a sentence in a batch, picture included (measured)"""
MOVED = 2 * 4 / 2e12
"""Seconds a weight: its gradient is read and written once in GPU memory, 4 bytes, 2e12 B/s"""

STORES = {
    "regions, 16 bit (as it is)": 2 * REGIONS * PICTURE_WIDTH,
    "regions, 8 bit": REGIONS * PICTURE_WIDTH,
    "16 regions (4 x 4 means), 16 bit": 2 * 16 * PICTURE_WIDTH,
    "one mean vector, 16 bit": 2 * PICTURE_WIDTH,
    "no store: JPEG files of 60 kB": 60_000,
}
"""Bytes a picture"""


def weights() -> float:
    """Trained weights."""
    return ENCODER + FUSION


def operations() -> float:
    """FLOP of a training sentence: 2 forward and 4 backward for each weight and position."""
    fused = LAYER * (4 * SUBWORDS + REGIONS) + PROJECTIONS * REGIONS + GATE * SUBWORDS
    return 6 * (STACK * SUBWORDS + fused)


def ring(size: float, gpus: int, network: float, passes: int) -> float:
    """Seconds of a ring over `size` bytes: all-reduce has 2 passes, all-gather 1."""
    bandwidth = NVLINK if gpus <= NODE else min(NVLINK, network)
    return passes * (gpus - 1) * (size / gpus / bandwidth + LATENCY)


def parts(gpus: int, network: float) -> dict[str, float]:
    """Seconds of a step."""
    vectors = gpus * BATCH * 2 * WIDTH * 4
    return {
        "batch": BATCH * COLLATE,
        "compute": BATCH * operations() / ACHIEVED,
        "gradients": ring(4 * weights(), gpus, network, 2) + weights() * MOVED,
        # There by all-gather; back by all-reduce.
        "pairs": ring(vectors, gpus, network, 1) + ring(vectors, gpus, network, 2),
    }


def steps_table() -> Iterator[Sequence[str]]:
    """Milliseconds of a step, share of it that is computing, and hours an epoch."""
    yield (
        *("network", "GPUs", "batch", "compute", "gradients", "pairs"),
        *("as it is", "hours an epoch", "batches ahead", f"and accumulate = {ACCUMULATE}"),
    )
    for name, network in NETWORKS.items():
        for gpus in (8, 16, 64, 128, 256, 512):
            found = parts(gpus, network)
            now, compute = sum(found.values()), found["compute"]
            made = found["batch"] / AHEAD
            rest = compute + found["pairs"]
            ahead = max(made, rest + found["gradients"])
            seldom = max(made, rest + found["gradients"] / ACCUMULATE)
            yield (
                *(name, str(gpus), *(f"{1e3 * seconds:.1f}" for seconds in found.values())),
                f"{100 * compute / now:.0f} %",
                f"{PAIRS / (gpus * BATCH) * now / 3600:.2f}",
                *(f"{100 * compute / time:.0f} %" for time in (ahead, seldom)),
            )


def store_table() -> Iterator[Sequence[str]]:
    """Terabytes, and gigabytes a second that a machine of 8 GPUs reads at full speed."""
    rate = NODE * ACHIEVED / operations()
    yield "kept of a picture", "bytes", "100 M pictures, TB", "GB/s a machine"
    for name, size in STORES.items():
        yield name, f"{size:,}", f"{PAIRS * size / 1e12:.2f}", f"{rate * size / 1e9:.2f}"


def markdown(rows: Iterator[Sequence[str]]) -> str:
    """A table, its first row the headings."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * lines[0].count(" | ") + "|---|", *lines[1:]])


def main() -> None:
    """Print the tables."""
    print(f"{weights() / 1e6:.0f} M trained weights, {operations() / 1e9:.1f} GFLOP a sentence, ")
    print(f"{ACHIEVED / operations():.0f} sentences a second of a GPU\n")
    print(markdown(store_table()), markdown(steps_table()), sep="\n\n")


if __name__ == "__main__":
    main()
