"""`mmseq data import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from mmseq.errors import UserError
from mmseq.prose import say
from mmseq.streams import put

ROLES = ("text", "tokens", "tags", "spans", "image", "id", "word", "tag", "sentence", "document")
"""What a field may be"""


@click.command("import")
@click.argument("form", metavar="FORMAT")
@click.argument("paths", metavar="SOURCE… DIR", nargs=-1, required=True)
@click.option(
    "--column",
    "columns",
    metavar="ROLE=NAME",
    multiple=True,
    help=f"Which field or column is what: {', '.join(ROLES)}; may be repeated. spans= and "
    "tags= say that there are no annotations.",
)
@click.option(
    "--tag-names", metavar="O,B-PER,…", help="Names of tags that are numbers, in order from 0."
)
@click.option(
    "--splitter",
    metavar="NAME",
    help="What cuts texts into words: whitespace, tweet, tweet-split, punctuation, characters "
    "[the one with which the fewest spans cut words].",
)
@click.option(
    "--inside",
    type=click.Choice(["cut", "widen", "drop"]),
    default="cut",
    help="A span that begins or ends inside a word: cut the word, widen the span to the word, or "
    "drop the span [cut].",
)
@click.option(
    "--sentences",
    type=click.Choice(["texts", "lines"]),
    help="Whether a sentence is a whole text or a line of it [brat: lines, else texts].",
)
@click.option("--images", metavar="DIR", help="Folder of the pictures [images beside SOURCE].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_data(
    form: str,
    paths: tuple[str, ...],
    columns: tuple[str, ...],
    tag_names: str | None,
    splitter: str | None,
    inside: Literal["cut", "widen", "drop"],
    sentences: str | None,
    images: str | None,
    as_json: bool,
) -> None:
    """Make the new data folder DIR of annotations of another tool.

    \b
    FORMAT is one of:
      autogluon     AutoGluon's tables: text, entity_annotations, image
      brat          brat's standoff files, NAME.txt and NAME.ann
      csv           tables: a sentence or a word a row
      datasets      Hugging Face data sets saved on disk (extra `datasets`)
      doccano       doccano's JSONL and JSON, with or without relations
      json          objects with words and tags, or text and spans
      label-studio  Label Studio's JSON and JSON-MIN
      prodigy       Prodigy's JSONL
      spacy         spaCy's .spacy files (extra `spacy`)

    SOURCE is a file or a folder of such, also SPLIT=SOURCE; its name says which split it is
    (valid, val, dev …; none: train). Pictures are taken from --images, or from images/ and the
    folder beside SOURCE, and from nowhere else. What does not come over is counted and named.

    \b
    Examples:
      mmseq data import doccano admin.jsonl data/mine
      mmseq data import csv tweets.csv data/tweets --column text=tweet \\
        --column spans=marked
      mmseq data import json train=a.json valid=b.json data/ab \\
        --tag-names O,B-PER,I-PER
    """
    from mmseq.data.folder import require_folder
    from mmseq.data.importing.documents import Naming
    from mmseq.data.importing.formats import format_of
    from mmseq.data.importing.writing import import_into
    from mmseq.data.new_folder import new_folder, require_new_folder
    from mmseq.files import write_json

    chosen = format_of(form)
    if len(paths) < 2:
        raise UserError(f"Give a source and the new folder: mmseq data import {form} SOURCE DIR.")
    *given, target = paths
    naming = Naming(_columns(columns), _names(tag_names))
    require_new_folder(Path(target), "DIR")
    if images is not None:
        require_folder(Path(images), "picture folder")
    sources = chosen.sources(given, form)
    with new_folder(Path(target), "DIR") as draft:
        report = import_into(
            draft,
            chosen.read(),
            sources,
            naming,
            splitter=splitter,
            inside=inside,
            lines=chosen.lines if sentences is None else sentences == "lines",
            image_folder=Path(images) if images else None,
        )
        facts = {
            "format": form,
            "sources": {str(source.path): source.split for source in sources},
            **report.record(),
        }
        write_json(draft / "import.json", facts)
    if as_json:
        put(json.dumps(facts, indent=2))
        return
    for line in report.lines():
        say(line)
    if list(report.sentences) == ["train"]:
        say(f"To divide them: mmseq data split {Path(target) / 'train.jsonl'} --output DIR")


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    """``text=tweet`` … as a mapping. `UserError` for what is no role, or named twice."""
    from mmseq.errors import unknown

    found: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or (not name and role not in ("tags", "spans", "image")):
            raise UserError(f"--column {pair}: write --column ROLE=NAME.")
        if role not in ROLES:
            raise unknown("role", role, ROLES)
        if role in found:
            raise UserError(f"--column {role} is given twice; give it once.")
        found[role] = name
    return found


def _names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise UserError(f"--tag-names {text}: write each name once, with commas between.")
    return names
