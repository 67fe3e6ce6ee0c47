"""`mmseq predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.columns import Columns, columns_option
from mmseq.cli.naming import naming_options
from mmseq.cli.output import new_file, require_new
from mmseq.cli.tagged_file import check_resumable, options_of, tagged_file, write_chunks
from mmseq.errors import UserError
from mmseq.escaping import json_line
from mmseq.prose import say_in_colours
from mmseq.standard_input import taken_input
from mmseq.streams import put_json

if TYPE_CHECKING:
    from mmseq.data.naming import Naming
    from mmseq.tagging.sentences import Span, TaggedSentence

INT8 = "Text encoder's linear layers in 8 bits: faster on a CPU, a little less exact."
COLOURS = ("green", "cyan", "magenta", "yellow", "blue", "red")


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
@click.option(
    "--resume", is_flag=True, help="Go on with the --output that an earlier call did not finish."
)
@click.option(
    "--skip-bad", is_flag=True, help="Tell lines of the input that are bad, and leave them out."
)
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
    resume: bool,
    skip_bad: bool,
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

    --output NAME is written as NAME.part, which becomes NAME at the end. Whatever ends the work
    before, NAME.part stays, and the same call with --resume goes on behind it.

    \b
    Examples:
      mmseq predict RUN --text "Kevin Durant enters Oracle Arena" --image a.jpg
      mmseq predict RUN --input tweets.jsonl --output tagged.jsonl
      cat tweets.txt | mmseq predict RUN
    """
    from mmseq.console import Warnings
    from mmseq.tagging.bad_lines import BadLines
    from mmseq.tagging.inputs import check_format, format_of, sentences
    from mmseq.tagging.least import check_min_score
    from mmseq.tagging.outputs import COLUMNS
    from mmseq.tagging.part_record import NOTHING
    from mmseq.tagging.tagger import load
    from mmseq.training.memory import keep_freed_memory

    if text is not None and source is not None:
        raise UserError("Give --text or --input, not both.")
    if image and text is None:
        raise UserError("--image belongs to --text; an input file names its own pictures.")
    if text is not None and not text.strip():
        raise UserError("Nothing to tag: --text has no word.")
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
    if resume and (target is None or text is not None):
        raise UserError("--resume belongs to --input and --output.")
    if skip_bad and text is not None:
        raise UserError("--skip-bad belongs to --input or standard input.")
    if target is not None:
        require_new(Path(target))
        if text is None:
            check_resumable(Path(target), source, resume=resume)
        if best and target.endswith(COLUMNS):
            raise UserError(f"--output {target}: columns hold one way to tag; write a .jsonl file.")
    keep_freed_memory()
    given = ExitStack()
    # Before a library is loaded that might read it.
    taken = given.enter_context(taken_input()) if text is None and source in (None, "-") else None
    click.get_current_context().call_on_close(given.close)
    tagger = load(run, int8=int8, splitter=splitter)
    tagger.reporter = Warnings()
    if (image or images) and tagger.model.image_encoder is None:
        flag = "--image" if image else "--images"
        tagger.reporter.warning(f"{run} uses no pictures: {flag} is left out.")
    if text is not None:
        one = [tagger.sentence(text, list(image))]
        _write(tagger.stream(one, best, min_score), target, pretty=not as_json)
        return
    named = "standard input" if source in (None, "-") else str(source)
    file = Path(named) if source not in (None, "-") and Path(named).is_file() else None
    folder = Path(images) if images else Path(named).parent / "images" if file else Path()
    with ExitStack() as stack:
        part = None
        if target is not None:
            options = options_of(
                format_of(tagger, source or "-", form), folder, columns, naming,
                best=best, min_score=min_score, splitter=splitter, int8=int8,
            )  # fmt: skip
            part = stack.enter_context(
                tagged_file(tagger, Path(target), file, options, resume=resume)
            )
        done = part.done if part else NOTHING
        bad = BadLines(tagger.reporter.warning if skip_bad else None, done)
        stream = sentences(
            tagger,
            source or "-",
            form,
            Path(images) if images else None,
            columns,
            naming,
            cut=splitter is not None,
            taken=taken,
            bad=bad,
            done=done,
        )
        chunks = tagger.chunks(stream, best, min_score, refuse=bad.refuse)
        if part is not None:
            write_chunks(chunks, part, bad, folder, Path(target or ""))
            count = part.sentences
        else:
            pretty = sys.stdout.isatty() and not as_json
            tagged = (sentence for chunk in chunks for sentence in chunk.sentences)
            count = _write(tagged, None, folder, pretty=pretty)
    if not count and not bad.number:
        tagger.reporter.warning(f"Nothing to tag: {named} holds no sentence.")
    if line := bad.summary(named):
        tagger.reporter.warning(line)


def _write(
    tagged: Iterable[TaggedSentence],
    target: str | None,
    folder: Path | None = None,
    *,
    pretty: bool,
) -> int:
    """Number of sentences written. `folder`: the one that pictures are named in terms of."""
    from mmseq.tagging.outputs import COLUMNS, columns, record

    count = 0
    if target is None:
        for sentence in tagged:
            count += 1
            if pretty:
                _print_marked(sentence)
            else:
                put_json(record(sentence, folder))
            sys.stdout.flush()
        return count
    with new_file(Path(target)) as file:
        for sentence in tagged:
            count += 1
            if target.endswith(COLUMNS):
                file.write(columns(sentence, folder))
            else:
                file.write(json_line(record(sentence, folder)) + "\n")
    return count


def _require_file(flag: str, path: str) -> None:
    from mmseq.data.picture_names import elsewhere

    if not Path(path).exists() and (reason := elsewhere(path)):
        raise UserError(f"{flag} {path}: {reason}.")
    if Path(path).is_dir():
        raise UserError(f"{flag} {path}: is a folder; give a file.")
    if not Path(path).exists():
        raise UserError(f"{flag} {path}: no such file.")


def _print_marked(sentence: TaggedSentence) -> None:
    """The text with its entities; alternatives a line each."""
    if not sentence.alternatives:
        say_in_colours(_marked(sentence.text, sentence.spans))
    for other in sentence.alternatives:
        probability = f"{other.probability:.4f}  "
        say_in_colours([(probability, ""), *_marked(sentence.text, other.spans)])


def _marked(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """The text with ``[entity TYPE 0.98]``, each piece with its colour: that of its type."""
    position = 0
    for span in spans:
        yield text[position : span.start_char], ""
        colour = COLOURS[sum(span.type.encode(errors="surrogatepass")) % len(COLOURS)]
        yield f"[{span.text} {span.type} {span.score:.2f}]", colour
        position = span.end_char
    yield text[position:], ""
