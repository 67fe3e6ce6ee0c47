"""A copy of a JSONL test file whose pictures are shuffled among the sentences.

The number of pictures of each sentence stays; which they are is drawn anew. A model that uses
pictures must lose by it:

    python examples/benchmarks/shuffle_pictures.py DATA/test.jsonl shuffled.jsonl
    mmseq evaluate RUN shuffled.jsonl --images DATA/images
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path


def shuffled(lines: list[str], seed: int) -> list[str]:
    """The objects of `lines` with their pictures dealt anew."""
    records = [json.loads(line) for line in lines]
    pictures = [name for record in records for name in record.get("images", [])]
    random.Random(seed).shuffle(pictures)
    dealt = iter(pictures)
    for record in records:
        record["images"] = [next(dealt) for _ in record.get("images", [])]
    return [json.dumps(record, ensure_ascii=False) for record in records]


def main() -> None:
    """Read one file, write the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines = options.source.read_text(encoding="utf-8").split("\n")
    result = shuffled([line for line in lines if line.strip()], options.seed)
    with options.target.open("x", encoding="utf-8") as file:
        file.write("\n".join(result) + "\n")


if __name__ == "__main__":
    main()
