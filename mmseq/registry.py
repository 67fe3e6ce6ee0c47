"""Registered components: who provides what under which name, and its options."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

from mmseq.errors import UserError, closest, unknown
from mmseq.hookspecs import Target

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
}
"""Kind as in code -> kind as in messages."""

RESERVED = ("self", "sizes", "assets", "fitted")
"""Constructor arguments the engine fills in; every other one is an option."""

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """One option of a component: a constructor argument other than the reserved ones."""

    name: str
    type: Any
    default: Any

    @property
    def type_name(self) -> str:
        return inspect.formatannotation(self.type).replace("typing.", "")


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

    @cached_property
    def _source(self) -> tuple[str, int, str]:
        """File, line and docstring of the target, read without importing its module."""
        if isinstance(self.target, type):
            doc = inspect.getdoc(self.target) or ""
            return inspect.getsourcefile(self.target) or "", _line_of(self.target), doc
        if self.kind == "preset":
            path = self.path
            first = path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else ""
            return str(path), 1, first.lstrip("# ")
        module, _, attribute = self.target.partition(":")
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return "", 0, ""
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
                return spec.origin, node.lineno, ast.get_docstring(node) or ""
        return spec.origin, 1, ""

    @property
    def description(self) -> str:
        """The first line of the target's docstring (of a preset: its first comment)."""
        return self._source[2].partition("\n")[0].strip()

    @property
    def documentation(self) -> str:
        """The target's whole docstring."""
        return self._source[2]

    @property
    def location(self) -> str:
        """``file:line`` of the target."""
        return f"{self._source[0]}:{self._source[1]}"

    @property
    def path(self) -> Path:
        """Of a preset: its file."""
        package, _, relative = str(self.target).partition(":")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise UserError(
                f"preset '{self.name}' of {self.provider}: no package '{package}'; "
                'a preset\'s target is "package:path/to/preset.toml".'
            )
        return Path(next(iter(spec.submodule_search_locations))) / relative

    def load(self) -> Any:
        """The target itself, imported now if it was given as a string."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"{KINDS[self.kind]} '{self.name}' of {self.provider} cannot be loaded from "
                f"'{self.target}': {error}."
            ) from error

    def options(self) -> dict[str, Option]:
        """The component's options, from its constructor's signature."""
        cls = self.load()
        hints = get_type_hints(cls.__init__)
        return {
            name: Option(name, hints.get(name, Any), parameter.default)
            for name, parameter in inspect.signature(cls.__init__).parameters.items()
            if name not in RESERVED
            and parameter.kind
            not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        }

    def check_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with every default filled in; a clear error for a wrong name or type."""
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        title = f"{KINDS[self.kind]} '{self.name}'"
        options = self.options()
        for name in given:
            if name not in options:
                guess = closest(name, options)
                hint = f" Did you mean '{guess}'?" if guess else ""
                known = ", ".join(sorted(options)) or "none"
                raise UserError(f"{title} has no option '{name}'.{hint} Its options: {known}.")
        values: dict[str, Any] = {}
        for name, option in options.items():
            value = given.get(name, option.default)
            if value is REQUIRED:
                raise UserError(f"{title} needs option '{name}' ({option.type_name}).")
            if name in given:
                config = ConfigDict(arbitrary_types_allowed=True)
                try:
                    value = TypeAdapter(option.type, config=config).validate_python(
                        value, strict=True
                    )
                except ValidationError as error:
                    reason = error.errors()[0]["msg"]
                    raise UserError(
                        f"{title}, option '{name}': {value!r} is not {option.type_name} ({reason})."
                    ) from error
            values[name] = value
        return values


def _line_of(target: type) -> int:
    try:
        return inspect.getsourcelines(target)[1]
    except OSError:
        return 0


class Registry:
    """All components by kind and name. Two providers of one name: an error that names both."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}

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
            raise unknown(KINDS[kind], name, self.names(kind))
        if len(group) > 1:
            raise UserError(_clash(group))
        return group[0]


def _clash(group: list[Entry]) -> str:
    first = group[0]
    providers = " and ".join(f"{e.provider} ({e.target})" for e in group)
    return (
        f"{KINDS[first.kind]} '{first.name}' is provided by both {providers}; uninstall one, or "
        "choose with MMSEQ_LOAD_PLUGINS."
    )
