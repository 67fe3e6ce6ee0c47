"""`mmseq evaluate` and `mmseq predict`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.data import renamings
from mmseq.cli.naming import naming_options
from mmseq.cli.output import new_file, require_new
from mmseq.errors import UserError
from mmseq.streams import json_line

if TYPE_CHECKING:
    from mmseq.data.naming import Naming
    from mmseq.tagging.sentences import Span, TaggedSentence

INT8 = "Text encoder's linear layers in 8 bits: faster on a CPU, a little less exact."
COLOURS = ("green", "cyan", "magenta", "yellow", "blue", "red")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", required=False)
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    default="test",
    help="Which split of DATA [test].",
)
@click.option("--images", metavar="DIR", help="Folder of the pictures [DATA/images].")
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
    scores, pictures = tagger.scored(found, unknown if data else "missed")
    missed = unknown_entities(found, tagger.labels)
    if as_json:
        facts = {"path": str(found.path), "sha256": found.sha256, "images_sha256": pictures}
        report = {split: scores, "data": facts, "int8": int8}
        click.echo(json.dumps(report | ({"unknown": missed} if missed else {}), indent=2))
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


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--text", metavar="TEXT", help="One sentence.")
@click.option("--image", metavar="FILE", multiple=True, help="Its picture; may be repeated.")
@click.option(
    "--input",
    "source",
    metavar="FILE",
    help="File to tag: of a reader's format, or plain text, a sentence per line.",
)
@click.option("--images", metavar="DIR", help="Folder of the input's pictures [beside it: images].")
@click.option(
    "--output",
    "target",
    metavar="FILE",
    help="File to write (new): .conll columns, else JSON lines.",
)
@click.option(
    "--format",
    "form",
    metavar="NAME",
    default="auto",
    help="Format of the input: text, or a reader [by its ending; standard input: text].",
)
@columns_option("Columns of the input: word=2, or names of its first line [first and last].")
@click.option(
    "--best",
    metavar="K",
    type=click.IntRange(min=1),
    help="Also the K best ways to tag each sentence, with their probabilities.",
)
@click.option(
    "--min-score",
    metavar="X",
    type=float,
    help="Leave out entities that score below X, from 0 to 1.",
)
@click.option(
    "--splitter",
    metavar="NAME",
    help="What cuts strings into words: whitespace, tweet, tweet-split, punctuation, characters "
    "[what the run has learned].",
)
@naming_options
@click.option("--int8", is_flag=True, help=INT8)
@click.option(
    "--json", "as_json", is_flag=True, help="JSON lines, on a terminal and of --text too."
)
def predict(
    run: Path,
    text: str | None,
    image: tuple[str, ...],
    source: str | None,
    images: str | None,
    target: str | None,
    form: str,
    columns: Columns | None,
    best: int | None,
    min_score: float | None,
    splitter: str | None,
    int8: bool,
    naming: Naming | None,
    as_json: bool,
) -> None:
    """Tag sentences with the tagger in RUN.

    Takes one sentence, a file, or standard input. The sentence of --text is printed with its
    entities marked, as is everything on a terminal, unless --json asks for the JSON lines that
    files and pipes get; an --output that ends in .conll or .bio gets columns. Both name the
    pictures as the input does. With
    --best a sentence is printed K times, each time after its probability; in JSON these are its
    "alternatives". With --min-score the words of an entity that scores less are O.

    \b
    Examples:
      mmseq predict RUN --text "Kevin Durant enters Oracle Arena" --image a.jpg
      mmseq predict RUN --input tweets.jsonl --output tagged.jsonl
      cat tweets.txt | mmseq predict RUN
    """
    from mmseq.console import Warnings
    from mmseq.tagging.inputs import check_format, sentences
    from mmseq.tagging.least import check_min_score
    from mmseq.tagging.outputs import COLUMNS
    from mmseq.tagging.tagger import load
    from mmseq.training.memory import keep_freed_memory

    if text is not None and source is not None:
        raise UserError("Give --text or --input, not both.")
    if image and text is None:
        raise UserError("--image belongs to --text; an input file names its own pictures.")
    if text is None and source is None and sys.stdin.isatty():
        raise UserError("Nothing to tag: give --text, --input or standard input.")
    check_min_score(min_score, best)
    for path in image:
        _require_file("--image", path)
    if source not in (None, "-"):
        _require_file("--input", str(source))
    if text is None:
        check_format(form, source)
    if columns and source in (None, "-"):
        raise UserError("--columns belongs to --input with a file of columns.")
    if target is not None:
        require_new(Path(target))
        if best and target.endswith(COLUMNS):
            raise UserError(f"--output {target}: columns hold one way to tag; write a .jsonl file.")
    keep_freed_memory()
    tagger = load(run, int8=int8, splitter=splitter)
    tagger.reporter = Warnings()
    if (image or images) and tagger.model.image_encoder is None:
        flag = "--image" if image else "--images"
        tagger.reporter.warning(f"{run} uses no pictures: {flag} is left out.")
    if text is not None:
        one = [tagger.sentence(text, list(image))]
        _write(tagger.stream(one, best, min_score), target, pretty=not as_json)
        return
    stream = sentences(
        tagger, source or "-", form, Path(images) if images else None, columns, naming
    )
    beside = Path() if source in (None, "-") else Path(str(source)).parent / "images"
    folder = Path(images) if images else beside
    pretty = sys.stdout.isatty() and not as_json
    _write(tagger.stream(stream, best, min_score), target, folder, pretty=pretty)


def _write(
    tagged: Iterable[TaggedSentence],
    target: str | None,
    folder: Path | None = None,
    *,
    pretty: bool,
) -> None:
    """`folder`: the one that pictures are named in terms of."""
    from mmseq.tagging.outputs import COLUMNS, columns, json_line

    if target is None:
        for sentence in tagged:
            click.echo(_printed(sentence) if pretty else json_line(record(sentence, folder)))
            sys.stdout.flush()
        return
    with new_file(Path(target)) as file:
        for sentence in tagged:
            in_columns = target.endswith(COLUMNS)
            file.write(
                columns(sentence, folder) if in_columns else json_line(sentence, folder) + "\n"
            )


def _require_file(flag: str, path: str) -> None:
    from mmseq.data.picture_names import elsewhere

    if not Path(path).exists() and (reason := elsewhere(path)):
        raise UserError(f"{flag} {path}: {reason}.")
    if Path(path).is_dir():
        raise UserError(f"{flag} {path}: is a folder; give a file.")
    if not Path(path).exists():
        raise UserError(f"{flag} {path}: no such file.")


def _printed(sentence: TaggedSentence) -> str:
    """The text with its entities; alternatives a line each."""
    if not sentence.alternatives:
        return _coloured(sentence.text, sentence.spans)
    return "\n".join(
        f"{other.probability:.4f}  {_coloured(sentence.text, other.spans)}"
        for other in sentence.alternatives
    )


def _coloured(text: str, spans: Sequence[Span]) -> str:
    """The text with ``[entity TYPE 0.98]``, coloured by type (click drops colours in a pipe)."""
    parts, position = [], 0
    for span in spans:
        colour = COLOURS[sum(span.type.encode()) % len(COLOURS)]
        parts.append(text[position : span.start_char])
        marked = f"[{span.text} {span.type} {span.score:.2f}]"
        parts.append(click.style(marked, fg=colour, bold=True))
        position = span.end_char
    return "".join([*parts, text[position:]])
