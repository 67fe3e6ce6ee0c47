"""Finding what belongs to a data folder: split files, their readers, picture files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

from mmseq.data.endings import remedy
from mmseq.data.split_files import (
    by_other_names,
    by_right,
    file_names,
    names_meant,
    unread_line,
)
from mmseq.errors import UserError, closest
from mmseq.registry.entries import Entry
from mmseq.registry.plugins import registry

SUFFIXES = 'a tuple of endings with their dot, such as (".csv",)'
"""What a reader's `suffixes` must be, for messages"""


def readers(name: str = "auto") -> dict[str, Entry]:
    """Readers by file ending: of the reader `name`; with ``auto`` of the engine and all plugins."""
    if name != "auto":
        return _named(name)
    return _from_plugins() | _from_engine()


def reader_of(path: Path, name: str = "auto") -> Entry:
    """The reader for a file: the one named, whatever the file's ending, or by its ending."""
    if name != "auto":
        return next(iter(_named(name).values()))
    for source in (_from_engine, _from_plugins):
        for suffix, reader in source().items():
            if path.name.lower().endswith(suffix.lower()):
                return reader
    if rivals := _rivals(path.name):
        raise UserError(f"{path}: {rivals}.")
    raise UserError(
        f"{path}: no reader for this ending (known: {', '.join(sorted(readers()))}); "
        f"{remedy(path)}."
    )


def find_split(folder: Path, split: str, reader: str = "auto") -> Path | None:
    """The file of a split in `folder`; None without one.

    What others call a split's file is looked at only where nothing has its own name. `UserError`
    where two files claim to be it, and where the folder is missing. With ``auto``, plugins' readers
    are looked at only where the engine's own find nothing, so that installing a plugin never
    changes what is read.
    """
    require_folder(folder, "data folder")
    sources = (_from_engine, _from_plugins) if reader == "auto" else (lambda: _named(reader),)
    for find in (by_right, by_other_names):
        for source in sources:
            found = find(folder, split, source())
            if len(found) > 1:
                names = " and ".join(path.name for path in found)
                raise UserError(
                    f"{folder}: {names} both claim to be the split '{split}'; keep one."
                )
            if found:
                return found[0]
    return None


def unread_files(folder: Path, splits: Iterable[str], reader: str = "auto") -> str:
    """A line on files that by their names are splits and are not read; empty without one."""
    found = []
    for split in splits:
        # Two files for a split are an error of their own.
        with suppress(UserError):
            found.append(find_split(folder, split, reader))
    endings = tuple(readers(reader))
    read = [path for path in found if path is not None]
    return unread_line(folder, read, lambda path: path.name.lower().endswith(endings))


def _named(name: str) -> dict[str, Entry]:
    entry = registry().get("reader", name)
    suffixes = getattr(entry.load(), "suffixes", None)
    if not good_suffixes(suffixes):
        raise UserError(f"{entry.full_title}: its suffixes are {suffixes!r}, not {SUFFIXES}.")
    return dict.fromkeys(suffixes, entry)


def good_suffixes(suffixes: object) -> TypeGuard[tuple[str, ...]]:
    """Whether they are `SUFFIXES`."""
    if not isinstance(suffixes, tuple) or not suffixes:
        return False
    return all(isinstance(s, str) and s[:1] == "." and s[1:] for s in suffixes)


def _from_engine() -> dict[str, Entry]:
    names = [e.name for e in registry().entries("reader") if e.distribution == "mmseq"]
    return {suffix: reader for name in names for suffix, reader in _named(name).items()}


def _from_plugins() -> dict[str, Entry]:
    return {s: entries[0] for s, entries in _by_suffix().items() if len(entries) == 1}


def _by_suffix() -> dict[str, list[Entry]]:
    """Plugins' readers of each file ending."""
    found: dict[str, list[Entry]] = {}
    names = {e.name for e in registry().entries("reader") if e.distribution != "mmseq"}
    for name in sorted(names):
        # A reader that cannot be loaded is an error where it is named, not here.
        with suppress(UserError):
            for suffix, entry in _named(name).items():
                found.setdefault(suffix, []).append(entry)
    return found


def _rivals(file: str) -> str:
    """The message where several plugins' readers read a file's ending; empty: they do not."""
    for suffix, entries in _by_suffix().items():
        if file.endswith(suffix) and len(entries) > 1:
            names = " and ".join(f"'{entry.name}' of {entry.provider}" for entry in entries)
            return (
                f"read by the readers {names}; uninstall one, or choose: --set data.reader=NAME "
                "(train), --reader (evaluate, data check), --format (predict)"
            )
    return ""


def suiting_reader(place: Path, split: str, own: str) -> str:
    """The reader for data that a run was not trained on: `own`, the run's, where it reads them."""
    if own == "auto":
        return own
    if place.is_dir():
        return own if find_split(place, split, own) else "auto"
    return own if place.name.lower().endswith(tuple(_named(own))) else "auto"


def no_split(folder: Path, splits: tuple[str, ...], reader: str = "auto") -> UserError:
    """The error for a folder without any data file."""
    names = [name for split in splits for name in file_names(split)]
    inside = sorted(path.name for path in folder.iterdir())
    known = ", ".join(sorted(readers(reader)))
    unread = next((name for name in inside if name.partition(".")[0] in names), None)
    if unread is not None and reader == "auto" and (rivals := _rivals(unread)):
        return UserError(f"{folder}: {unread}: {rivals}.")
    if unread is not None and (folder / unread).is_dir():
        stem = unread if unread in names else names[0]
        return UserError(
            f"{folder}: {unread} is a folder; a split is one file, {stem}.txt, {stem}.jsonl …"
        )
    meant = names_meant((folder / name for name in inside), tuple(readers(reader)))
    # Those of other splits, which nobody asks for here, may have their names already.
    wanted = [(name, new) for name, new in meant.items() if new.partition(".")[0] in splits]
    if wanted:
        said = ", ".join(f"{name} to {new}" for name, new in wanted)
        return UserError(
            f"{folder}: no data file (endings that are read: {known}); if they hold what the "
            f"ending says, rename {said}."
        )
    if unread is not None and reader != "auto":
        return UserError(
            f"{folder}: reader '{reader}' does not read {unread} (it reads {known}); choose "
            "another with data.reader, or auto."
        )
    if unread is not None:
        return UserError(
            f"{folder}: no reader here reads {unread} (endings that are read: {known}); "
            f"{remedy(folder / unread, folder)}, or install the plugin that reads it (`mmseq list "
            "reader` shows who reads what)."
        )
    for name in inside:
        if (folder / name).is_dir() and any(_is_there(folder / name, s, reader) for s in splits):
            return UserError(f"{folder}: no data file in it, but in {folder / name}; give that.")
    more = ", …" if len(inside) > 5 else ""
    holds = f"it holds {', '.join(inside[:5])}{more}" if inside else "it is empty"
    return UserError(
        f"{folder}: no data file ({holds}); a data file is named {', '.join(names)}, with an "
        f"ending of {known}."
    )


def _is_there(folder: Path, split: str, reader: str) -> bool:
    try:
        return find_split(folder, split, reader) is not None
    except UserError:
        return True


def require_folder(folder: Path, what: str) -> None:
    """`UserError` if there is no such folder, naming the neighbour most like it."""
    if folder.is_dir():
        return
    if folder.exists():
        divide = ", or divide it with `mmseq data split`" if what == "data folder" else ""
        raise UserError(f"The {what} {folder} is a file; give the folder that holds it{divide}.")
    raise not_found(folder, what)


def not_found(path: Path, what: str) -> UserError:
    """The error for a path that does not exist, with the neighbour most like it."""
    parent = path.absolute().parent
    if not parent.is_dir():
        return UserError(f"No {what} {path}: {parent} does not exist either; check the path.")
    guess = closest(path.name, (entry.name for entry in parent.iterdir()))
    hint = f"did you mean {path.with_name(guess)}?" if guess and path.name else "check the path."
    return UserError(f"No {what} {path}: {hint}")
