"""Sentences per second of mmseq's training loop against a plain loop over the same batches.

Both train the same model from the same pretrained weights on the same batches, with the embedded
encoder and a CRF: text alone, and beside a pooled picture whose features are computed beforehand.
The plain loop is what one would write by hand: the pretrained network, the first sub-word of each
word, pytorch-crf, AdamW, a linear schedule, clipping; its tensors are padded and its pictures in
memory before the clock starts. `like` is mmseq with pytorch-crf too, `default` with its own CRF.

    python examples/benchmarks/training_step.py [--data DATA] [--steps 20] [--rounds 5]
        [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
from interleaved import interleave, ratio, tell
from loops import Loop, sentences
from torch import Tensor, nn
from torchcrf import CRF
from transformers import AutoModel

from mmseq.builtins.text.transformer import DEFAULT_MODEL
from mmseq.model.batch import Batch
from mmseq.packaged import resolve_package_path
from mmseq.training.optimiser import schedule

PICTURE = 256
"""Width of the projected picture"""
SETTINGS = {"text_encoder.case": "off"}


class PlainTagger(nn.Module):
    """A BERT-CRF as written by hand, with a picture's vector beside each word or without."""

    def __init__(self, labels: int, picture: int) -> None:
        """`picture`: width of its features, 0 without."""
        super().__init__()
        self.bert = AutoModel.from_pretrained(
            resolve_package_path(DEFAULT_MODEL), add_pooling_layer=False
        )
        width = self.bert.config.hidden_size
        self.dropout = nn.Dropout(0.1)
        self.picture = nn.Sequential()
        if picture:
            self.picture = nn.Sequential(
                nn.LayerNorm(picture, elementwise_affine=False),
                nn.Linear(picture, PICTURE),
                nn.GELU(),
                nn.LayerNorm(PICTURE),
            )
            self.mix = nn.Sequential(nn.Linear(width + PICTURE, width), nn.GELU())
        self.head = nn.Linear(2 * width if picture else width, labels)
        self.crf = CRF(labels, batch_first=True)

    def forward(self, batch: Batch) -> Tensor:
        """Mean negative log-likelihood of the batch."""
        tensors = batch.text.tensors
        hidden = self.bert(
            input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]
        ).last_hidden_state
        words = hidden[tensors["row"], tensors["first"]]
        if len(self.picture):
            maps = batch.pictures["map"].float().mean(dim=(2, 3))[batch.row]
            picture = self.picture(maps)
            # Sentences without a picture have zeros.
            of_sentence = picture.new_zeros(len(words), PICTURE)
            of_sentence = of_sentence.index_copy(0, batch.owner, picture)
            beside = of_sentence[:, None].expand(-1, words.shape[1], -1)
            words = torch.cat([words, self.mix(torch.cat([words, beside], dim=-1))], dim=-1)
        emissions = self.head(self.dropout(words))
        likelihood: Tensor = self.crf(
            emissions, batch.targets.tags, mask=batch.text.mask, reduction="mean"
        )
        return -likelihood


class PlainLoop:
    """Optimiser steps over batches that are ready."""

    def __init__(self, labels: int, batches: list[Batch], total: int) -> None:
        maps = batches[0].pictures.get("map")
        self.model = PlainTagger(labels, 0 if maps is None else maps.shape[1]).train()
        self.batches = batches
        encoder = [p for n, p in self.model.named_parameters() if n.startswith("bert.")]
        rest = [p for n, p in self.model.named_parameters() if not n.startswith("bert.")]
        self.rates = (2e-4, 1e-3)
        groups = [{"params": encoder, "lr": 2e-4}, {"params": rest, "lr": 1e-3}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
        self.total, self.step = total, 0

    def run(self) -> None:
        """One step a batch."""
        for batch in self.batches:
            for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
                group["lr"] = rate * schedule(self.step, self.total, 0.1)
            loss = self.model(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.step += 1


def measured(kind: str, data: str, fusion: str, steps: int, rounds: int) -> list[dict[str, Any]]:
    """Rows of one kind of model: mmseq with either CRF against the plain loop."""
    like = Loop(data, {**SETTINGS, "decoder.backend": "pytorch-crf"}, fusion)
    own = Loop(data, SETTINGS, fusion)
    chosen = like.steps(steps)
    batches = [like.batch(step) for step in chosen]
    trainer = like.trainer
    plain = PlainLoop(len(trainer.model.labels), batches, trainer.total)

    def steps_of(loop: Loop) -> Callable[[], None]:
        return lambda: loop.run(chosen)

    ways = {"plain loop": plain.run, "like": steps_of(like), "default": steps_of(own)}
    seconds = interleave(ways, rounds)
    return [
        {
            "model": kind,
            "mmseq": name,
            "sentences/s": sentences(chosen) / statistics.median(seconds[name]),
            "plain, sentences/s": sentences(chosen) / statistics.median(seconds["plain loop"]),
            **ratio(seconds["plain loop"], seconds[name]),
        }
        for name in ("like", "default")
    ]


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a data folder for the text (default: the sample)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for kind, data, fusion in (
        ("text", options.data or "sample", "none"),
        ("text and picture", "sample", "concat"),
    ):
        rows += measured(kind, data, fusion, options.steps, options.rounds)
    title = f"Training on {options.threads} thread(s): how many times as fast as a plain loop"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
