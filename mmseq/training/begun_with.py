"""What a run began with: written down, and held against what it is resumed with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.config.config import Config
from mmseq.config.dotted import dotted
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.files import read_json, read_toml, write_json
from mmseq.pictures.checksums import Contents, images_sha256
from mmseq.runs.folder import component_versions
from mmseq.runs.identity import ASIDE, own_contents

SEEN = "data.json"
_REMEDY = "restore it as it was, or begin a new run (another --output)."
_SHOWN = 4
"""Settings or versions that a line names"""


class CannotResume(UserError):
    """What is here does not let the run be resumed: it began with something else, or is damaged."""


def write_seen(
    folder: Path, config: Config, splits: Mapping[str, Split], contents: Contents | None
) -> None:
    """Write what the run in `folder` begins with: checksums of the splits' files and pictures, the
    settings in its config.toml, checksums of files that these name, and versions. `contents`: of
    pictures that were read, None where the run looks at none.
    """
    write_json(
        folder / SEEN,
        {
            "splits": {
                name: {"file": str(split.path), "sha256": split.sha256}
                | ({} if contents is None else {"images_sha256": _pictures(split, contents)})
                for name, split in splits.items()
            },
            "settings": _settings(folder),
            "contents": own_contents(config.tables()),
            "versions": component_versions(config),
        },
    )


def require_same_settings(folder: Path, config: Config) -> None:
    """`CannotResume` where a setting is not as it was, or a file that one names; settings that make
    no other run may have changed.
    """
    record, now = _read(folder), _settings(folder)
    before = record.get("settings")
    if before is None:
        return
    path = folder / "config.toml"
    changed = [
        f"{key} ({_shown(before, key)} when the run began, {_shown(now, key)} now)"
        for key in sorted({**before, **now})
        if key not in ASIDE and _told(before, key) != _told(now, key)
    ]
    if changed:
        raise CannotResume(f"{path}: changed since the run began: {_few(changed)}; {_REMEDY}")
    contents = own_contents(config.tables())
    for key, checksum in record.get("contents", {}).items():
        if contents.get(key) != checksum:
            raise CannotResume(
                f"{path}: what {key} names ({now.get(key)}) has changed since the run began; "
                f"{_REMEDY}"
            )


def other_versions(folder: Path, config: Config) -> str:
    """What the run was begun with in another version than is here; empty where there is nothing."""
    before, now = _read(folder).get("versions", {}), component_versions(config)
    others = [
        f"{name} {version} (here {now.get(name, 'none')})"
        for name, version in before.items()
        if now.get(name) != version
    ]
    return f"begun with {_few(others)}" if others else ""


def require_same_files(folder: Path, splits: Mapping[str, Split]) -> None:
    """`CannotResume` where a split's file is another one than when the run in `folder` began."""
    before = _read(folder)["splits"]
    if gone := [name for name in before if name not in splits]:
        path = before[gone[0]].get("file", "")
        raise CannotResume(f"{path}: the split '{gone[0]}' is gone since the run began; {_REMEDY}")
    for name, split in splits.items():
        if name not in before:
            raise CannotResume(
                f"{split.path}: the split '{name}' was not there when the run began; remove it, "
                "or begin a new run (another --output)."
            )
        if before[name].get("sha256") != split.sha256:
            raise CannotResume(
                f"{split.path}: the split '{name}' has changed since the run began; {_REMEDY}"
            )


def require_same_pictures(
    folder: Path, splits: Mapping[str, Split], contents: Contents | None
) -> None:
    """The same of the splits' pictures, once they have been read."""
    if contents is None:
        return
    before = _read(folder)["splits"]
    for name, split in splits.items():
        known = before[name].get("images_sha256")
        if known is not None and known != _pictures(split, contents):
            raise CannotResume(
                f"{split.path}: pictures of the split '{name}' have changed since the run began; "
                f"{_REMEDY}"
            )


def _pictures(split: Split, contents: Contents) -> str:
    return images_sha256(split.examples, contents)


def _settings(folder: Path) -> dict[str, Any]:
    """Dotted settings as config.toml has them."""
    return dotted(read_toml(folder / "config.toml"))


_ABSENT = object()


def _told(settings: Mapping[str, Any], key: str) -> Any:
    """A value and whether it is a truth value: in Python, True is 1."""
    value = settings.get(key, _ABSENT)
    return isinstance(value, bool), value


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return repr(settings[key]) if key in settings else "not there"


def _few(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{', '.join(items[:_SHOWN])}{more}"


def _read(folder: Path) -> dict[str, Any]:
    """What `write_seen` wrote; a table of splits alone, as the first version did, is those."""
    path = folder / SEEN
    try:
        found = read_json(path)
    except UserError as error:
        raise CannotResume(f"{str(error).rstrip('.')}; remove it to go on.") from error
    if isinstance(found, dict) and "splits" not in found:
        found = {"splits": found}
    if not _is_record(found):
        raise CannotResume(f"{path}: damaged: not what a run began with; remove it to go on.")
    return dict(found)


def _is_record(found: Any) -> bool:
    """Tables, of splits tables again; no place for anything else."""
    parts = ("splits", "settings", "contents", "versions")
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(part, {}), dict) for part in parts)
        and all(
            isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values())
            for facts in found["splits"].values()
        )
        and all(isinstance(version, str) for version in found.get("versions", {}).values())
    )
