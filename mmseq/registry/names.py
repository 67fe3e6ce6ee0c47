"""The names of components, and what a registration must say."""

from __future__ import annotations

import re

from mmseq.hookspecs import Target
from mmseq.registry.kinds import FILES, KINDS

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Names stand in flags (``--aux a,b``) and keys (``--set aux.a.weight=1``)."""

TAKEN = {("aux_task", "none"), ("image_encoder", "none"), ("reader", "auto")}
"""What flags and settings use for no component, or any."""


def check_registration(kind: str, name: str, target: Target) -> None:
    """`ValueError` for a name or a target that no config could use."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or (kind, name) in TAKEN:
        reason = "is taken" if (kind, name) in TAKEN else "must be lower-case words and hyphens"
        raise ValueError(f"the name of {KINDS[kind]} {name!r} {reason}")
    if kind not in FILES and isinstance(target, type):
        return
    module, _, rest = target.partition(":") if isinstance(target, str) else ("", "", "")
    names = [*module.split("."), *([] if kind in FILES else [rest])]
    if not rest or not all(part.isidentifier() for part in names):
        form = f"package:path/to/{kind}.toml" if kind in FILES else "module:Class"
        raise ValueError(f"{KINDS[kind]} '{name}': the target {target!r} must be '{form}'")
