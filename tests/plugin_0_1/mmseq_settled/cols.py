"""The reader `cols`: a word, its box and its tag a line."""

from pathlib import Path

import mmseq


class Cols(mmseq.Reader):
    """Columns word, x0, y0, x1, y1, tag; a line of @ and picture names before a sentence."""

    suffixes = (".cols",)
    word_per_line = True
    example_file = "@ 1.png\nAnna 0 0 9 5 B-PER\nran 10 0 19 5 O\n\n@\nOslo 0 0 9 5 B-LOC\n"

    def read(self, path):
        block, start = [], 0
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate([*lines, ""], start=1):
            if line:
                start = start or number
                block.append(line.split())
            elif block:
                yield sentence(block, path, start)
                block, start = [], 0


def sentence(block, path, start):
    at = block[0][0] == "@"
    words = block[at:]
    for number, columns in enumerate(words, start=start + at):
        if len(columns) != 6 or not all(column.isdigit() for column in columns[1:5]):
            raise mmseq.UserError(f"{path}:{number}: give a word, four numbers and a tag.")
    if not words:
        raise mmseq.UserError(f"{path}:{start}: no word follows.")
    return mmseq.Example(
        tuple(columns[0] for columns in words),
        tuple(columns[5] for columns in words),
        tuple(Path(name) for name in block[0][1:]) if at else (),
        id=f"{path.stem}-{start}",
        extras={"boxes": [[int(place) for place in columns[1:5]] for columns in words]},
        file=path,
        line=start + at,
    )
