"""What makes a run the experiment that it is: bench, tune, table and compare all ask here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic_core import to_jsonable_python

from mmseq.config.config import DataConfig, TrainConfig
from mmseq.config.dotted import dotted
from mmseq.config.layering import DEFAULTS, SEVERAL, SINGLE, as_now
from mmseq.errors import UserError
from mmseq.files import at_home, sha256_of
from mmseq.packaged import resolve_package_path
from mmseq.registry.entries import Entry
from mmseq.registry.options import REQUIRED
from mmseq.registry.plugins import registry
from mmseq.runs.earlier import earlier_options
from mmseq.runs.folder import LIBRARIES

ASIDE: Mapping[str, str] = MappingProxyType(
    {
        "data.path": "where the data lie; their checksums say what they are",
        "data.image_folder": "where the pictures lie; their checksums say what they are",
        "data.features": "where features are kept: they are rounded alike, kept or not",
        "data.cache": "where sentences are kept: batches are the same from there",
        "data.splitter": "how strings are cut to be tagged: training and scores have words",
        "train.keep_last": "what is kept of a finished run",
        "train.checkpoint_steps": "how often an unfinished run is saved: resumed, it is the same",
    }
)
"""Settings that make no other experiment, and why"""

WEIGHTS = "model.safetensors"
"""What a run that another one starts from counts by"""

_MODELS = {"data": DataConfig, "train": TrainConfig}


def settings(tables: Mapping[str, Any], *, seed: bool) -> dict[str, Any]:
    """The dotted settings that decide a run's figures; without its `seed` those of its system.

    One at its default is left out, so that a record made before a setting came is what it was; a
    component's defaults are known where it is installed, and what was done before an option came
    where its default is not that. Files are identified by their content. A
    task or callback is there by a key of its own, ``aux.boundary``; a callback that cannot stop a
    run is left out, and so is the image encoder of a run that reads no picture.
    """
    tables = _one_of_several_gpus(as_now(tables))
    if _reads_no_picture(tables):
        tables = {**tables, "image_encoder": {"name": "none"}}
    found: dict[str, Any] = {}
    earlier = earlier_options(tables)
    for section, table in tables.items():
        if section in SINGLE:
            name = _name(tables, section)
            defaults = {"name": DEFAULTS[section]["name"], **_defaults(section, name)}
            found |= _other(section, {**earlier.get(section, {}), **table}, defaults)
        elif section in SEVERAL:
            for name, options in table.items():
                kind = SEVERAL[section]
                if kind != "callback" or _steers(name):
                    place = f"{section}.{name}"
                    options = {**earlier.get(place, {}), **options}
                    found |= {place: True, **_other(place, options, _defaults(kind, name))}
        else:
            found |= _other(section, table, _of_section(section))
    return {
        key: _content(key, value) or value
        for key, value in found.items()
        if key not in ASIDE and (seed or key != "train.seed")
    }


def _one_of_several_gpus(tables: dict[str, Any]) -> dict[str, Any]:
    """Tables whose device is ``cuda``, whichever GPU of the machine it is."""
    train = tables.get("train", {})
    if not str(train.get("device", "")).startswith("cuda:"):
        return tables
    return {**tables, "train": {**train, "device": "cuda"}}


def _other(place: str, table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted, what a table has that is not at its default."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in defaults or not _equal(value, defaults[key]):
            found |= dotted({f"{place}.{key}": value})
    return found


def _equal(value: Any, default: Any) -> bool:
    # In Python, True is 1.
    return isinstance(value, bool) == isinstance(default, bool) and bool(value == default)


def _of_section(section: str) -> dict[str, Any]:
    """Defaults of [data] and [train]."""
    model = _MODELS.get(section)
    return {} if model is None else model().model_dump()


def _defaults(kind: str, name: str) -> Mapping[str, Any]:
    """Defaults of a component's options; none where it is not installed."""
    entry = _installed(kind, name)
    try:
        return {} if entry is None else _defaults_of(entry, entry.load())
    except UserError:
        # It cannot be loaded here; whoever trains with it is told so.
        return {}


@lru_cache(maxsize=256)
def _defaults_of(entry: Entry, cls: type) -> Mapping[str, Any]:
    """`cls`: what the entry loads; another class under the same name has options of its own."""
    return {
        name: to_jsonable_python(option.default, fallback=repr)
        for name, option in entry.options().items()
        if option.default is not REQUIRED
    }


def _installed(kind: str, name: str) -> Entry | None:
    try:
        return registry().get(kind, name)
    except UserError:
        return None


def _name(tables: Mapping[str, Any], section: str) -> str:
    return str(tables.get(section, {}).get("name", DEFAULTS[section]["name"]))


def _steers(callback: str) -> bool:
    """It may stop a run, or is not known here."""
    entry = _installed("callback", callback)
    try:
        return entry is None or bool(entry.load().steers)
    except UserError:
        return True


def _reads_no_picture(tables: Mapping[str, Any]) -> bool:
    """Told from the classes of what could read one; False where one is not installed."""
    entries = [_installed(kind, _name(tables, kind)) for kind in ("fusion", "text_encoder")]
    try:
        return all(entry is not None and not entry.load().needs_images for entry in entries)
    except UserError:
        return False


def contents_named(tables: Mapping[str, Any]) -> dict[str, str]:
    """Dotted settings that name a file or folder which is there -> the checksum of its content.

    They are an encoder's options, where ``pkg:`` paths count too, and ``train.init``.
    """
    found = {key: _content(key, value) for key, value in dotted(tables).items()}
    return {key: content for key, content in found.items() if content}


def _content(key: str, value: Any) -> str:
    """The checksum of what a setting names; empty where it names nothing that is there."""
    section, _, option = key.partition(".")
    path: Path | None = None
    if key == "train.init":
        path = _path(value)
        path = path and path / WEIGHTS
    elif section in ("text_encoder", "image_encoder") and option != "name":
        path = _path(value)
        # A folder that is called as a model is, or as an option's choice, is not meant.
        if path is not None and path.is_dir() and "/" not in value:
            path = None
    return f"sha256:{_known_contents(path)}" if path is not None and path.exists() else ""


def own_contents(tables: Mapping[str, Any]) -> dict[str, str]:
    """The same but for what packages hold, which their versions tell."""
    outside = {k: v for k, v in dotted(tables).items() if not str(v).startswith("pkg:")}
    return contents_named(outside)


def by_content(
    tables: Mapping[str, Any], contents: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Tables in which every setting that names a file has the checksum of its content.

    `contents`: those that were found when a record was made; without, as the files are now.
    """
    own = {section: dict(table) for section, table in tables.items()}
    for place, checksum in (contents_named(tables) if contents is None else contents).items():
        section, _, key = place.partition(".")
        if key in own.get(section, {}):
            own[section][key] = checksum
    return own


def without_places(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables less what says where data lie on this machine."""
    own = {key: value for key, value in tables["data"].items() if f"data.{key}" not in ASIDE}
    return {**tables, "data": own}


def recorded(tables: Mapping[str, Any], contents: Mapping[str, str]) -> dict[str, Any]:
    """Tables of a record with the content of files as it was then.

    A package's path stays: it names the same everywhere, and may be a default.
    """
    flat = dotted(tables)
    own = {k: v for k, v in contents.items() if not str(flat.get(k)).startswith("pkg:")}
    return by_content(tables, own)


def versions(tables: Mapping[str, Any], made_with: Mapping[str, str]) -> dict[str, str]:
    """Of the versions that a run was `made_with` those that may decide figures.

    Python's does not, nor that of a distribution which has nothing in the run but callbacks that
    cannot stop it.
    """
    used, beside = {"mmseq", *LIBRARIES}, {"python"}
    for kind, name in _chosen(tables):
        if (entry := _installed(kind, name)) is not None:
            aside = kind == "callback" and not _steers(name)
            (beside if aside else used).add(entry.distribution)
    return {k: v for k, v in made_with.items() if k in used or k not in beside}


def _chosen(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of every component."""
    for section in SINGLE:
        yield section, _name(tables, section)
    for section, kind in SEVERAL.items():
        yield from ((kind, name) for name in tables.get(section, {}))


def _path(value: Any) -> Path | None:
    """The file or folder that a setting names, where it names one that is there."""
    if not isinstance(value, str) or not value:
        return None
    try:
        path = resolve_package_path(value) if value.startswith("pkg:") else at_home(value)
        return path.resolve() if path.exists() else None
    except (UserError, RuntimeError, OSError, ValueError):
        # Not there, no home folder, or no path at all: the run will say so itself.
        return None


def contents_of(path: Path) -> str:
    """SHA-256 over the names and contents of a file, or of all files in a folder."""
    digest = hashlib.sha256()
    for file in _files(path):
        name = file.relative_to(path).as_posix() if path.is_dir() else ""
        digest.update(f"{name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """A file, or all files in a folder; a link to nothing is none."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in inside if file.is_file()]


def _known_contents(path: Path) -> str:
    """`contents_of`, read again only where a file has another size or time: one experiment of a
    hundred asks as the other ninety-nine do.
    """
    found = ((file, file.stat()) for file in _files(path))
    return _contents_at(path, tuple((file, s.st_size, s.st_mtime_ns) for file, s in found))


@lru_cache(maxsize=32)
def _contents_at(path: Path, stamps: tuple[tuple[Path, int, int], ...]) -> str:
    return contents_of(path)
