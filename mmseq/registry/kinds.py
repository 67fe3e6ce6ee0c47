"""The kinds of components: what they are called, and the class that each derives from."""

from __future__ import annotations

import importlib

KINDS = {
    "text_encoder": "text encoder",
    "image_encoder": "image encoder",
    "fusion": "fusion",
    "aux_task": "aux task",
    "decoder": "decoder",
    "weighting": "weighting",
    "reader": "reader",
    "callback": "callback",
    "preset": "preset",
    "plan": "plan",
    "published": "published figures",
}
"""Kind as in code -> kind as in messages."""

FILES = ("preset", "plan", "published")
"""Kinds whose target is a TOML file in a package, not a class."""


def contract_of(kind: str) -> type:
    """The class that components of a kind derive from, each in a module of its kind's name."""
    module = importlib.import_module(f"mmseq.contracts.{kind}")
    contract: type = getattr(module, kind.title().replace("_", ""))
    return contract
