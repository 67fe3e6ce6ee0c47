"""The version of the engine."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mmseq")
except PackageNotFoundError:
    __version__ = "0"
