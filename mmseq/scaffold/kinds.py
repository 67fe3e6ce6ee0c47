"""The kinds of things that a new plugin can bring."""

from __future__ import annotations

from collections.abc import Iterable

from mmseq.config.layering import SEVERAL, SINGLE
from mmseq.errors import unknown

TRAIN = {
    "preset": "--preset {}",
    "text_encoder": "--text-encoder {}",
    "image_encoder": "--image-encoder {}",
    "fusion": "--fusion {}",
    "aux_task": "--aux {}",
    "decoder": "--decoder {}",
    "weighting": "--weighting {}",
    "reader": "--set data.reader={}",
    "callback": "--set callbacks.{}.target=90",
    "command": "",
}
"""Kind -> how `mmseq train` is told to use it by its name."""

IN_PRESET = (*SINGLE, *SEVERAL.values())
"""Kinds that a preset names; a reader it leaves to the data."""


def written(kind: str) -> str:
    """A kind as users write it: ``aux-task``."""
    return kind.replace("_", "-")


def parse_kinds(given: Iterable[str]) -> list[str]:
    """Kinds as in ``["fusion,aux-task", "preset"]``, each once; `UserError` for an unknown one."""
    names = [name.strip() for text in given for name in text.split(",")]
    kinds = [name.lower().replace("-", "_") for name in names]
    for name, kind in zip(names, kinds, strict=True):
        if kind not in TRAIN:
            raise unknown("kind", name, map(written, TRAIN))
    return list(dict.fromkeys(kinds))


def registered_kinds(kinds: Iterable[str]) -> list[str]:
    """What a plugin of those kinds registers: with parts of a system comes a preset of them."""
    kinds = list(kinds)
    preset = any(kind in IN_PRESET for kind in kinds) and "preset" not in kinds
    return [*kinds, *(["preset"] if preset else [])]


def training_command(name: str, kinds: Iterable[str]) -> str:
    """The command that uses it: `mmseq train` with its flags, or without any its own command."""
    kinds = list(kinds)
    flags = [TRAIN[kind].format(name) for kind in kinds if TRAIN[kind]]
    if "preset" in kinds:
        # It names all the others.
        flags = [TRAIN[kind].format(name) for kind in kinds if kind in ("preset", "reader")]
    if not flags:
        return f"mmseq {name} RUN"
    data = "DATA " if "reader" in kinds else ""
    return f"mmseq train {data}{' '.join(flags)}"
