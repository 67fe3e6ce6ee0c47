"""Share of the machine's matrix-multiply rate that the forward and backward passes reach.

Counted are the multiplications and additions that the real sub-words need, in the encoder's linear
layers and in its attention, three times the forward's for forward and backward; padding, the CRF,
dropout, norms and the loss count nothing, but take their time. The machine's rate is that of
torch's product of two square matrices, measured in the same rounds. Text only, with mmseq's own
CRF, batches of 32: the embedded encoder, and one of base size (12 layers, 768 wide) with random
weights.

    python examples/benchmarks/utilisation.py [--data DATA] [--steps 10] [--rounds 5] [--threads 2]
        [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from interleaved import interleave, tell
from loops import Loop
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from mmseq.builtins.text.transformer import DEFAULT_MODEL
from mmseq.model.batch import Batch
from mmseq.packaged import resolve_package_path

SIDE = 1536
"""Rows and columns of the square matrices"""
PRODUCTS = 20
"""Of them to a round"""


def base_size(folder: Path) -> Path:
    """A base-size encoder with random weights and the embedded one's vocabulary."""
    source = resolve_package_path(DEFAULT_MODEL)
    config = AutoConfig.from_pretrained(
        source,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
    )
    AutoModel.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def useful(encoder: Any, batch: Batch) -> float:
    """Floating-point operations that the batch's real sub-words need, forward and backward."""
    linear = sum(m.weight.numel() for m in encoder.modules() if isinstance(m, nn.Linear))
    lengths = batch.text.tensors["attention_mask"].sum(dim=1).double()
    config = encoder.config
    # Of each layer: queries by keys, and shares by values.
    attention = 2 * config.num_hidden_layers * config.hidden_size * (lengths**2).sum().item()
    return 3 * 2 * (linear * lengths.sum().item() + attention)


def measured(name: str, loop: Loop, steps: int, rounds: int) -> dict[str, Any]:
    """One encoder's row."""
    model = loop.trainer.model
    batches = [loop.batch(step) for step in loop.steps(steps)]
    work = sum(useful(model.text_encoder.model, batch) for batch in batches)
    left, right = torch.randn(2, SIDE, SIDE)

    def passes() -> None:
        for batch in batches:
            output = model(batch, [])
            (output.losses["main"] / len(batch.text.mask)).backward()
            model.zero_grad()

    best: list[float] = []

    def products() -> None:
        seconds = []
        for _ in range(PRODUCTS):
            started = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - started)
        best.append(2 * SIDE**3 / min(seconds))

    seconds = interleave({"products": products, "passes": passes}, rounds)["passes"]
    reached = [work / s for s in seconds]
    shares = [r / rate for r, rate in zip(reached, best[1:], strict=True)]
    return {
        "encoder": name,
        "useful GFLOP a step": work / steps / 1e9,
        "GFLOP/s": statistics.median(reached) / 1e9,
        "the machine's GFLOP/s": statistics.median(best[1:]) / 1e9,
        "median": statistics.median(shares),
        "least": min(shares),
        "greatest": max(shares),
    }


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="a data folder (default: the sample)")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    large = base_size(Path(tempfile.mkdtemp()))
    encoders = {"embedded (6 layers, 384)": DEFAULT_MODEL, "base (12 layers, 768)": str(large)}
    rows = []
    for name, source in encoders.items():
        loop = Loop(options.data, {"text_encoder.model": source, "text_encoder.case": "off"})
        rows.append(measured(name, loop, options.steps, options.rounds))
    title = f"Forward and backward on {options.threads} thread(s): useful share of the peak"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
