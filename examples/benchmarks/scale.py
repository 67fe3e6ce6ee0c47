"""Memory and start of a training on many sentences, and of tagging them, against a few.

Writes SENTENCES sentences of drawn words and of 1,000 likewise, trains one epoch of a small BiLSTM
on each and tags the same file, each in a process of its own whose memory is looked at twice a
second. What many sentences take beyond a thousand is what grows with them.

    python examples/benchmarks/scale.py [--sentences 1000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generated import write
from interleaved import tell

PAGE = os.sysconf("SC_PAGE_SIZE")
FEW = 1000
SETTINGS = (
    *("text_encoder.name=bilstm", "text_encoder.vectors=", "text_encoder.hidden=16"),
    *("text_encoder.word_width=16", "train.batch_size=64", "train.epochs=1", "train.device=cpu"),
)


def watched(arguments: Sequence[str]) -> tuple[float, list[int]]:
    """Seconds of ``mmseq ARGUMENTS``, and its resident memory in bytes twice a second."""
    started, seen = time.perf_counter(), []
    with subprocess.Popen([sys.executable, "-m", "mmseq", *arguments]) as process:
        while process.poll() is None:
            try:
                seen.append(PAGE * int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]))
            except (OSError, IndexError):
                break
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"mmseq {' '.join(arguments)} ended with {process.returncode}.")
    return time.perf_counter() - started, seen


def measured(folder: Path, sentences: int) -> list[dict[str, Any]]:
    """One row for training, one for a dry run with all made ready, one for tagging."""
    data = folder / str(sentences)
    data.mkdir()
    for split, count, seed in (("train", sentences, 1), ("valid", 200, 2), ("test", 200, 3)):
        write(data / f"{split}.jsonl", count, seed)
    run, settings = folder / f"run-{sentences}", [f"--set={s}" for s in SETTINGS]
    common = [str(data), "--fusion", "none", "--quiet", *settings]
    common.append(f"--set=data.cache={folder / 'cache'}")
    tagged = ["--input", str(data / "train.jsonl"), "--output", str(folder / f"{sentences}.jsonl")]
    rows = []
    for work, arguments in {
        "training": ["train", *common, "--output", str(run)],
        "start, sentences kept": ["train", *common, "--dry-run"],
        "tagging": ["predict", str(run), *tagged],
    }.items():
        seconds, memory = watched(arguments)
        quarter = len(memory) // 4
        rows.append(
            {
                "work": work,
                "sentences": sentences,
                "seconds": seconds,
                "peak, MB": max(memory) / 1e6,
                "after a quarter, MB": memory[quarter] / 1e6,
                "at the end, MB": memory[-2] / 1e6,
            }
        )
    return rows


def main() -> None:
    """Print a table; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=1_000_000)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for n in (FEW, options.sentences) for row in measured(Path(folder), n)]
    few = {row["work"]: row["peak, MB"] for row in rows if row["sentences"] == FEW}
    for row in rows:
        row["beyond a thousand, MB"] = row["peak, MB"] - few[row["work"]]
    tell(rows, f"{options.sentences} sentences", options.json)


if __name__ == "__main__":
    main()
