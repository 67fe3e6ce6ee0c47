"""`mmseq score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.data import renamings
from mmseq.cli.naming import naming_options
from mmseq.errors import UserError
from mmseq.prose import say
from mmseq.streams import put

if TYPE_CHECKING:
    from mmseq.data.naming import Naming


@click.command(short_help="Score the tags of one file by those of another.")
@click.argument("gold", type=click.Path(path_type=Path))
@click.argument("predicted", type=click.Path(path_type=Path))
@click.option(
    "--train",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Training data: to tell names seen there from unseen ones.",
)
@columns_option(
    "Columns of the files: word=2,tag=3 [first and last]; given twice: of GOLD, of PREDICTED.",
    multiple=True,
)
@scheme_option("Tagging scheme of the files [auto: BIO, BIOES or BMES, named for each].")
@naming_options
@click.option("--map", "renamed", metavar="A=B", multiple=True, help="Rename a type; A=O drops it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def score(
    gold: Path,
    predicted: Path,
    train: Path | None,
    columns: tuple[Columns, ...],
    scheme: str,
    renamed: tuple[str, ...],
    as_json: bool,
    naming: Naming | None,
) -> None:
    """Score the tags of the file PREDICTED by those of the file GOLD.

    Takes anybody's CoNLL (first column the word, last the tag, or --columns) or JSONL files of the
    same sentences in the same order; BIOES and BMES, and IOB1 and IO if named, are converted first.
    Prints seqeval's default, strict IOB2, and repaired (orphan I- made B-) side by side, then
    scores that forgive borders or types, what went wrong, and scores by type, length and number of
    pictures; where PREDICTED has scores, as `mmseq predict` writes them, also whether these are
    what they say.

    \b
    Examples:
      mmseq score data/twitter2015/test.txt tagged.txt \\
        --train data/twitter2015/train.txt
      mmseq score data/twitter2015/test.txt RUN/predictions/test.jsonl --json
    """
    from mmseq.scoring.pairs import read_pair
    from mmseq.scoring.report import report

    if len(columns) > 2:
        raise UserError("--columns: give it once, or twice: of GOLD, of PREDICTED.")
    pair = read_pair(
        gold,
        predicted,
        train=train,
        columns=columns,
        scheme=scheme,  # type: ignore[arg-type]
        mapping=renamings(renamed),
        naming=naming,
    )
    for note in pair.notes:
        say(note, err=True)
    found = report(pair)
    if as_json:
        put(json.dumps(found, indent=2))
        return
    from mmseq.console import wide_console
    from mmseq.scoring.tables import render

    render(found, wide_console())
