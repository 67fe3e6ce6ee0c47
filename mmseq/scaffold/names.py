"""The name of a new plugin: what is named after it, and which names are refused."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from mmseq.errors import UserError
from mmseq.registry.kinds import KINDS
from mmseq.registry.names import NAME, TAKEN
from mmseq.registry.plugins import load_plugins
from mmseq.scaffold.kinds import registered_kinds, written


@dataclass(frozen=True)
class PluginName:
    """``my-film``, and what is named after it."""

    name: str

    @property
    def distribution(self) -> str:
        """``mmseq-my-film``"""
        return f"mmseq-{self.name}"

    @property
    def module(self) -> str:
        """``mmseq_my_film``"""
        return self.distribution.replace("-", "_")

    def class_name(self, kind: str) -> str:
        """``MyFilmFusion`` for ``Fusion``; a name that ends in the kind does not say it twice."""
        own = "".join(word.capitalize() for word in self.name.split("-"))
        return own if own.endswith(kind) else own + kind

    def put_into(self, text: str) -> str:
        """Text of the template with every name that is made of ``example`` replaced."""
        text = text.replace("mmseq_example", self.module)
        text = text.replace("mmseq-example", self.distribution)
        text = re.sub(r"\bExample([A-Z]\w*)", lambda found: self.class_name(found[1]), text)
        return re.sub(r"\bexample\b", self.name, text)


def check_name(name: str, kinds: Iterable[str], commands: Collection[str]) -> PluginName:
    """The name, if a plugin of those kinds can have it; else `UserError` with reason and remedy.

    `commands`: those that mmseq has.
    """
    kinds = list(kinds)
    _check_form(name, kinds[0])
    made = PluginName(name)
    for plugin in load_plugins().plugins:
        if name == plugin.name or made.distribution == plugin.distribution:
            raise UserError(f"There is a {plugin.title} already; take another name.")
    if find_spec(made.module):
        raise UserError(f"There is a module '{made.module}' already; take another name.")
    other = f"take another name, such as my-{name}"
    registry = load_plugins().registry
    for kind in registered_kinds(kinds):
        if kind == "command":
            if name in commands:
                raise UserError(f"There is a command 'mmseq {name}' already; {other}.")
        elif (kind, name) in TAKEN:
            raise UserError(f"{KINDS[kind].capitalize()} '{name}' means no or any one; {other}.")
        elif name in registry.names(kind):
            provider = registry.get(kind, name).provider
            raise UserError(f"{provider} has a {KINDS[kind]} '{name}' already; {other}.")
    return made


def _check_form(name: str, kind: str) -> None:
    """`UserError` for what cannot be the name of a plugin."""
    if not NAME.fullmatch(name) or not name[0].isalpha():
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
        better = re.sub(r"[^a-z0-9]+", "-", spaced).lstrip("-0123456789").rstrip("-")
        raise UserError(
            f"'{name}' cannot be the name of a plugin: lower-case words joined by hyphens, the "
            f"first begins with a letter; write {better or 'my-' + written(kind)}, say."
        )
    if name.startswith("mmseq-"):
        raise UserError(
            f"'{name}': mmseq- is put before the name anyway; write "
            f"mmseq new-plugin {name.removeprefix('mmseq-')}."
        )
    if keyword.iskeyword(name):
        raise UserError(
            f"'{name}' is a keyword of Python, which nothing in code can be called; write "
            f"{name}-{written(kind)}, say."
        )
