"""`--fields` and `--tag-names`: what the names in JSON files mean."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from mmseq.cli.pairs import pairs


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
    return pairs("--fields", texts, "write --fields tags=ner_tags,images=photo", empty=True)
