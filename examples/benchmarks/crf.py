"""The two backends of the CRF against each other: the loss with its gradient, and decoding; and
the five best paths beside the best one.

Random emissions and transitions. Sentences are all of the full length, or of any length up to it.
Rounds alternate; a figure is how many times as fast `fast` is as the other in the same round: as
`pytorch-crf`, which gives one path alone; beside the five best of `fast`, as these.

    python examples/benchmarks/crf.py [--threads 1] [--rounds 40] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

import torch
from interleaved import interleave, ratio, tell
from torch import Tensor

from mmseq.builtins.decoding.crf import LinearChain
from mmseq.builtins.decoding.crf_fast import FastChain

SEVERAL = 5
"""Paths of a sentence, where several are asked for"""
SHAPES = ((32, 128, 9), (32, 24, 9), (8, 512, 9), (32, 128, 33))
"""Sentences, words, tags"""


class Side:
    """One backend over one batch."""

    def __init__(
        self, chain: LinearChain, emissions: Tensor, tags: Tensor, lengths: Tensor
    ) -> None:
        device = emissions.device
        self.chain, self.emissions, self.tags = chain.to(device), emissions, tags
        self.mask = (torch.arange(tags.shape[1]) < lengths[:, None]).to(device)

    def train(self) -> None:
        """The loss and its gradient."""
        given = self.emissions.clone().requires_grad_()
        self.chain.zero_grad(set_to_none=True)
        self.chain.negative_log_likelihood(given, self.tags, self.mask).backward()
        self._finish()

    def decode(self) -> None:
        """The best paths."""
        self.chain.best_paths(self.emissions, self.mask)
        self._finish()

    def decode_several(self) -> None:
        """The `SEVERAL` best paths, with what their probabilities need."""
        self.chain.k_best_paths(self.emissions, self.mask, SEVERAL)
        self.chain.log_partition(self.emissions, self.mask)
        self._finish()

    def _finish(self) -> None:
        if self.emissions.is_cuda:
            torch.cuda.synchronize()


def measured(
    shape: tuple[int, int, int], kind: str, device: torch.device, rounds: int
) -> Iterator[dict[str, Any]]:
    """One row of the table for each kind of work."""
    sentences, words, labels = shape
    draw = torch.Generator().manual_seed(0)
    emissions = (2 * torch.randn(shape, generator=draw)).to(device)
    tags = torch.randint(0, labels, (sentences, words), generator=draw).to(device)
    lengths = torch.full((sentences,), words)
    if kind == "ragged":
        lengths[1:] = torch.randint(1, words + 1, (sentences - 1,), generator=draw)
    reference, fast = LinearChain(labels), FastChain(labels)
    fast.load_state_dict(reference.state_dict())
    left, right = (Side(chain, emissions, tags, lengths) for chain in (reference, fast))
    for work, ways in {
        "loss and gradient": {"pytorch-crf": left.train, "fast": right.train},
        "decoding": {"pytorch-crf": left.decode, "fast": right.decode},
        f"decoding {SEVERAL}, and 1": {"several": right.decode_several, "fast": right.decode},
    }.items():
        other, fast = interleave(ways, rounds).values()
        yield {
            "sentences x words x tags": " x ".join(map(str, shape)),
            "lengths": kind,
            "work": work,
            "other, ms": 1e3 * statistics.median(other),
            "fast, ms": 1e3 * statistics.median(fast),
            **ratio(other, fast),
        }


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [
        row
        for shape in SHAPES
        for kind in ("full", "ragged")
        for row in measured(shape, kind, options.device, options.rounds)
    ]
    title = f"CRF on {options.device}, {options.threads} thread(s): fast against pytorch-crf"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
