"""Installed distributions of which files are damaged, as an installation that was broken off leaves
them: libraries that look through all of them then fail, whoever asked.
"""

from __future__ import annotations

import os
from importlib.metadata import Distribution, distributions


def damaged() -> list[tuple[str, Exception]]:
    """Where each of them lies, and what is wrong with it."""
    found = []
    for distribution in distributions():
        if (error := fault(distribution)) is not None:
            found.append((place(distribution), error))
    return found


def fault(distribution: Distribution) -> Exception | None:
    """What reading its name or its entry points raises."""
    try:
        _ = distribution.entry_points, distribution.metadata
    # A file that is no INI file, or no text, raises whatever it happens to raise; one that is
    # missing harms nobody.
    except FileNotFoundError:
        return None
    except Exception as error:
        return error
    return None


def place(distribution: Distribution) -> str:
    """What lies where a distribution's metadata do is all that a damaged one is known by."""
    return str(getattr(distribution, "_path", "a distribution"))


def do_without_entry_points() -> None:
    """Let the libraries that would fail over a damaged distribution not look for extensions of
    their own. Before they are imported.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
