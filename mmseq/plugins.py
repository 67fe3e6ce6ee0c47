"""Finding plugins: entry points of group ``mmseq``, each called through its own hooks."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from mmseq import hookspecs
from mmseq.errors import UserError, unknown
from mmseq.hookspecs import GROUP, Add, Target
from mmseq.registry import Entry, Registry

if TYPE_CHECKING:
    import click

ENGINE = EntryPoint(GROUP, "mmseq.builtins", GROUP)


@dataclass
class Plugin:
    """One plugin as found: what it registered, or why it could not."""

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""
    components: list[Entry] = field(default_factory=list)


class Plugins:
    """The loaded plugins and what they registered.

    A plugin that fails is one warning line and is skipped; with ``MMSEQ_STRICT_PLUGINS=1`` it is
    an error. ``MMSEQ_LOAD_PLUGINS=a,b`` (or empty) limits loading to those entry points; the
    engine's own components always load.
    """

    def __init__(self, points: list[EntryPoint], *, strict: bool) -> None:
        self.registry = Registry()
        self.plugins: list[Plugin] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._strict = strict
        for point in points:
            self._load(point)
        if strict and self.registry.clashes():
            raise UserError(self.registry.clashes()[0])

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _distribution(point)
        plugin = Plugin(point.name, distribution, version, point.value)
        self.plugins.append(plugin)
        try:
            module = import_module(point.module)
            self._manager.register(module, point.name)
            self._manager.check_pending()

            def register(kind: str, name: str, target: Target) -> None:
                if kind == "preset" and ":" not in str(target):
                    raise ValueError(f"preset '{name}': target must be 'package:file.toml'")
                plugin.components.append(
                    Entry(kind, name, target, point.name, distribution, version)
                )

            self._hook(point.name, "register_components", add=Add(register))
        # A stranger's module may raise anything at import; one bad plugin must not take the
        # command line with it. The cause is kept and shown.
        except Exception as error:
            self._fail(plugin, error)
            return
        for entry in plugin.components:
            self.registry.add(entry)

    def _hook(self, name: str, hook: str, **arguments: Any) -> None:
        """Call `hook` of the plugin `name` alone."""
        others = [p for n, p in self._manager.list_name_plugin() if n != name and p is not None]
        self._manager.subset_hook_caller(hook, others)(**arguments)

    def _fail(self, plugin: Plugin, error: Exception) -> None:
        plugin.error = f"{type(error).__name__}: {error}".splitlines()[0]
        plugin.components.clear()
        if self._manager.has_plugin(plugin.name):
            self._manager.unregister(name=plugin.name)
        provider = f"{plugin.distribution} {plugin.version}"
        line = f"plugin '{plugin.name}' of {provider} cannot be loaded: {plugin.error}"
        if self._strict:
            raise UserError(line) from error
        print(f"mmseq: {line}; it is left out.", file=sys.stderr)

    def register_commands(self, cli: click.Group) -> None:
        """Let every plugin add its commands to `cli`."""
        for plugin in self.plugins:
            if not plugin.error:
                try:
                    self._hook(plugin.name, "register_commands", cli=cli)
                # As above: a stranger's code, and `mmseq --help` must survive it.
                except Exception as error:
                    self._fail(plugin, error)


def _distribution(point: EntryPoint) -> tuple[str, str]:
    if point is ENGINE:
        from mmseq import __version__

        return "mmseq", __version__
    return (point.dist.name, point.dist.version) if point.dist else (point.name, "?")


@lru_cache(maxsize=1)
def load_plugins() -> Plugins:
    """The plugins of this process, found once."""
    found = sorted(entry_points(group=GROUP), key=lambda p: p.name)
    wanted = os.environ.get("MMSEQ_LOAD_PLUGINS")
    if wanted is not None:
        names = [name.strip() for name in wanted.split(",") if name.strip()]
        for name in names:
            if name not in {p.name for p in found}:
                raise unknown("plugin in MMSEQ_LOAD_PLUGINS", name, [p.name for p in found])
        found = [p for p in found if p.name in names]
    strict = os.environ.get("MMSEQ_STRICT_PLUGINS", "") not in ("", "0")
    return Plugins([ENGINE, *found], strict=strict)


def registry() -> Registry:
    """All registered components."""
    return load_plugins().registry
