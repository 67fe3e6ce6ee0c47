"""A registered component: what it is called, who provides it, and the class itself."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmseq.errors import UserError, did_you_mean, one_line
from mmseq.hookspecs import Target
from mmseq.registry.kinds import FILES, KINDS, contract_of
from mmseq.registry.options import Option, check_options, options_of, task_options
from mmseq.registry.source import (
    Source,
    find_file,
    source_of_class,
    source_of_file,
    source_of_name,
)


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
        if self.kind in FILES:
            return source_of_file(self.target)
        return source_of_name(self.target)

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
        try:
            return find_file(str(self.target))
        except LookupError as error:
            raise UserError(
                f"{self.full_title}: {error}; the target of a {self.kind} is "
                f'"package:path/to/{self.kind}.toml".'
            ) from error

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
        return task_options(cls, self.full_title) if self.kind == "aux_task" else options_of(cls)

    def earlier(self) -> Mapping[str, Any]:
        """Options that came later with a default that changes what is done -> what was done before:
        the class's attribute of that name, where it has one.
        """
        found: Mapping[str, Any] = getattr(self.load(), "earlier", {})
        return found

    def check_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with every default filled in; a clear error for a wrong name or type."""
        return check_options(self.title, self.options(), given)
