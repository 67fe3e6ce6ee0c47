"""Pictures: reading stored features, computing them, and a store of many entries.

`reading`: maps of 49 x 1280 half-precision numbers from the page cache into batches, in random
order, through the table that gives training its pictures; against one slice of the file in a row,
which no look-up can beat. `computing`: features of pictures never seen (read, hashed, decoded,
resized, encoded, stored) against the encoder's frozen part alone on pixels that are ready, with
batches of one size. `opening`: a store of many small entries, in a process of its own. Rounds
alternate where two ways are compared.

    python examples/benchmarks/feature_store.py [reading computing opening] [--images DIR]
        [--threads 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interleaved import interleave, tell
from PIL import Image
from torch import Tensor

from mmseq.builtins.images.timm import TimmEncoder
from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.contracts.states import Sizes
from mmseq.pictures.features import BATCH, FeatureStore, compute_features
from mmseq.pictures.opening import PictureProblem, open_picture, read_picture

MAP = (1280, 7, 7)
READ = 32
"""Pictures to a batch of training"""
SMALL = (64,)
"""Numbers in an entry of the large store: its index is as with real maps, its rows fit any disk"""
PIECE = 16
"""Entries that are appended at a time, as a batch of pictures is"""
PAGE = os.sysconf("SC_PAGE_SIZE")


class Drawn(ImageEncoder):
    """A map of drawn numbers for each picture, at once: what is measured is how they are read."""

    width, learning_rate = MAP[0], 0.0
    fingerprint = "drawn"

    def transform(self, image: Image.Image) -> Tensor:
        return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)

    def precompute(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"map": torch.randn(len(pixels), *MAP)}

    def forward(self, precomputed: Mapping[str, Tensor]) -> Pictures:
        raise NotImplementedError("its maps are only read")


def photographs(folder: Path, number: int, size: tuple[int, int]) -> list[Path]:
    """JPEG files that compress as photographs do: soft surfaces, edges and grain."""
    draw = np.random.default_rng(0)
    width, height = size
    paths = [folder / f"{i}.jpg" for i in range(number)]
    for path in paths:
        soft = Image.fromarray(draw.integers(256, size=(9, 13, 3), dtype=np.uint8))
        image = np.asarray(soft.resize(size, Image.Resampling.BICUBIC)).astype(np.float32)
        for _ in range(12):
            x, y = draw.integers(width), draw.integers(height)
            image[y : y + draw.integers(20, 200), x : x + draw.integers(20, 200)] *= draw.random()
        image += draw.normal(0, 6, image.shape)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path, quality=85)
    return paths


def spread(what: str, values: Sequence[float]) -> dict[str, Any]:
    """A row of the table."""
    median = statistics.median(values)
    return {"what": what, "median": median, "least": min(values), "greatest": max(values)}


def compared(
    ways: Mapping[str, Callable[[], object]], number: int, unit: str, rounds: int
) -> list[dict[str, Any]]:
    """Rows on two ways to treat `number` pictures: the rate of each, and how their times stand."""
    seconds = interleave(ways, rounds)
    rows = [spread(f"{unit} a second, {n}", [number / s for s in seconds[n]]) for n in ways]
    (slow, left), (fast, right) = seconds.items()
    ratios = [a / b for a, b in zip(left, right, strict=True)]
    return [*rows, spread(f"seconds, {slow} / {fast}", ratios)]


def reading(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Stored maps into batches. Each is checked once before, as at the start of a training."""
    draw = np.random.default_rng(0)
    paths = [folder / f"{i}.ppm" for i in range(options.maps // READ * READ)]
    for path in paths:
        Image.fromarray(draw.integers(256, size=(16, 16, 3), dtype=np.uint8)).save(path)
    store = FeatureStore(folder / "store")
    compute_features(paths, Drawn(), store=store)
    table = compute_features(paths, Drawn(), store=FeatureStore(store.root))
    rows = np.memmap(store.root / Drawn.fingerprint / "rows.bin", np.float16, "c")
    whole = torch.from_numpy(rows).view(len(paths), *MAP)
    order = list(range(len(paths)))

    def drawn() -> None:
        random.shuffle(order)
        for start in range(0, len(order), READ):
            table.rows([paths[i] for i in order[start : start + READ]])

    def in_a_row() -> None:
        for start in range(0, len(order), READ):
            whole[start : start + READ].float()

    ways = {"in random order": drawn, "in a row": in_a_row}
    return compared(ways, len(paths), "stored maps", options.rounds)


def computing(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Pictures never seen, against the encoder alone."""
    paths = photographs(folder, options.pictures, (600, 400))
    if options.images:
        found = (p for p in sorted(options.images.rglob("*")) if p.is_file())
        by_content = {hashlib.sha256(read_picture(p)).digest(): p for p in found}
        paths = list(by_content.values())[: options.pictures]
    paths = paths[: len(paths) // BATCH * BATCH]
    if not paths:
        raise SystemExit(f"Give at least {BATCH} different pictures.")
    encoder = TimmEncoder(Sizes(("O",)), train="frozen")
    try:
        ready = [encoder.transform(open_picture(path)) for path in paths]
    except PictureProblem as problem:
        raise SystemExit(f"--images: {problem}") from None
    stores = (folder / f"store{number}" for number in count())

    def everything() -> None:
        compute_features(paths, encoder, store=FeatureStore(next(stores)))

    @torch.no_grad()
    def alone() -> None:
        for start in range(0, len(ready), BATCH):
            encoder.precompute(torch.stack(ready[start : start + BATCH]))

    ways = {"from files to the store": everything, "encoder alone": alone}
    return compared(ways, len(paths), "new pictures", options.rounds)


def name_of(number: int) -> str:
    """What stands for a picture's hash."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def look_up(folder: Path, entries: int) -> list[float]:
    """Open a store and find every entry twice, in random order."""
    names = [name_of(number) for number in range(entries)]
    random.shuffle(names)
    before, times = resident(), [time.perf_counter()]
    opened = FeatureStore(folder).open("many")
    times.append(time.perf_counter())
    memory = resident() - before
    for _ in range(2):
        if not all(opened.read(name) for name in names):
            raise SystemExit("An entry was not found.")
        times.append(time.perf_counter())
    open_, first, again = (b - a for a, b in zip(times, times[1:], strict=False))
    return [open_, memory / 1e6, entries / first, entries / again]


def resident() -> int:
    """Bytes of this process in memory."""
    return PAGE * int(Path("/proc/self/statm").read_text().split()[1])


def opening(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Write, open and search a store of many entries."""
    number, values = options.entries, np.random.default_rng(0).standard_normal(SMALL)
    store = FeatureStore(folder).open("many")
    started = time.perf_counter()
    for start in range(0, number, PIECE):
        part = range(start, min(start + PIECE, number))
        store.append({name_of(i): {"map": (values + i % 7).astype(np.float16)} for i in part})
    writing = time.perf_counter() - started
    # A process for each, since memory that was given back hides what the next one takes.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        found = [pool.submit(look_up, folder, number).result() for _ in range(options.rounds)]
    index = (folder / "many" / "index.jsonl").stat().st_size
    whats = ("seconds to open", "MB when open", "found a second, checked", "found a second, again")
    return [
        spread(f"{number} entries: seconds to write", [writing]),
        spread(f"{number} entries: MB of index", [index / 1e6]),
        *(
            spread(f"{number} entries: {what}", values)
            for what, values in zip(whats, zip(*found, strict=True), strict=True)
        ),
    ]


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"reading": reading, "computing": computing, "opening": opening}
    parser.add_argument("parts", nargs="*", metavar="|".join(parts), default=list(parts))
    parser.add_argument("--threads", type=int, default=1, help="torch's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--maps", type=int, default=2048, help="to read, 125 kB each")
    parser.add_argument("--pictures", type=int, default=192, help="to compute, at most")
    parser.add_argument("--images", type=Path, help="folder of pictures instead of made ones")
    parser.add_argument("--entries", type=int, default=100_000, help="of the large store")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"unknown part {', '.join(unknown)}; there are {', '.join(parts)}")
    torch.set_num_threads(options.threads)
    rows = []
    for part in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            rows += parts[part](Path(folder), options)
    title = f"Pictures, {options.threads} thread(s) of torch, {options.rounds} rounds"
    tell(rows, title, options.json)


if __name__ == "__main__":
    main()
