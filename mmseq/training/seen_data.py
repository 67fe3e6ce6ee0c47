"""The data that a run began with: written down, and held against those that it is resumed with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.files import read_json, write_json
from mmseq.pictures.checksums import Contents, images_sha256

SEEN = "data.json"
_REMEDY = "restore it as it was, or begin a new run (another --output)."


def write_seen(folder: Path, splits: Mapping[str, Split], contents: Contents | None) -> None:
    """Write the checksums of the splits' files and pictures; `contents`: of pictures that were
    read, None where the run looks at none.
    """
    write_json(
        folder / SEEN,
        {
            name: {"file": str(split.path), "sha256": split.sha256}
            | ({} if contents is None else {"images_sha256": _pictures(split, contents)})
            for name, split in splits.items()
        },
    )


def require_same_files(folder: Path, splits: Mapping[str, Split]) -> None:
    """`UserError` where a split's file is another one than when the run in `folder` began."""
    before = _read(folder)
    if gone := [name for name in before if name not in splits]:
        path = before[gone[0]].get("file", "")
        raise UserError(f"{path}: the split '{gone[0]}' is gone since the run began; {_REMEDY}")
    for name, split in splits.items():
        if name not in before:
            raise UserError(
                f"{split.path}: the split '{name}' was not there when the run began; remove it, "
                "or begin a new run (another --output)."
            )
        if before[name].get("sha256") != split.sha256:
            raise UserError(
                f"{split.path}: the split '{name}' has changed since the run began; {_REMEDY}"
            )


def require_same_pictures(
    folder: Path, splits: Mapping[str, Split], contents: Contents | None
) -> None:
    """The same of the splits' pictures, once they have been read."""
    if contents is None:
        return
    before = _read(folder)
    for name, split in splits.items():
        known = before[name].get("images_sha256")
        if known is not None and known != _pictures(split, contents):
            raise UserError(
                f"{split.path}: pictures of the split '{name}' have changed since the run began; "
                f"{_REMEDY}"
            )


def _pictures(split: Split, contents: Contents) -> str:
    return images_sha256(split.examples, contents)


def _read(folder: Path) -> dict[str, dict[str, str]]:
    found = read_json(folder / SEEN)
    if isinstance(found, dict) and all(isinstance(facts, dict) for facts in found.values()):
        return found
    raise UserError(f"{folder / SEEN}: damaged: not a table of splits; remove it to go on.")
