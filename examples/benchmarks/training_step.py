"""Sentences per second of mmseq's training loop against a plain loop over the same batches.

Both train the same model from the same weights on the same batches: embedded encoder, CRF, text
only. The plain loop is what one would write by hand: the pretrained network, the first sub-word of
each word, a linear layer, pytorch-crf, AdamW, a linear schedule, clipping, tensors padded
beforehand. Rounds alternate, so that a machine's moods meet both; the figure is the ratio.

    python examples/benchmarks/training_step.py DATA [--steps 20] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import torch
from interleaved import interleave, ratio
from torch import nn
from torchcrf import CRF
from transformers import AutoModel

import mmseq
from mmseq.builtins.text_transformer import DEFAULT_MODEL
from mmseq.collate import Batch
from mmseq.console import Reporter
from mmseq.optimiser import schedule
from mmseq.setup import new_run
from mmseq.training import Trainer
from mmseq.weights import resolve_package_path


class PlainTagger(nn.Module):
    """A BERT-CRF as written by hand."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(
            resolve_package_path(DEFAULT_MODEL), add_pooling_layer=False
        )
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(self.bert.config.hidden_size, labels)
        self.crf = CRF(labels, batch_first=True)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Mean negative log-likelihood of the batch."""
        tensors = batch.text.tensors
        hidden = self.bert(
            input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]
        ).last_hidden_state
        words = hidden[tensors["row"], tensors["first"]]
        emissions = self.head(self.dropout(words))
        return -self.crf(emissions, batch.targets.tags, mask=batch.text.mask, reduction="mean")


class PlainLoop:
    """Optimiser steps over batches that are ready."""

    def __init__(self, labels: int, total: int) -> None:
        self.model = PlainTagger(labels).train()
        encoder = [p for n, p in self.model.named_parameters() if n.startswith("bert.")]
        rest = [p for n, p in self.model.named_parameters() if not n.startswith("bert.")]
        self.rates = (2e-4, 1e-3)
        groups = [{"params": encoder, "lr": 2e-4}, {"params": rest, "lr": 1e-3}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        self.total, self.step = total, 0

    def run(self, batches: list[Batch]) -> None:
        """One step a batch."""
        for batch in batches:
            for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
                group["lr"] = rate * schedule(self.step, self.total, 0.1)
            loss = self.model(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.step += 1


def main() -> None:
    """Print the ratio, each round's and the median, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    config = mmseq.Config.from_layers(
        flags={"fusion": {"name": "none"}}, aux=[], settings={"data.path": options.data}
    )
    folder = Path(tempfile.mkdtemp()) / "run"
    trainer = Trainer(new_run(config, folder, Reporter(quiet=True)))
    trainer._begin()
    trainer.model.train()
    shown = [False] * len(trainer.sentences)
    groups = trainer._steps(0)[: options.steps]
    batches = [trainer._batch(group[0], shown) for group in groups]
    sentences = sum(len(group[0]) for group in groups)
    plain = PlainLoop(len(trainer.model.labels), trainer.total)

    def ours() -> None:
        for group in groups:
            trainer._train_step(group, shown)

    def theirs() -> None:
        plain.run(batches)

    seconds = interleave({"mmseq": ours, "plain loop": theirs}, options.rounds)
    print(
        json.dumps(
            {
                "sentences_per_second": {
                    name: sentences / statistics.median(times) for name, times in seconds.items()
                },
                "ratio": ratio(seconds["plain loop"], seconds["mmseq"]),
                "steps": options.steps,
                "rounds": options.rounds,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
