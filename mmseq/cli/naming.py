"""`--fields` and `--tag-names`: what the names in JSON files mean."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from mmseq.errors import UserError


def naming_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The two options; the command gets `naming`, a `mmseq.data.naming.Naming`, or None."""

    @click.option(
        "--fields",
        metavar="A=B,…",
        multiple=True,
        help="Fields of JSON files: tags=ner_tags,images=photo [tokens, tags, images, or what "
        "others call them].",
    )
    @click.option(
        "--tag-names",
        metavar="TAG,…",
        help="Names of tags that are numbers, from 0: O,B-PER,I-PER.",
    )
    @functools.wraps(command)
    def named(*args: Any, fields: tuple[str, ...], tag_names: str | None, **options: Any) -> Any:
        from mmseq.data.naming import Naming

        names = [name.strip() for name in tag_names.split(",")] if tag_names is not None else []
        naming = Naming(parse_fields(fields), names) if fields or names else None
        return command(*args, naming=naming, **options)

    return named


def parse_fields(texts: tuple[str, ...]) -> dict[str, str]:
    """``tags=ner_tags,images=photo`` … as a mapping; `UserError` for anything else."""
    found: dict[str, str] = {}
    for text in texts:
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not (name and equals) or name in found:
                raise UserError(f"--fields {text}: write --fields tags=ner_tags,images=photo.")
            found[name] = value
    return found
