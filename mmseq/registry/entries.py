"""Registered components: who provides what under which name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmseq.errors import UserError, did_you_mean, one_line, unknown
from mmseq.hookspecs import Target
from mmseq.registry.options import Option, check_options, options_of
from mmseq.registry.source import Source, find_module, source_of_class, source_of_name

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

WEIGHT_TAKEN = "its constructor takes 'weight', which is the engine's own; call it otherwise"
"""What is wrong with a task that has an option of that name"""

GIVE_VECTORS = {"text_encoder": "parts", "image_encoder": "", "fusion": "views"}
"""Kinds whose components say by `width` how wide the vectors are that they give -> where they
announce the widths of further ones."""

RATED = {"text_encoder": True, "image_encoder": True, "weighting": False}
"""Kinds whose components have a `learning_rate` of their own -> whether one without it is wrong."""

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Names stand in flags (``--aux a,b``) and keys (``--set aux.a.weight=1``)."""

TAKEN = {("aux_task", "none"), ("image_encoder", "none"), ("reader", "auto")}
"""What flags and settings use for no component, or any."""


def contract_of(kind: str) -> type:
    """The class that components of a kind derive from, each in a module of its kind's name."""
    module = importlib.import_module(f"mmseq.contracts.{kind}")
    contract: type = getattr(module, kind.title().replace("_", ""))
    return contract


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


@dataclass(frozen=True)
class Entry:
    """One registered component with its provenance."""

    kind: str
    name: str
    target: Target
    plugin: str
    distribution: str
    version: str

    @property
    def provider(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def title(self) -> str:
        """What messages call it: ``aux task 'contrastive'``."""
        return f"{KINDS[self.kind]} '{self.name}'"

    @property
    def full_title(self) -> str:
        """The same with its provider: ``aux task 'contrastive' of mmseq-mlmner 0.1.0``."""
        return f"{self.title} of {self.provider}"

    @cached_property
    def _source(self) -> Source:
        if isinstance(self.target, type):
            return source_of_class(self.target)
        if self.kind not in FILES:
            return source_of_name(self.target)
        try:
            first = self.path.read_text(encoding="utf-8").partition("\n")[0]
        # A listing must survive a missing or unreadable file; using it says why.
        except (UserError, OSError, ValueError):
            return Source()
        return Source(str(self.path), 1, first.lstrip("# "))

    @property
    def description(self) -> str:
        """The first line of the target's docstring (of a TOML file: its first comment)."""
        return self._source.doc.partition("\n")[0].strip()

    @property
    def documentation(self) -> str:
        """The target's whole docstring."""
        return self._source.doc

    @property
    def location(self) -> str:
        """``file:line`` of the target; empty where it cannot be found."""
        return f"{self._source.file}:{self._source.line}" if self._source.file else ""

    @property
    def path(self) -> Path:
        """Of a preset, plan or published figures: the file. `UserError` where there is none."""
        package, _, relative = str(self.target).partition(":")
        spec = find_module(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        for folder in folders:
            if (Path(folder) / relative).is_file():
                return Path(folder) / relative
        missing = f"no file {relative} in package '{package}'" if folders else f"no '{package}'"
        raise UserError(
            f"{self.full_title}: {missing}; the target of a {self.kind} is "
            f'"package:path/to/{self.kind}.toml".'
        )

    def load(self) -> Any:
        """The target itself, imported now if it was given as a string.

        `UserError` naming the distribution where that fails, or where it is not of its kind.
        """
        target: Any = self.target
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            try:
                imported = importlib.import_module(module)
                if not hasattr(imported, attribute):
                    hint = did_you_mean(attribute, vars(imported))
                    missing = f"module '{module}' has no attribute '{attribute}'"
                    raise AttributeError(f"{missing}.{hint}" if hint else missing)
                target = getattr(imported, attribute)
            # A stranger's module may raise anything when it is imported.
            except Exception as error:
                reason = one_line(error)
                raise UserError(
                    f"{self.full_title} cannot be loaded from '{self.target}': "
                    f"{reason.rstrip('.')}."
                ) from error
        contract = contract_of(self.kind)
        if not (isinstance(target, type) and issubclass(target, contract)):
            raise UserError(
                f"{self.full_title}: {self.target} is not a class that derives from "
                f"mmseq.{contract.__name__}."
            )
        return target

    def options(self) -> dict[str, Option]:
        """The component's options, from its constructor's signature; a task has a weight too."""
        cls = self.load()
        options = options_of(cls)
        if self.kind == "aux_task":
            if "weight" in options:
                raise UserError(f"{self.full_title}: {WEIGHT_TAKEN}.")
            # The engine's, which takes it out again: the loss is weighted outside the task.
            options["weight"] = Option("weight", float, float(cls.weight))
        return options

    def check_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with every default filled in; a clear error for a wrong name or type."""
        return check_options(self.title, self.options(), given)


class Registry:
    """All components by kind and name. Two providers of one name: an error that names both."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.plugins: dict[str, str] = {}
        """Those that are loaded, name -> title"""

    def add(self, entry: Entry) -> None:
        self._entries.setdefault((entry.kind, entry.name), []).append(entry)

    def names(self, kind: str) -> list[str]:
        return sorted(name for k, name in self._entries if k == kind)

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every entry, of one kind or of all; where two clash, both."""
        found = [e for group in self._entries.values() for e in group if kind in (None, e.kind)]
        return sorted(found, key=lambda e: (list(KINDS).index(e.kind), e.name))

    def clashes(self) -> list[str]:
        """One line for each name with more than one provider."""
        return [_clash(group) for group in self._entries.values() if len(group) > 1]

    def get(self, kind: str, name: str) -> Entry:
        """The entry of that kind and name; `UserError` if unknown or provided twice."""
        group = self._entries.get((kind, name))
        if group is None:
            error = unknown(KINDS[kind], name, self.names(kind))
            if title := self.plugins.get(name):
                what = KINDS[kind]
                raise UserError(f"{error} The {title} is installed, but registers no such {what}.")
            raise error
        if len(group) > 1:
            raise UserError(_clash(group))
        return group[0]


def _clash(group: list[Entry]) -> str:
    providers = " and ".join(f"{e.provider} ({e.target})" for e in group)
    remedy = "uninstall one, or choose with MMSEQ_LOAD_PLUGINS"
    if any(entry.distribution == "mmseq" for entry in group):
        remedy = "rename the plugin's, which is a name of mmseq's own, or uninstall it"
    return f"{group[0].title} is provided by both {providers}; {remedy}."
