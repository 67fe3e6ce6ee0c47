"""The sample data set: made once into the user's cache when first asked for."""

from __future__ import annotations

from pathlib import Path

from mmseq.builtins.sample import SAMPLE_VERSION, write_sample
from mmseq.weights import user_cache


def sample_folder() -> Path:
    """The folder of the sample data, made now if it is not there."""
    folder = user_cache() / f"sample-{SAMPLE_VERSION}"
    if not (folder / "sample.json").is_file():
        write_sample(folder)
    return folder
