"""Pictures that annotations name, brought into the new folder; none is looked for elsewhere."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from mmseq.data.importing.documents import Content
from mmseq.data.new_folder import place_picture
from mmseq.data.picture_folder import PictureFolder
from mmseq.files import sha256_of

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:/|data:)")


class Pictures:
    """Brings pictures into a folder and gives their names in it."""

    def __init__(self, target: Path, counts: Counter[str], lost: dict[str, str]) -> None:
        """`target`: the new folder's ``images``; `counts` gets what came of each name, `lost` the
        first name of each kind of picture that is not placed.
        """
        self._target = target
        self._counts, self._lost = counts, lost
        self._known: dict[tuple[tuple[Path, ...], str], tuple[str, str]] = {}
        self._folders: dict[Path, PictureFolder] = {}
        self._sources: dict[str, str] = {}

    def bring(self, picture: str | Content, roots: Sequence[Path]) -> str:
        """The name in the new folder of a picture that is looked for in `roots`, one after the
        other. What is not there, lies outside of them or is a URL keeps the name that it has.
        """
        if isinstance(picture, Content):
            return self._write(picture)
        key = (tuple(roots), picture)
        if key not in self._known:
            self._known[key] = self._find(picture, roots)
        name, outcome = self._known[key]
        if outcome != "placed":
            self._counts[outcome] += 1
            self._lost.setdefault(outcome, name)
        return name

    def _find(self, name: str, roots: Sequence[Path]) -> tuple[str, str]:
        if _URL.match(name) and not PureWindowsPath(name).drive:
            return name, "urls"
        outside = False
        for root in roots:
            for written in dict.fromkeys((name, name.replace("\\", "/"))):
                relative = _inside(written, root)
                if relative is None:
                    outside = True
                    continue
                found = self._folder(root).find(Path(relative))
                if not os.path.isfile(found):
                    continue
                if not Path(os.path.realpath(found)).is_relative_to(os.path.realpath(root)):
                    outside = True
                    continue
                return self._place(found, found.relative_to(root)), "placed"
        return name, "outside" if outside else "missing"

    def _folder(self, root: Path) -> PictureFolder:
        return self._folders.setdefault(root, PictureFolder(root))

    def _place(self, source: Path, relative: Path) -> str:
        parts = relative.parts
        name = Path(*parts[1:]).as_posix() if parts[0] == "images" and parts[1:] else ""
        name = self._free(name or relative.as_posix(), source)
        if name not in self._sources:
            place_picture(source, self._target / name)
            self._sources[name] = os.path.realpath(source)
            self._counts["placed"] += 1
        return name

    def _free(self, name: str, source: Path) -> str:
        """`name`, or where another picture has it, the same in a numbered folder."""
        wanted, number = name, 1
        while (taken := self._sources.get(wanted)) is not None:
            if taken == os.path.realpath(source) or sha256_of(Path(taken)) == sha256_of(source):
                break
            number += 1
            wanted = f"{number}/{name}"
        return wanted

    def _write(self, picture: Content) -> str:
        """Pictures that are part of the data: of one name, those with other bytes are numbered."""
        base = PurePosixPath(picture.name.replace("\\", "/")).name
        wanted, number = base, 1
        while wanted in self._sources:
            if (self._target / wanted).read_bytes() == picture.bytes:
                return wanted
            number += 1
            wanted = f"{number}/{base}"
        path = self._target / wanted
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.bytes)
        self._sources[wanted] = str(path)
        self._counts["placed"] += 1
        return wanted


def _inside(name: str, root: Path) -> str | None:
    """The name in terms of `root`; None where it lies outside, or is no name of a file."""
    if "\0" in name:
        return None
    path = os.path.normpath(os.path.join(os.path.abspath(root), name))
    relative = os.path.relpath(path, os.path.abspath(root))
    if relative == "." or relative.startswith("..") or PureWindowsPath(name).drive:
        return None
    return relative
