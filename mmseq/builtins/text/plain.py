"""What a run's files for transformers may say: sizes, switches, tokens; no place, and no code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from transformers.models.auto.configuration_auto import (  # type: ignore[attr-defined]
    CONFIG_MAPPING_NAMES,
)

from mmseq.files import write_json
from mmseq.shapes import LATER, Shape, Text, Whole, fault, shown

FILES = ("config.json", "tokenizer_config.json", "special_tokens_map.json")
"""What the library reads settings from, beside the tokenizer itself"""
MOST = 10_000
"""Layers and the like of any network"""
_PLACES = re.compile(
    r"auto_map|_?name_or_path|(.*_)?(file|path|dir|folder|url|uri|repo|repo_id|repository|filename|"
    r"revision|checkpoint)s?",
    re.IGNORECASE,
)
_MANY = re.compile(r"(.*_)?(layer|depth|block|stage|expert|head|group)s?", re.IGNORECASE)


class Form(Shape):
    """form.json: see `mmseq.builtins.text.pretrained`."""

    part: Literal["encoder"] = LATER
    width: Whole = LATER
    vectors: bool = True
    tokenizer: list[Text] = LATER


def require_plain(assets: Path) -> None:
    """`ValueError` for a file in a run's `assets` that names code, a file, a folder or a
    repository, a model that the library does not know, or more layers than any network has.
    """
    if not (assets / "config.json").is_file():
        raise ValueError(f"{assets.name}/config.json is missing")
    for name in FILES:
        if (assets / name).is_file():
            _require(f"{assets.name}/{name}", _read(assets / name), config=name == "config.json")


def without_places(folder: Path) -> None:
    """Take what names places and code out of the files that the library has just saved: what was
    loaded by it is in the folder now.
    """
    for name in FILES:
        path = folder / name
        if path.is_file() and any(_named(_read(path))):
            write_json(path, _cleared(_read(path)))


def require_form(assets: Path, form: Any) -> None:
    """`ValueError` for a form.json of another kind, or one that names files elsewhere."""
    if wrong := fault(Form, form):
        raise ValueError(f"{assets.name}/form.json: {wrong}")
    for name in form.get("tokenizer", ()):
        if Path(name).name != name:
            raise ValueError(f"{assets.name}/form.json: tokenizer: {shown(name)} is no file's name")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.parent.name}/{path.name}: {error}") from error


def _require(where: str, facts: Any, *, config: bool) -> None:
    if not isinstance(facts, dict):
        raise ValueError(f"{where}: it is no table")
    if key := next(_named(facts), None):
        raise ValueError(
            f"{where}: {shown(key)} names code or a place, and a run holds all that it needs: "
            "remove the key"
        )
    if not config:
        return
    for key, value in _pairs(facts):
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(n, float) and math.isnan(n) for n in numbers):
            raise ValueError(f"{where}: {shown(key)} is no number")
        if _MANY.fullmatch(key) and any(isinstance(n, int) and not 0 <= n <= MOST for n in numbers):
            raise ValueError(f"{where}: {shown(key)} is not from 0 to {MOST}")
    # Networks within it are `mmseq.builtins.text.structure`'s matter.
    kind = facts.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING_NAMES:
        raise ValueError(f"{where}: transformers knows no model_type {shown(kind)}")


def _named(facts: Any) -> Iterator[str]:
    """Keys that name places or code, and have a value that could."""
    return (
        key
        for key, value in _pairs(facts)
        if _PLACES.fullmatch(key) and isinstance(value, str | list | dict) and value
    )


def _pairs(facts: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth; tokens and labels are no keys of the library's."""
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key not in ("added_tokens_decoder", "label2id", "id2label", "vocab"):
                yield key, value
                yield from _pairs(value)
    elif isinstance(facts, list):
        for value in facts:
            yield from _pairs(value)


def _cleared(facts: Any) -> Any:
    if isinstance(facts, list):
        return [_cleared(value) for value in facts]
    if not isinstance(facts, dict):
        return facts
    return {
        key: value if key in ("added_tokens_decoder", "label2id", "id2label") else _cleared(value)
        for key, value in facts.items()
        if not (_PLACES.fullmatch(key) and isinstance(value, str | list | dict) and value)
    }
