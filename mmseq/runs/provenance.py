"""What a run was made with: its data by checksum, its components and libraries by version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmseq.config.config import Config
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.files import sha256_of
from mmseq.packaged import resolve_package_path
from mmseq.pictures.checksums import Contents, images_sha256
from mmseq.runs import folder as runs

PLACES = ("path", "image_folder", "features", "cache")
"""Of [data]: where things lie on this machine, which makes no other experiment of a run"""


def without_places(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of a config, less what says where data lie."""
    return {**tables, "data": {k: v for k, v in tables["data"].items() if k not in PLACES}}


def by_content(tables: Mapping[str, Any]) -> dict[str, Any]:
    """As `without_places`, and an encoder's file or folder (or one of a package, ``pkg:``) becomes
    the checksum of its contents.
    """
    own = without_places(tables)
    for encoder in ("text_encoder", "image_encoder"):
        own[encoder] = {key: _contents(value) for key, value in tables[encoder].items()}
    return own


def _contents(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    try:
        path = resolve_package_path(value) if value.startswith("pkg:") else Path(value).expanduser()
    except (UserError, RuntimeError):
        # Not there, or no home folder: the run will say so itself.
        return value
    return f"sha256:{_contents_of(path.resolve())}" if path.exists() else value


@lru_cache(maxsize=32)
def _contents_of(path: Path) -> str:
    """SHA-256 over the names and contents of a file, or of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            name = file.relative_to(path).as_posix() if path.is_dir() else ""
            digest.update(f"{name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def checksums_of(
    splits: Mapping[str, Split], known: Contents | None = None
) -> dict[str, dict[str, str]]:
    """Split -> ``sha256`` of its file, ``images_sha256`` of its pictures: each file is read once,
    and not at all where it is `known`.
    """
    known = {} if known is None else known
    return {
        name: {"sha256": split.sha256, "images_sha256": images_sha256(split.examples, known)}
        for name, split in splits.items()
    }


def versions_of(config: Config) -> dict[str, str]:
    """Distribution -> version of what decides figures; Python's own does not."""
    return {k: v for k, v in runs.component_versions(config).items() if k != "python"}


def require_made_with(
    metrics: Mapping[str, Any],
    data: Mapping[str, Mapping[str, str]],
    installed: Mapping[str, str],
    whole: str,
    remedy: str,
) -> None:
    """`UserError` where a finished run's `metrics` name other data or versions than these.

    That can happen where data change while many runs are under way, or on another machine of a
    cluster. `whole` is what the run is part of: ``plan``; it and `remedy` are for the message.
    """
    _require_same("data", data, _seen(metrics["data"], data), whole, remedy)
    made = {k: v for k, v in metrics["versions"].items() if k != "python"}
    # A text-only run has let its image encoder go, and does not tell of it.
    _require_same("versions", {k: installed.get(k) for k in made}, made, whole, remedy)


def _seen(
    facts: Mapping[str, Any], data: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, Any]]:
    """What the run saw; of a run that looked at no picture, pictures are left out."""
    return {
        split: {
            "sha256": fact["sha256"],
            "images_sha256": fact["images_sha256"] or data.get(split, {}).get("images_sha256"),
        }
        for split, fact in facts.items()
    }


def _require_same(
    what: str, expected: Mapping[str, Any], found: Mapping[str, Any], whole: str, remedy: str
) -> None:
    different = sorted(
        key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
    )
    if different:
        raise UserError(
            f"the run was made with other {what} than the {whole} was begun with "
            f"({', '.join(different)}); {remedy}."
        )
