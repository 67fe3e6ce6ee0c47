"""The config of a run as it is carried out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmseq.config.config import Config
from mmseq.data.source import is_sample
from mmseq.files import at_home
from mmseq.model.model import Model
from mmseq.training.rounds import with_length


def carried_out(config: Config, model: Model, sentences: int) -> Config:
    """The config of the run as it is: what was left open is filled in (its length, by the number of
    training `sentences`), a text-only run has no image encoder, and paths are absolute.
    """
    config = with_length(config, sentences)
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
    for key in ("features", "cache"):
        value = getattr(config.data, key)
        if value not in ("", "auto", "off"):
            changes[f"data.{key}"] = str(at_home(value).resolve())
    return config.replaced(changes)


def _is_relative_path(value: str) -> bool:
    """Whether it names something there, such as weights: a file, or a folder written as a path.

    A folder that only shares its name with a model or with an option's choice does not count.
    """
    if not value or Path(value).is_absolute():
        return False
    return os.path.isfile(value) or ("/" in value and os.path.isdir(value))
