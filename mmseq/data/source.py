"""The data that a config names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmseq.config.config import DataConfig
from mmseq.data.columns import check_told
from mmseq.data.folder import suiting_reader
from mmseq.data.naming import Naming
from mmseq.data.sample.cached import sample_folder
from mmseq.data.splits import (
    Split,
    load_file,
    load_folder,
    rename_types,
    require_split,
    types_of,
)
from mmseq.data.store import LARGE, ExampleStore
from mmseq.errors import UserError
from mmseq.files import at_home, user_cache


def is_sample(data: DataConfig) -> bool:
    """Whether the data set is the sample that comes with the package."""
    return data.path == "sample"


def load_data(
    data: DataConfig, splits: Sequence[str], tell: Callable[[str], None] = lambda line: None
) -> dict[str, Split]:
    """The splits of a data folder, or of the sample, which is made if it is not there.

    `tell` gets a line about what takes long.
    """
    folder = sample_folder() if is_sample(data) else Path(data.path)
    return load_folder(
        folder,
        reader=data.reader,
        scheme=data.scheme,
        mapping=data.map,
        image_folder=Path(data.image_folder) if data.image_folder else None,
        splits=tuple(splits),
        store=_example_store(data, tell),
        columns=data.columns,
        naming=Naming(data.fields, data.tag_names),
    )


def _example_store(data: DataConfig, tell: Callable[[str], None]) -> ExampleStore | None:
    try:
        root = data.store("cache", lambda: user_cache() / "sentences")
    except UserError:
        if data.cache != "auto":
            raise
        # Without a place to keep them, sentences are in memory.
        return None
    if root is None:
        return None
    return ExampleStore(root, least=LARGE if data.cache == "auto" else 0, tell=tell)


def choose_split(
    own: DataConfig,
    name: str,
    data: str | Path | None = None,
    images: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    reader: str | None = None,
    naming: Naming | None = None,
    *,
    columns: Mapping[str, int | str] | None = None,
    scheme: str | None = None,
) -> Split:
    """The split `name` of a run's `own` data, or of other data: a folder, or the split's file.

    Columns and scheme of other data are not taken from the run: they are said, or the defaults.
    Names of fields and of tags are the run's where `naming` says nothing else.
    """
    settings: dict[str, Any] = {}
    data = at_home(data) if data is not None else None
    images = at_home(images) if images is not None else None
    if data is not None:
        # Other data: the scheme and folders of the training data need not fit.
        reader = reader or suiting_reader(Path(data), name, own.reader)
        settings = {"path": str(data), "image_folder": "", "reader": reader, "scheme": "auto"}
        settings["columns"] = {}
    elif reader is not None:
        settings["reader"] = reader
    settings |= naming.said() if naming else {}
    if images is not None:
        settings["image_folder"] = str(images)
    if columns:
        settings["columns"] = dict(columns)
    if scheme is not None:
        settings["scheme"] = scheme
    if mapping:
        settings["map"] = {}
    options = own.model_copy(update=settings)
    if data is not None and Path(data).is_file():
        folder = Path(options.image_folder) if options.image_folder else None
        check_told(data, options.reader, options.columns, naming)
        split = load_file(
            Path(data),
            name=name,
            reader=options.reader,
            scheme=options.scheme,
            mapping=options.map,
            image_folder=folder,
            columns=options.columns,
            naming=Naming(options.fields, options.tag_names),
        )
    else:
        split = require_split(load_data(options, (name,)), name, Path(options.path))
    return _renamed(split, mapping) if mapping else split


def _renamed(split: Split, mapping: Mapping[str, str]) -> Split:
    """The split with types renamed, and a note on those that it does not have."""
    there = types_of(split)
    notes = [
        f"{split.path}: no type '{kind}' to rename (--map {kind}={target}); its types: "
        f"{', '.join(sorted(there)) or 'none'}."
        for kind, target in mapping.items()
        if kind not in there
    ]
    split = rename_types(split, mapping)
    return replace(split, notes=(*split.notes, *notes))
