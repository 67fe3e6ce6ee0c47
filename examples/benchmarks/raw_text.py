"""How much of a data set comes back from its text: each base alone, and what training teaches.

Learned on train, measured on test: the text as a person would write the words, and the words joined
by spaces. A sentence comes back if it is cut into its words, an entity if exactly its words are
found. With --missed N also the N most frequent strings that are cut otherwise than their words.

    python examples/benchmarks/raw_text.py DATA… [--missed N]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmseq.data.splits import load_folder
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.choosing import choose_splitter
from mmseq.data.splitting.returning import Texts, come_back, texts_of
from mmseq.data.splitting.splitter import Splitter


def measure(data: Path, missed: int, console: Console) -> None:
    """Print the table of one data folder."""
    splits = load_folder(data)
    started = time.process_time()
    learned = choose_splitter(splits["train"].examples)
    seconds = time.process_time() - started
    texts = [texts_of(example) for example in splits["test"].examples]
    table = Table(title=f"{data.name}: learned in {seconds:.1f} s")
    for heading in ("splitter", "written: sentences", "entities", "spaced: sentences", "entities"):
        table.add_column(heading)
    beside = f"{len(learned.joints)} joints, {len(learned.whole)} whole words"
    sides = [(base, Splitter(base)) for base in BASES]
    for name, splitter in [*sides, (f"{learned.base} with {beside}", learned)]:
        table.add_row(name, *shares(splitter, texts))
    console.print(table)
    for (words, found), number in cut_otherwise(learned, texts).most_common(missed):
        console.print(f"{number} x  {words}  ->  {found}", markup=False, highlight=False)


def shares(splitter: Splitter, texts: Sequence[Texts]) -> list[str]:
    """Sentences and entities that come back, as written and joined by spaces, in percent."""
    row = []
    for back in (
        come_back(splitter.pieces, texts, spaced=False),
        come_back(splitter.pieces, texts, written=False),
    ):
        row.append(f"{100 * back.sentences / max(len(back.which), 1):.2f}")
        row.append(f"{100 * back.share_of_entities:.2f}")
    return row


def cut_otherwise(splitter: Splitter, texts: Sequence[Texts]) -> Counter[tuple[str, str]]:
    """Strings as their words and as they are cut, where that differs."""
    found: Counter[tuple[str, str]] = Counter()
    for text in texts:
        for string, words in {*text.written, *text.spaced}:
            pieces = splitter.pieces(string)
            if pieces != words:
                gold, cut = (" ".join(string[s:e] for s, e in side) for side in (words, pieces))
                found[gold, cut] += 1
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--missed", type=int, default=0)
    given = parser.parse_args()
    for data in given.data:
        measure(data, given.missed, Console(width=140))


if __name__ == "__main__":
    main()
