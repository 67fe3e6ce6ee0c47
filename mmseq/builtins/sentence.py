"""A sentence of a file of columns, while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmseq.contracts.example import Example
from mmseq.data.picture_folder import has_picture_suffix
from mmseq.data.picture_names import elsewhere


class Sentence:
    """What has been read of a sentence."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pictures: list[str] = []
        self.picture_line = 0
        self.lines: list[int] = []
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.faulty = False

    def example(self, path: Path) -> Example:
        return Example(
            tuple(self.tokens),
            tuple(self.tags) if self.tags else None,
            tuple(_picture(name) for name in self.pictures),
            self.pictures[0] if self.pictures else f"{path.stem}-{self.number}",
            file=path,
            line=self.lines[0],
        )

    def parts(self, path: Path) -> Iterator[Example]:
        """Its words with a tag, each by itself."""
        for line, token, tag in zip(self.lines, self.tokens, self.tags, strict=False):
            yield Example((token,), (tag,), (), str(line), file=path, line=line)


def _picture(name: str) -> Path:
    return Path(name if has_picture_suffix(name) or elsewhere(name) else f"{name}.jpg")
