"""What a process keeps in memory for each picture, and what it costs to read at the start.

Writes the index of a feature store with PICTURES rows (of their data, a hole in a file) and opens
it as every process of a training does; then the table of paths that training looks pictures up in.

    python examples/benchmarks/picture_index.py [--pictures 200000] [--json FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interleaved import tell

from mmseq.model.order import training_order
from mmseq.pictures.layout import FORMAT
from mmseq.pictures.store import FeatureStore

SHAPE = (49, 1280)


def write(folder: Path, pictures: int) -> None:
    """A store's files, as `StoredFeatures` writes them."""
    folder.mkdir()
    meta = {"format": FORMAT, "dtype": "float16", "shapes": {"regions": SHAPE}}
    (folder / "meta.json").write_text(json.dumps(meta))
    with (folder / "index.jsonl").open("w") as file:
        for row in range(pictures):
            sha = hashlib.sha256(str(row).encode()).hexdigest()
            file.write(json.dumps({"sha256": sha, "row": row, "crc32": row}) + "\n")
    with (folder / "rows.bin").open("wb") as file:
        file.truncate(pictures * 2 * SHAPE[0] * SHAPE[1])


def measured(what: str, work: Callable[[], object], number: int) -> dict[str, Any]:
    """A row: microseconds of a core, and what stays in bytes, of each of `number` things."""
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    # Traced apart: tracing takes time.
    tracemalloc.start()
    kept = work()
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    each = {"kept, bytes": size / number, "at most, bytes": peak / number}
    return {"what": what, "us of a core": 1e6 * seconds / number, **each}


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    number = options.pictures
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "key", number)
        store = FeatureStore(Path(folder))

        def table() -> dict[Path, str]:
            """As `FeatureTable` keeps it; hashing the files comes on top."""
            return {Path(f"/data/images/{i:09}.jpg"): f"{i:064}" for i in range(number)}

        lengths = [5 + i % 30 for i in range(number)]
        rows = [
            measured("index of the store", lambda: store.open("key"), number),
            measured("table of paths", table, number),
            measured("order of an epoch", lambda: training_order(lengths, 2048, 1, 1), number),
        ]
    tell(rows, f"Of each of {number} pictures (sentences), in every process", options.json)


if __name__ == "__main__":
    main()
