"""Hugging Face data sets that `save_to_disk` wrote: a folder of the splits' folders, or one split.

Columns are found by their names as in JSON; tags that are numbers get the names that the data set
gives them. Pictures that the data set holds are written out; those that it only names are looked
for beside it. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmseq.data.folder import require_folder
from mmseq.data.importing.documents import Content, Item, Naming, Place
from mmseq.data.importing.fields import field_of
from mmseq.data.importing.records import item_of
from mmseq.data.importing.sources import Source, given_path, in_order, split_named
from mmseq.errors import UserError, one_line

_ENDINGS = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF8": "gif",
    b"RIFF": "webp",
    b"BM": "bmp",
}


def sources(given: Sequence[str]) -> list[Source]:
    """The splits of the data sets given. `UserError` for what is none."""
    found = []
    for text in given:
        folder, said = given_path(text, "folder")
        require_folder(folder, "data set")
        if (folder / "state.json").is_file():
            found.append(Source(folder, said or split_named(folder.name) or "train"))
            continue
        inside = sorted(p for p in folder.iterdir() if (p / "state.json").is_file())
        if not inside:
            raise UserError(
                f"{folder}: not a data set that `save_to_disk` wrote (no state.json in it or in "
                "its folders)."
            )
        unknown = [path.name for path in inside if split_named(path.name) is None]
        if unknown and said is None:
            raise UserError(
                f"{folder}: '{unknown[0]}' is no name of a split; give the folder of each: "
                f"train={inside[0]} …"
            )
        found += [Source(path, said or split_named(path.name) or "train") for path in inside]
    return in_order(found)


def read(path: Path, naming: Naming) -> Iterator[Item]:
    """A row each."""
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{path}: the package datasets is not installed: pip install 'mmseq[datasets]' (or "
            "datasets)."
        ) from error
    try:
        rows = datasets.load_from_disk(str(path))
        for name, feature in rows.features.items():
            if isinstance(_inner(feature), datasets.Image):
                rows = rows.cast_column(name, _undecoded(feature, datasets))
    # What a damaged folder raises is whatever its parts do.
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a data set ({one_line(error)}).") from error
    place = Place(path)
    tags = field_of("tags", list(rows.features), naming, place)
    names = getattr(_inner(rows.features[tags]), "names", None) if tags else None
    if names and not naming.tags:
        naming = replace(naming, tags=tuple(names))
    for number, row in enumerate(rows, 1):
        at = Place(Path(f"{path} (row {number})"))
        yield item_of({k: _picture(v, number) for k, v in row.items()}, at, naming)


def _inner(feature: Any) -> Any:
    """What a list is of; of anything else itself."""
    inner = getattr(feature, "feature", feature)
    return inner[0] if isinstance(inner, list) else inner


def _undecoded(feature: Any, datasets: Any) -> Any:
    image = datasets.Image(decode=False)
    return image if isinstance(feature, datasets.Image) else datasets.Sequence(image)


def _picture(value: Any, row: int) -> Any:
    """Pictures, alone and in lists, as their content or their name; the rest as it is."""
    if isinstance(value, list) and value and all(map(_is_picture, value)):
        return [_picture(entry, row) for entry in value]
    if not _is_picture(value):
        return value
    if value["bytes"] is None:
        return value["path"]
    content = value["bytes"]
    ending = next((e for head, e in _ENDINGS.items() if content.startswith(head)), "jpg")
    return Content(Path(value["path"] or f"{row}.{ending}").name, content)


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"bytes", "path"}
