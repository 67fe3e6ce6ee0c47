"""The config of a run as it is carried out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmseq.config.config import Config
from mmseq.data.sample.cached import SAMPLE_EPOCHS
from mmseq.data.source import is_sample
from mmseq.model.model import Model


def with_epochs(config: Config) -> Config:
    """Epochs left at 0 become the text encoder's own number, or the sample's."""
    if config.train.epochs:
        return config
    own = config.component("text_encoder").entry.load().epochs
    return config.replaced({"train.epochs": SAMPLE_EPOCHS if is_sample(config.data) else own})


def _as_built(config: Config, model: Model) -> Config:
    """The config of the run as it is: a text-only run has no image encoder; paths are absolute."""
    changes: dict[str, Any] = {}
    if model.image_encoder is None and config.single["image_encoder"] is not None:
        changes["image_encoder.name"] = "none"
    if not is_sample(config.data):
        changes["data.path"] = str(Path(config.data.path).resolve())
    for encoder in ("text_encoder", "image_encoder"):
        choice = config.single[encoder]
        for name, value in choice.options.items() if choice else ():
            # A run is repeated and resumed from other folders, too.
            if isinstance(value, str) and _is_relative_path(value):
                changes[f"{encoder}.{name}"] = str(Path(value).resolve())
    if config.train.init:
        changes["train.init"] = str(Path(config.train.init).resolve())
    if config.data.image_folder:
        changes["data.image_folder"] = str(Path(config.data.image_folder).resolve())
    return config.replaced(changes)


def _is_relative_path(value: str) -> bool:
    """Whether it names something there, such as weights: a file, or a folder written as a path.

    A folder that only shares its name with a model or with an option's choice does not count.
    """
    if not value or Path(value).is_absolute():
        return False
    return os.path.isfile(value) or ("/" in value and os.path.isdir(value))
