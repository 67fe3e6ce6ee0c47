"""A training by mmseq against one that pads to 128 and runs the CNN at every step.

The older codebases of the field pad each sentence to 128 sub-words, and decode each picture and
pass it through the CNN whenever its sentence comes. Here both ways train one and the same model
(cross-transformer, boundary task, CRF), by the same steps; only batches and pictures differ: the
older way pads words and sub-words to 128, opens the files and runs the CNN in the step, and has the
CRF of pytorch-crf. Some steps of each are timed in turns, and so is mmseq's computation of
features; an epoch of SENTENCES sentences is then so many steps, and the training EPOCHS epochs,
mmseq's with the features of all pictures at its beginning. Two networks: EfficientNet-lite0, and
ResNet-152 with random weights, which are as fast as others.

    python examples/benchmarks/against_padding.py [--text DATA] [--pictures FOLDER] [--steps 4]
        [--rounds 3] [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from interleaved import interleave, tell
from loops import Loop
from PIL import Image
from torch import Tensor

from mmseq.model.batch import Batch
from mmseq.pictures.features import compute_features

LONG = 128
"""Sub-words to which the older way pads"""
BATCH, EPOCHS, SENTENCES = 32, 5, 3373
"""The last: those of Twitter-2017's training split"""
PADDED = ("input_ids", "attention_mask", "row", "first", "last", "shapes")
"""What the text encoder gives, one number a sub-word or word"""
AUX = ["boundary"]
SETTINGS = {"data.features": "off"}
NETWORKS: dict[str, dict[str, str]] = {
    "tf_efficientnet_lite0": {},
    "resnet152": {"image_encoder.model": "resnet152", "image_encoder.weights": "random"},
}


def write_data(folder: Path, text: str, pictures: Path | None, steps: int) -> None:
    """The text's training split; each sentence of an epoch's first steps has a picture."""
    loop = Loop(text, {})
    with_picture = {number for step in loop.steps(steps) for number in step[0]}
    sources = sorted(p for p in pictures.iterdir() if p.suffix == ".jpg") if pictures else []
    images = folder / "images"
    images.mkdir(parents=True)
    lines = []
    for number, example in enumerate(loop.trainer.setup.splits["train"].examples):
        names = [f"{number}.jpg"] if number in with_picture else []
        for name in names:
            if sources:
                with Image.open(sources[number % len(sources)]) as file:
                    image = file.convert("RGB")
            else:
                # Noise in large cells, 600 x 400 as pictures of tweets are.
                cells = torch.randint(0, 256, (40, 60, 3), dtype=torch.uint8).numpy()
                image = Image.fromarray(cells).resize((600, 400))
            # No two files are alike.
            image.putpixel((0, 0), (number % 256, number // 256, 0))
            image.save(images / name, quality=90)
        lines.append(json.dumps({"tokens": example.tokens, "tags": example.tags, "images": names}))
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def padded(batch: Batch) -> Batch:
    """The batch, padded to LONG words and sub-words."""

    def wide(tensor: Tensor) -> Tensor:
        missing = LONG - tensor.shape[1]
        return torch.nn.functional.pad(tensor, (0, missing)) if missing > 0 else tensor

    tensors = {k: wide(t) if k in PADDED else t for k, t in batch.text.tensors.items()}
    mask, tags = wide(batch.text.mask), batch.targets.tags
    assert tags is not None
    targets = replace(batch.targets, mask=mask, tags=wide(tags))
    return replace(batch, text=replace(batch.text, tensors=tensors, mask=mask), targets=targets)


class OlderWay:
    """Steps over padded batches with the CNN in them."""

    def __init__(self, loop: Loop, steps: list[list[list[int]]]) -> None:
        self.trainer, self.steps = loop.trainer, steps
        self.batches = [padded(loop.batch(step)) for step in steps]

    def run(self) -> None:
        """The steps, each with its pictures from their files."""
        encoder = self.trainer.model.image_encoder
        assert encoder is not None
        for step, batch in zip(self.steps, self.batches, strict=True):
            pixels = []
            for number in step[0]:
                for path in self.trainer.sentences[number].images:
                    with Image.open(path) as file:
                        pixels.append(encoder.transform(file.convert("RGB")))
            pictures = encoder.precompute(torch.stack(pixels))
            self.trainer.stepper.step([replace(batch, pictures=pictures)], AUX, 0.5)


def measured(folder: Path, network: str, steps: int, rounds: int, repeats: int) -> dict[str, Any]:
    """One network's row."""
    own = Loop(folder, SETTINGS | NETWORKS[network], "cross-transformer", AUX)
    plain = {**SETTINGS, **NETWORKS[network], "decoder.backend": "pytorch-crf"}
    older = OlderWay(Loop(folder, plain, "cross-transformer", AUX), own.steps(steps))
    chosen = own.steps(steps)
    encoder = own.trainer.model.image_encoder
    assert encoder is not None
    files = [path for s in own.trainer.sentences for path in s.images]

    def features() -> None:
        compute_features(files, encoder, store=None, device=torch.device("cpu"))

    ways = {"older": older.run, "mmseq": lambda: own.run(chosen), "features": features}
    seconds = interleave(ways, rounds)
    each = {
        "older": [s / steps for s in seconds["older"]],
        "mmseq": [s / steps for s in seconds["mmseq"]],
        "features": [s / len(files) for s in seconds["features"]],
    }
    count = EPOCHS * SENTENCES / BATCH

    def whole(pictures: int) -> list[float]:
        """How many times as fast the training is, round by round, with so many pictures."""
        return [
            older_step * count / (step * count + picture * pictures)
            for older_step, step, picture in zip(*each.values(), strict=True)
        ]

    ratios = whole(SENTENCES)
    return {
        "network": network,
        "older, s a step": statistics.median(each["older"]),
        "mmseq, s a step": statistics.median(each["mmseq"]),
        "features, s for 32": BATCH * statistics.median(each["features"]),
        "median": statistics.median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
        f"pictures used {repeats} times": statistics.median(whole(SENTENCES // repeats)),
    }


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="sample", help="a data folder (default: the sample)")
    parser.add_argument("--pictures", type=Path, help="a folder of .jpg (default: noise)")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--repeats", type=int, default=3, help="sentences a picture (the sample: 3)"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp()) / "data"
    write_data(folder, options.text, options.pictures, options.steps)
    started = time.perf_counter()
    rows = [
        measured(folder, network, options.steps, options.rounds, options.repeats)
        for network in NETWORKS
    ]
    title = (
        f"{EPOCHS} epochs of {SENTENCES} sentences on {options.threads} thread(s): how many times "
        f"as fast as padding to {LONG} with the CNN in each step "
        f"(extrapolated; {time.perf_counter() - started:.0f} s of measuring)"
    )
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
