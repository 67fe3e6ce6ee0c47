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
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from interleaved import interleave, ratio, tell
from loops import Loop, sentences
from served import Served, serve
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
)

from mmseq.builtins.text.transformer import DEFAULT_MODEL
from mmseq.packaged import resolve_package_path

IGNORED = -100
"""Label of sub-words that count nothing in the Trainer's loss"""
BATCH = 32


def mmseq_epoch(data: str, count: int, decoder: str) -> Callable[[], object]:
    """Trains `count` sentences with mmseq."""
    loop = Loop(data, {"decoder.name": decoder, "text_encoder.case": "off"})
    # Whole batches, drawn at random.
    steps = loop.steps(count // BATCH)
    assert sentences(steps) == count
    return lambda: loop.run(steps)


def trainer_epoch(data: str, count: int) -> Callable[[], object]:
    """Trains the same sentences with the Trainer."""
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

    collator = DataCollatorForTokenClassification(tokenizer)
    return lambda: Trainer(network, arguments, collator, train_dataset=rows).train()


WAYS: dict[str, Callable[[str, int], Callable[[], object]]] = {
    "Trainer, softmax": trainer_epoch,
    "mmseq, softmax": lambda data, count: mmseq_epoch(data, count, "softmax"),
    "mmseq, crf": lambda data, count: mmseq_epoch(data, count, "crf"),
}


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
        serve(WAYS[options.serve](options.data, options.sentences))
        return
    arguments = [f"--data={options.data}", f"--sentences={options.sentences}"]
    arguments.append(f"--threads={options.threads}")
    seconds = interleave(
        {way: Served(__file__, way, arguments).run for way in WAYS}, options.rounds
    )
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
