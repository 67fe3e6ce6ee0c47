"""Finding plugins: entry points of group ``mmseq``, each called through its own hooks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from mmseq import hookspecs
from mmseq.distributions import do_without_entry_points, fault, place
from mmseq.errors import UserError, one_line, unknown
from mmseq.hookspecs import GROUP, Add, Target
from mmseq.prose import say
from mmseq.registry.entries import Entry
from mmseq.registry.kinds import KINDS
from mmseq.registry.names import check_registration
from mmseq.registry.registry import Registry
from mmseq.registry.source import find_module
from mmseq.version import __version__

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

    @property
    def provider(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def title(self) -> str:
        """What messages call it; one name may be used by two distributions."""
        return f"plugin '{self.name}' of {self.provider}"

    @property
    def file(self) -> str:
        """Where its module lies, found without importing it; empty where it cannot be found."""
        spec = find_module(self.module.partition(":")[0])
        return (spec.origin or "") if spec else ""

    def register(self, kind: str, name: str, target: Target) -> None:
        """Keep one component; a `ValueError` for a name or target that cannot be used."""
        check_registration(kind, name, target)
        if any((e.kind, e.name) == (kind, name) for e in self.components):
            raise ValueError(f"it registers {KINDS[kind]} '{name}' twice")
        entry = Entry(kind, name, target, self.name, self.distribution, self.version)
        self.components.append(entry)


class Plugins:
    """The loaded plugins and what they registered.

    A plugin that fails is one warning line and is left out; with ``MMSEQ_STRICT_PLUGINS=1`` it is
    an error. ``MMSEQ_LOAD_PLUGINS=a,b`` (or empty) limits loading to those entry points; the
    engine's own components always load.
    """

    def __init__(self, points: Iterable[EntryPoint], *, strict: bool) -> None:
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
        plugin = Plugin(point.name, *_provider(point), point.value)
        self.plugins.append(plugin)
        try:
            _require_engine(point)
            self._register_hooks(plugin, _loaded(point))
            self._call(plugin, "register_components", add=Add(plugin.register))
        # A stranger's module may raise anything at import, and may even exit; one bad plugin must
        # not take the command line with it. The cause is kept and shown.
        except (Exception, SystemExit) as error:
            plugin.components.clear()
            if self._manager.has_plugin(plugin.title):
                self._manager.unregister(name=plugin.title)
            plugin.error = one_line(error).rstrip(".")
            self._warn(f"{plugin.title} cannot be loaded: {plugin.error}; it is left out.", error)
            return
        self.registry.plugins[plugin.name] = plugin.title
        for entry in plugin.components:
            self.registry.add(entry)

    def _register_hooks(self, plugin: Plugin, module: object) -> None:
        """Register the plugin's hooks; an error if one is misspelt or none is there."""
        try:
            self._manager.register(module, plugin.title)
        except pluggy.PluginValidationError as error:
            raise ValueError(
                "a hook has another argument than its own: register_components(add), "
                "register_commands(cli)"
            ) from error
        callers = self._manager.get_hookcallers(module)
        for caller in callers or ():
            if not caller.has_spec():
                known = [
                    name for name, hook in vars(hookspecs).items() if hasattr(hook, "mmseq_spec")
                ]
                raise ValueError(str(unknown("hook", caller.name, known)))
        if not callers:
            raise ValueError("it has no hook; decorate register_components with @mmseq.hookimpl")

    def _call(self, plugin: Plugin, hook: str, **arguments: Any) -> None:
        """Call the hook of one plugin alone."""
        everyone = self._manager.list_name_plugin()
        others = [p for name, p in everyone if name != plugin.title and p is not None]
        self._manager.subset_hook_caller(hook, others)(**arguments)

    def _warn(self, line: str, error: BaseException | None = None) -> None:
        if self._strict:
            raise UserError(line) from error
        say(f"mmseq: {line}", err=True)

    def register_commands(self, cli: click.Group) -> None:
        """Let every plugin add its commands to `cli`.

        A name that is taken stays with its first owner; where a plugin fails all its commands are
        left out, its components stay.
        """
        for plugin in self.plugins:
            if plugin.error:
                continue
            before = list(_commands(cli))
            try:
                self._call(plugin, "register_commands", cli=cli)
            # As above: a stranger's code, and `mmseq --help` must survive it.
            except (Exception, SystemExit) as error:
                for group, commands in before:
                    group.commands = commands
                plugin.error = one_line(error).rstrip(".")
                self._warn(
                    f"the commands of {plugin.title} cannot be added: {plugin.error}; they are "
                    "left out.",
                    error,
                )
                continue
            for group, commands in before:
                for name in commands:
                    if group.commands.get(name) is not commands[name]:
                        group.commands[name] = commands[name]
                        self._warn(
                            f"command '{name}' of {plugin.title} is left out: there is a command "
                            "of that name."
                        )


def _commands(group: click.Group) -> Iterator[tuple[click.Group, dict[str, click.Command]]]:
    """The commands of a group and of the groups in it, as they are now."""
    import click

    yield group, dict(group.commands)
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from _commands(command)


def _provider(point: EntryPoint) -> tuple[str, str]:
    """Distribution and version; a distribution without metadata goes by the plugin's name."""
    if point is ENGINE:
        return "mmseq", __version__
    if point.dist is None:
        return point.name, "?"
    try:
        return point.dist.name or point.name, point.dist.version or "?"
    # Metadata that are missing or damaged raise whatever they happen to raise. Where they are
    # needed, for what the plugin asks for, the plugin is left out and says why.
    except Exception:
        return point.name, "?"


def _require_engine(point: EntryPoint) -> None:
    """`ImportError` where the plugin's distribution asks for another version of mmseq.

    pip sees to it when it installs the plugin, but not when mmseq changes afterwards.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    for line in _requirements(point):
        try:
            asked = Requirement(line)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise ImportError(
                f"its metadata ask for {line!r}, which is not valid ({reason})"
            ) from error
        here = asked.marker is None or asked.marker.evaluate({"extra": ""})
        if asked.name.lower() != "mmseq" or not here:
            continue
        # As pip has it: a pre-release of the next version fits what asks for this one.
        if not asked.specifier.contains(__version__, prereleases=True):
            raise ImportError(
                f"it is made for {asked}, and this is mmseq {__version__}; install a version of it "
                f"that suits, or pip install '{asked}'"
            )


def _loaded(point: EntryPoint) -> Any:
    if point.pattern.match(point.value) is None:
        raise ImportError(f"its entry point {point.value!r} names no module")
    return point.load()


def _points() -> list[EntryPoint]:
    """The entry points of all distributions. Where the files of one are damaged, as an installation
    that was broken off leaves them, those of the others, after a line on it.
    """
    try:
        return list(entry_points(group=GROUP))
    # A file that is no INI file, or no text, raises whatever it happens to raise.
    except Exception:
        do_without_entry_points()
        return _sound_points()


def _sound_points() -> list[EntryPoint]:
    found: dict[str, list[EntryPoint]] = {}
    for distribution in distributions():
        if (error := fault(distribution)) is not None:
            say(
                f"mmseq: {place(distribution)}: damaged, as after an installation that was broken "
                f"off ({one_line(error)}); its plugins are left out. Install it again, or delete "
                "that folder.",
                err=True,
            )
            continue
        try:
            name = distribution.metadata["Name"] or str(id(distribution))
        except FileNotFoundError:
            name = str(id(distribution))
        # The first on the path is the one that counts.
        found.setdefault(name, [p for p in distribution.entry_points if p.group == GROUP])
    return [point for points in found.values() for point in points]


def _requirements(point: EntryPoint) -> list[str]:
    try:
        return list((point.dist and point.dist.requires) or ())
    except FileNotFoundError:
        # A distribution without metadata.
        return []


@lru_cache(maxsize=1)
def load_plugins() -> Plugins:
    """The plugins of this process, found once."""
    found = sorted(_points(), key=lambda p: p.name)
    wanted = os.environ.get("MMSEQ_LOAD_PLUGINS")
    if wanted is not None:
        names = [name.strip() for name in wanted.split(",") if name.strip()]
        for name in names:
            # The engine's own are there in any case.
            if name not in {GROUP, *(p.name for p in found)}:
                raise unknown("plugin in MMSEQ_LOAD_PLUGINS", name, [p.name for p in found])
        found = [p for p in found if p.name in names]
    strict = os.environ.get("MMSEQ_STRICT_PLUGINS", "") not in ("", "0")
    return Plugins([ENGINE, *found], strict=strict)


def registry() -> Registry:
    """All registered components."""
    return load_plugins().registry


def list_components(kind: str | None = None, *, distribution: str | None = None) -> list[Entry]:
    """What is registered, by kind and name; each has `name`, `title`, `provider`, `description`.

    `kind`: as in code, such as ``"fusion"`` or ``"aux_task"``; None: all. `distribution`: of that
    one alone, such as ``"mmseq-film"``. Raises `mmseq.UserError` for a kind that does not exist.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind of component", kind, KINDS)
    return [e for e in registry().entries(kind) if distribution in (None, e.distribution)]
