"""Sentences per second of `mmseq train` against the Trainer of transformers, token classification.

Both train the embedded encoder on the same sentences, one epoch a round in batches of 32: mmseq
with `softmax` and with `crf`, as they come; the Trainer with AutoModelForTokenClassification
(softmax), the label at a word's first sub-word, its sampler by length and its fused AdamW, rows
tokenized beforehand, without evaluation, checkpoints and reports. Each lives in a process of its
own, so that neither's settings reach the other, and they take turns.

    python examples/benchmarks/against_trainer.py [--data DATA] [--sentences 1024] [--rounds 5]
        [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from interleaved import ratio, tell
from loops import Loop, sentences
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
)

from mmseq.builtins.text_transformer import DEFAULT_MODEL
from mmseq.weights import resolve_package_path

IGNORED = -100
"""Label of sub-words that count nothing in the Trainer's loss"""
BATCH = 32


def mmseq_epoch(data: str, count: int, decoder: str) -> Callable[[], float]:
    """Trains `count` sentences with mmseq; gives seconds."""
    loop = Loop(data, {"decoder.name": decoder, "text_encoder.case": "off"})
    # Whole batches, drawn at random.
    steps = loop.steps(count // BATCH)
    assert sentences(steps) == count

    def run() -> float:
        started = time.perf_counter()
        loop.run(steps)
        return time.perf_counter() - started

    return run


def trainer_epoch(data: str, count: int) -> Callable[[], float]:
    """Trains the same sentences with the Trainer; gives seconds."""
    source = resolve_package_path(DEFAULT_MODEL)
    loop = Loop(data, {})
    model = loop.trainer.model
    own = {tag: number for number, tag in enumerate(model.labels)}
    tokenizer = AutoTokenizer.from_pretrained(source)
    rows = []
    for step in loop.steps(count // BATCH):
        for number in step[0]:
            example = loop.trainer.sentences[number].example
            found = tokenizer(list(example.tokens), is_split_into_words=True, truncation=True)
            words, tags = found.word_ids(), example.tags or ()
            labels = [
                IGNORED if word is None or word == before else own[tags[word]]
                for before, word in zip([None, *words], words, strict=False)
            ]
            rows.append({**found, "labels": labels, "length": len(labels)})
    network = AutoModelForTokenClassification.from_pretrained(source, num_labels=len(own))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=2e-4,
        warmup_steps=0.1,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )

    def run() -> float:
        trainer = Trainer(
            network, arguments, DataCollatorForTokenClassification(tokenizer), train_dataset=rows
        )
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started

    return run


WAYS: dict[str, Callable[[str, int], Callable[[], float]]] = {
    "Trainer, softmax": trainer_epoch,
    "mmseq, softmax": lambda data, count: mmseq_epoch(data, count, "softmax"),
    "mmseq, crf": lambda data, count: mmseq_epoch(data, count, "crf"),
}


def serve(way: str, data: str, count: int) -> None:
    """An epoch for each line that comes in; its seconds go out."""
    run = WAYS[way](data, count)
    for _ in sys.stdin:
        sys.stderr.write(f"SECONDS {run()}\n")
        sys.stderr.flush()


class Served:
    """One way, in its own process."""

    def __init__(self, way: str, arguments: list[str]) -> None:
        command = [sys.executable, str(Path(__file__)), *arguments, "--serve", way]
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> float:
        """Seconds of one epoch."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stderr:
            if line.startswith("SECONDS "):
                return float(line.split()[1])
            said.append(line)
        raise SystemExit("".join(said))


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="a data folder (default: the sample)")
    parser.add_argument("--sentences", type=int, default=1024, help="a multiple of 32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--serve", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.serve:
        serve(options.serve, options.data, options.sentences)
        return
    arguments = [f"--data={options.data}", f"--sentences={options.sentences}"]
    served = {way: Served(way, [*arguments, f"--threads={options.threads}"]) for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(options.rounds + 1):
        for way in list(WAYS)[:: 1 if number % 2 else -1]:
            found = served[way].run()
            if number:
                seconds[way].append(found)
    first, *others = WAYS
    rows: list[dict[str, Any]] = [
        {
            "way": way,
            "sentences/s": options.sentences / statistics.median(seconds[way]),
            "Trainer, sentences/s": options.sentences / statistics.median(seconds[first]),
            **ratio(seconds[first], seconds[way]),
        }
        for way in others
    ]
    title = f"Training on {options.threads} thread(s): how many times as fast as the Trainer"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
