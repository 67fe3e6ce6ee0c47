"""`mmseq evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.data import renamings
from mmseq.cli.naming import naming_options
from mmseq.cli.predict import INT8
from mmseq.cli.run_data import run_and_data
from mmseq.streams import put

if TYPE_CHECKING:
    from mmseq.data.naming import Naming


@click.command(short_help="Score the tagger in RUN on DATA, by default on its own.")
@run_and_data
@click.option("--reader", metavar="NAME", help="Reader of DATA [the run's, or by its ending].")
@columns_option()
@scheme_option("Tagging scheme of DATA [auto; of its own data: the run's].", default=None)
@click.option("--map", "renamed", metavar="A=B", multiple=True, help="Rename a type; A=O drops it.")
@click.option(
    "--unknown",
    type=click.Choice(["refuse", "missed"]),
    default="refuse",
    help="What of types in DATA that RUN does not know [refuse].",
)
@naming_options
@click.option("--int8", is_flag=True, help=INT8)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing but the scores and errors.")
def evaluate(
    run: Path,
    data: str | None,
    split: str,
    images: str | None,
    reader: str | None,
    columns: Columns | None,
    scheme: str | None,
    renamed: tuple[str, ...],
    unknown: Literal["refuse", "missed"],
    int8: bool,
    as_json: bool,
    naming: Naming | None,
    quiet: bool,
) -> None:
    """Score the tagger in RUN on DATA (a folder or one file), by default on its own data.

    Every figure says its variant: seqeval's default, strict IOB2, and repaired (orphan I- made
    B-), each with its gold count; the data are named by their checksums. With --unknown missed
    the entities of a type that RUN does not know count as missed, as they always do in its own
    data; that is said, with their number.

    \b
    Example:
      mmseq evaluate runs/sample-gate-1 --split valid
    """
    from mmseq.console import Reporter, Warnings
    from mmseq.data.source import choose_split
    from mmseq.data.unknown_types import missed_line, unknown_entities
    from mmseq.scoring.score_table import score_table
    from mmseq.scoring.tables import confused_table
    from mmseq.tagging.tagger import load
    from mmseq.training.memory import keep_freed_memory

    keep_freed_memory()
    tagger = load(run, int8=int8)
    reporter = Warnings() if as_json else Reporter()
    tagger.reporter = Reporter(quiet=True) if quiet else reporter
    found = choose_split(
        tagger.config.data,
        split,
        data,
        images,
        renamings(renamed),
        reader,
        naming,
        columns=columns,
        scheme=scheme,
    )
    for note in found.notes:
        tagger.reporter.warning(note)
    if images and tagger.model.image_encoder is None:
        tagger.reporter.warning(f"{run} uses no pictures: --images is left out.")
    scores, pictures = tagger.scored(found, unknown if data else "missed")
    missed = unknown_entities(found, tagger.labels)
    if as_json:
        facts = {"path": str(found.path), "sha256": found.sha256, "images_sha256": pictures}
        report = {split: scores, "data": facts, "int8": int8}
        put(json.dumps(report | ({"unknown": missed} if missed else {}), indent=2))
        return
    name = found.path.name if data and Path(data).is_file() else split
    reporter.table(score_table({name: scores}, str(found.path)))
    if quiet:
        return
    if scores["confused"]:
        reporter.table(confused_table(scores["confused"]))
    if missed:
        reporter.line(missed_line(name, missed, "the run"))
    if int8:
        reporter.line("With the text encoder's linear layers in 8 bits.")
    reporter.line(f"SHA-256 of the file: {found.sha256}")
    if pictures:
        reporter.line(f"SHA-256 of its pictures: {pictures}")
