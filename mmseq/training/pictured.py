"""Whether there are pictures for a model that looks at them: said before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import isfile

from mmseq.data.picture_names import elsewhere, shown
from mmseq.data.splits import Split, missing_pictures
from mmseq.errors import UserError


def picture_lines(splits: Mapping[str, Split], reader: str, folder: str) -> list[str]:
    """What the user reads: how many of the picture files are there, where some are not, and that a
    model learns from words alone where ``train`` names no picture or none of them is there.

    `reader`: what looks at pictures, such as ``fusion 'gate'``; `folder`: where names are looked
    up.
    """
    lines = []
    for name, split in splits.items():
        files = dict.fromkeys(path for example in split.examples for path in example.images)
        lacking = [path for path in files if not isfile(path)]
        if name == "train" and not files:
            lines.append(
                f"train names no picture, and {reader} looks at pictures: the model learns from "
                'words alone. In JSON lines the field "images" names them (data.fields names '
                "another one), in columns a line IMGID:NAME before a sentence."
            )
        elif lacking:
            first = lacking[0]
            reason = elsewhere(first) or "no such file"
            there = len(files) - len(lacking)
            line = (
                f"{name}: {there:,} of {len(files):,} picture files are there. First that is not: "
                f"{shown(first)} ({reason})."
            )
            if name == "train" and not there:
                line += (
                    f" {reader[:1].upper()}{reader[1:]} looks at pictures: the model learns from "
                    f"words alone. Names are looked up in {folder}; --images gives another folder."
                )
            lines.append(line)
    return lines


def require_pictures(splits: Mapping[str, Split]) -> None:
    """`UserError` naming the first sentence with a picture that has no file; nothing is opened."""
    missing = missing_pictures(e for split in splits.values() for e in split.examples)
    if missing:
        example, path = missing[0]
        number = len({path for _, path in missing})
        raise UserError(
            f"{example.where}: picture {shown(path)}: {elsewhere(path) or 'no such file'} "
            f"({number} such pictures); fix it, or set data.images = 'lenient' to do without it."
        )
