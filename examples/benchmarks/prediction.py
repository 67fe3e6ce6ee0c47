"""Tagging a file with mmseq, and with its int8, against the Hugging Face pipeline; one sentence
against the bare model.

The pipeline gets the run's own encoder and head, so that both are of one size and find about as
many entities; it is tried at each batch size, with sentences as they stand and sorted by length,
and the best of each counts. All read the file and write JSON lines. Each lives in a process of its
own, so that no one's settings reach another, and they take turns; a figure is how many times as
fast mmseq is as the other in the same round. Without --run a small run is trained first on a part
of the sample data; without --input the sentences are the sample's. What 100,000 sentences take is
extrapolated from the sentences per second.

    python examples/benchmarks/prediction.py [--run RUN] [--input FILE] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from interleaved import interleave, ratio, tell
from served import Served, serve
from transformers import AutoModelForTokenClassification, pipeline

import mmseq
from mmseq.console import Reporter
from mmseq.data.sample.cached import sample_folder
from mmseq.tagging.inputs import sentences
from mmseq.training.memory import keep_freed_memory

BATCHES = (1, 4, 8, 16, 32, 64)
TRIED = 256
"""Sentences on which the pipeline's batch size is chosen"""
TRAINED = 200
SINGLE = 20
"""Sentences tagged one by one in a round"""


def small_run(folder: Path) -> Path:
    """A text-only run after one epoch on the first sentences of the sample."""
    data = folder / "data"
    data.mkdir()
    lines = (sample_folder() / "train.jsonl").read_text(encoding="utf-8").splitlines()
    (data / "train.jsonl").write_text("\n".join(lines[:TRAINED]) + "\n", encoding="utf-8")
    config = mmseq.Config.from_layers(
        flags={"fusion": {"name": "none"}},
        aux=[],
        settings={"data.path": str(data), "train.epochs": 1, "train.device": "cpu"},
    )
    return Path(mmseq.train(config, output=folder / "run", reporter=Reporter(quiet=True)))


def write_lines(tagger: mmseq.Tagger, source: Path | None, count: int, target: Path) -> None:
    """`count` sentences of `source` or of the sample, a line each, over again where too few."""
    files = [source] if source else sorted(sample_folder().glob("*.jsonl"))
    texts = [
        " ".join(sentence.text.split())
        for file in files
        for sentence in sentences(tagger, str(file), "auto", None)
    ]
    lines = islice(cycle(filter(None, texts)), count)
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_json(records: Iterable[Any], target: Path) -> None:
    """An object a line."""
    with target.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, default=float) + "\n")


def ours(tagger: mmseq.Tagger, lines: Path, target: Path) -> None:
    """What ``mmseq predict RUN --input LINES --output TARGET`` does, with a run that is loaded."""
    tagged = tagger.stream(sentences(tagger, str(lines), "text", None))
    write_json((sentence.to_dict() for sentence in tagged), target)


def hugging_face(tagger: mmseq.Tagger, folder: Path) -> Any:
    """A pipeline of the run's encoder and head, from a folder of its own."""
    encoder: Any = tagger.model.text_encoder
    config, head = deepcopy(encoder.model.config), tagger.model.head
    config.id2label = dict(enumerate(tagger.labels))
    config.label2id = {label: number for number, label in config.id2label.items()}
    network = AutoModelForTokenClassification.from_config(config)
    network.base_model.load_state_dict(encoder.model.state_dict())
    network.classifier.load_state_dict(head.state_dict())
    network.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    return pipeline(
        "token-classification", str(folder), aggregation_strategy="simple", device="cpu"
    )


def theirs(pipe: Any, batch: int, by_length: bool, lines: Path, target: Path) -> None:
    """The pipeline over the lines, its results in their order."""
    texts = lines.read_text(encoding="utf-8").splitlines()
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]) if by_length else i)
    found = pipe([texts[i] for i in order], batch_size=batch)
    results = dict(zip(order, found, strict=True))
    write_json(({"text": t, "entities": results[i]} for i, t in enumerate(texts)), target)


def best_batch(pipe: Any, by_length: bool, lines: Path, target: Path) -> int:
    """The batch size at which the pipeline is fastest on these lines, the best of three tries."""
    seconds = interleave(
        {str(b): partial(theirs, pipe, b, by_length, lines, target) for b in BATCHES}, 3
    )
    return min(BATCHES, key=lambda batch: min(seconds[str(batch)]))


def mmseq_way(run: str, lines: Path, folder: Path, *, int8: bool) -> None:
    """What the command does once its model is loaded, with what it sets for its process."""
    keep_freed_memory()
    tagger = mmseq.load(run, device="cpu", int8=int8)
    serve(partial(ours, tagger, lines, folder / "out.jsonl"))


def pipeline_way(run: str, lines: Path, folder: Path, *, by_length: bool) -> None:
    """The pipeline at its best batch size; both are loaded and chosen before the time counts."""
    pipe = hugging_face(mmseq.load(run, device="cpu"), folder / "pipeline")
    few = folder / "few.txt"
    with lines.open(encoding="utf-8") as file:
        few.write_text("".join(islice(file, TRIED)), encoding="utf-8")
    batch = best_batch(pipe, by_length, few, folder / "out.jsonl")
    serve(partial(theirs, pipe, batch, by_length, lines, folder / "out.jsonl"), f"batch {batch}")


WAYS: dict[str, Callable[[str, Path, Path], None]] = {
    "mmseq": partial(mmseq_way, int8=False),
    "mmseq, int8": partial(mmseq_way, int8=True),
    "pipeline": partial(pipeline_way, by_length=False),
    "pipeline, sorted by hand": partial(pipeline_way, by_length=True),
}


def files(run: str, lines: Path, rounds: int, threads: int) -> Iterator[dict[str, Any]]:
    """Rows on whole files."""
    arguments = [f"--run={run}", f"--input={lines}", f"--threads={threads}"]
    served = {way: Served(__file__, way, arguments) for way in WAYS}
    seconds = interleave({way: way_served.run for way, way_served in served.items()}, rounds)
    count = len(lines.read_text(encoding="utf-8").splitlines())
    for name, times in seconds.items():
        for other in ("mmseq", "mmseq, int8"):
            if other != name and name != "mmseq, int8":
                what = ", ".join(filter(None, (name, served[name].about)))
                rate = count / statistics.median(times)
                yield row(f"{other} against {what}", times, seconds[other], rate)


def row(work: str, slow: Sequence[float], fast: Sequence[float], rate: float) -> dict[str, Any]:
    """A row: `rate` is of the slower, in sentences a second."""
    return {
        "work": work,
        "the latter, sentences a second": rate,
        "its 100,000, minutes": 100_000 / rate / 60,
        **ratio(slow, fast),
    }


def single(tagger: mmseq.Tagger, lines: Path, rounds: int) -> Iterator[dict[str, Any]]:
    """Rows on one sentence: how many times as long `Tagger.predict` takes as the bare model."""
    texts = lines.read_text(encoding="utf-8").splitlines()[:SINGLE]
    made = [tagger.sentence(text).example for text in texts]
    collator, model = tagger.collator(made), tagger.model
    batches = [collator.batch([prepared]) for prepared in collator.prepared(made)]
    batches = [replace(b, targets=replace(b.targets, tags=None)) for b in batches]

    @torch.no_grad()
    def bare() -> None:
        for batch in batches:
            emissions = model(batch, list(model.tasks)).emissions
            model.decoder.decode(emissions, batch.text.mask).tolist()

    def whole() -> None:
        for text in texts:
            tagger.predict([text])

    seconds = interleave({"bare": bare, "whole": whole}, rounds)
    rate = len(texts) / statistics.median(seconds["whole"])
    yield row(
        "bare forward and decoding against predict, one sentence",
        seconds["whole"],
        seconds["bare"],
        rate,
    )


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", metavar="RUN", help="Text only; its encoder a transformer.")
    parser.add_argument("--input", metavar="FILE", type=Path)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--serve", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.serve:
            WAYS[options.serve](options.run, options.input, folder)
            return
        run = str(options.run or small_run(folder))
        tagger = mmseq.load(run, device="cpu")
        lines = folder / "lines.txt"
        write_lines(tagger, options.input, options.sentences, lines)
        rows = [
            *files(run, lines, options.rounds, options.threads),
            *single(tagger, lines, 10 * options.rounds),
        ]
    title = f"Prediction on the CPU, {options.threads} thread(s), {options.sentences} sentences"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
