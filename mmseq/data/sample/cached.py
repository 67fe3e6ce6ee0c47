"""The sample data set: made once into the user's cache when first asked for."""

from __future__ import annotations

import json
from pathlib import Path

from mmseq.data.sample import SAMPLE_VERSION, write_sample
from mmseq.files import user_cache

SAMPLE_EPOCHS = 5
"""Epochs for the sample where none are named: it is small and clean, and made for a first try."""


def _home() -> Path:
    return user_cache() / f"sample-{SAMPLE_VERSION}"


def sample_is_made() -> bool:
    """Whether the sample data are in the user's cache."""
    return (_home() / "sample.json").is_file()


def sample_folder() -> Path:
    """The folder of the sample data, made now if it is not there."""
    if not sample_is_made():
        try:
            write_sample(_home())
        except OSError:
            # Another process may have made it in the meantime; anything else is an error.
            if not sample_is_made():
                raise
    return _home()


def sample_ceilings() -> str:
    """One line: what can be reached on the sample."""
    facts = json.loads((sample_folder() / "sample.json").read_text(encoding="utf-8"))
    return (
        f"Sample data: the best test F1 that text alone can reach is {facts['text_ceiling']:.2f}, "
        f"with the pictures {facts['picture_ceiling']:.2f}."
    )
