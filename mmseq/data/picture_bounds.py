"""Pictures that stay in their folder: of data that come from elsewhere, or that go elsewhere."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from mmseq.errors import UserError
from mmseq.shapes import shown


def require_within(where: str, name: str, folder: Path) -> None:
    """`UserError` for a picture's name that is absolute or leads upwards. `where`: input, line."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    away = any(kind.is_absolute() or ".." in kind.parts for kind in kinds)
    if away or name.startswith("~"):
        raise UserError(
            f"{where}: picture {shown(name)} leads out of the picture folder ({folder}); from "
            "standard input name pictures within it (--images), or give the file with --input."
        )


def require_shippable(where: str, path: Path, folder: Path) -> None:
    """`UserError` for a picture that is to be sent to other machines and does not lie in the
    picture folder, by its name or through a link.
    """
    named = path.is_relative_to(folder) and ".." not in path.relative_to(folder).parts
    if not (named and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))):
        raise UserError(
            f"{where}: picture {shown(str(path))} does not lie in the picture folder ({folder}), "
            "and what lies elsewhere is not sent to other machines; put a copy into the folder and "
            "name that."
        )
