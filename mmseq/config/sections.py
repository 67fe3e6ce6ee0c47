"""The settings of [data] and [train], told: type, limits, default, and what each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from mmseq.config.schema import DataConfig, TrainConfig
from mmseq.registry.options import in_words
from mmseq.registry.ranges import limits

SECTIONS: dict[str, type[BaseModel]] = {"data": DataConfig, "train": TrainConfig}
NAMED = {
    "data.splits": "list of 'train', 'valid', 'test'",
    "train.device": "auto, cpu, cuda, cuda:N or mps",
}
"""Values of settings whose type says less"""


@dataclass(frozen=True)
class Setting:
    """One key of a section."""

    key: str
    """Dotted, as --set takes it"""
    values: str
    """As in ``int, at least 1``"""
    default: Any
    text: str


def settings_of(section: str) -> list[Setting]:
    """Every setting of ``data`` or ``train``."""
    found = []
    for name, field in SECTIONS[section].model_fields.items():
        key = f"{section}.{name}"
        within = limits(field.metadata)
        values = NAMED.get(key) or in_words(field.annotation) + (f", {within}" if within else "")
        default = field.get_default(call_default_factory=True, validated_data={})
        found.append(Setting(key, values, default, " ".join((field.description or "").split())))
    return found
