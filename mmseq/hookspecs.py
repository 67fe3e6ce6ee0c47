"""The whole plugin surface: two hooks, and the `add` object the first one is given.

A plugin is a distribution with an entry point in the group ``mmseq``::

    [project.entry-points.mmseq]
    film = "mmseq_film"

and a module with one or both hooks::

    import mmseq

    @mmseq.hookimpl
    def register_components(add):
        add.fusion("film", "mmseq_film.film:FilmFusion")

Hooks only register: installing a plugin changes no result, naming its component in a config does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

import pluggy

from mmseq.errors import unknown

if TYPE_CHECKING:
    import click

GROUP = "mmseq"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)
"""Decorator for a plugin's hooks."""

Target = str | type
"""``"module:attribute"``, resolved when first used, or the class itself."""


class Register(Protocol):
    """What `Add` calls for each component: kind, name, target."""

    def __call__(self, kind: str, name: str, target: Target) -> None: ...


class Add:
    """Given to `register_components`, bound to the plugin: one method a kind of component.

    `name` is what configs and flags say (lower case, words joined by hyphens). `target` is
    ``"module:Class"``, imported when first used, or the class. For a preset, a plan and published
    figures it is ``"package:path/to/file.toml"``.
    """

    def __init__(self, register: Register) -> None:
        self._register = register

    # A type checker is to find what is misspelt: it must not see this.
    if not TYPE_CHECKING:

        def __getattr__(self, kind: str) -> NoReturn:
            kinds = [name for name in vars(Add) if not name.startswith("_")]
            raise AttributeError(str(unknown("kind of component", kind, kinds)))

    def text_encoder(self, name: str, target: Target) -> None:
        """A `mmseq.TextEncoder`: words to vectors."""
        self._register("text_encoder", name, target)

    def image_encoder(self, name: str, target: Target) -> None:
        """A `mmseq.ImageEncoder`: a picture to region vectors."""
        self._register("image_encoder", name, target)

    def fusion(self, name: str, target: Target) -> None:
        """A `mmseq.Fusion`: word and region vectors to one fused vector a word."""
        self._register("fusion", name, target)

    def aux_task(self, name: str, target: Target) -> None:
        """A `mmseq.AuxTask`: a further loss on the model's views."""
        self._register("aux_task", name, target)

    def decoder(self, name: str, target: Target) -> None:
        """A `mmseq.Decoder`: emissions to tags."""
        self._register("decoder", name, target)

    def weighting(self, name: str, target: Target) -> None:
        """A `mmseq.Weighting`: several losses to one."""
        self._register("weighting", name, target)

    def reader(self, name: str, target: Target) -> None:
        """A `mmseq.Reader`: a file to examples."""
        self._register("reader", name, target)

    def callback(self, name: str, target: Target) -> None:
        """A `mmseq.Callback`: called as training goes on."""
        self._register("callback", name, target)

    def preset(self, name: str, target: str) -> None:
        """A TOML file inside a package: a named configuration."""
        self._register("preset", name, target)

    def plan(self, name: str, target: str) -> None:
        """A TOML file inside a package: systems, data and seeds for `mmseq bench`."""
        self._register("plan", name, target)

    def published(self, name: str, target: str) -> None:
        """A TOML file inside a package: published scores with their sources, for tables."""
        self._register("published", name, target)


@hookspec
def register_components(add: Add) -> None:
    """Called once, when components are first asked for: register yours with `add`."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Called when the command line starts: add commands to the click group `cli`.

    Import heavy libraries inside the command's function, not at module level: every
    `mmseq --help` pays for what this hook imports.
    """
