"""`mmseq data split`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.naming import naming_options
from mmseq.errors import UserError
from mmseq.prose import say
from mmseq.streams import put

if TYPE_CHECKING:
    from mmseq.data.naming import Naming
    from mmseq.data.partition.files import Written
    from mmseq.data.splits import Split


@click.command(short_help="Divide a file into train, valid and test, or into folds.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path), required=True, help="New folder."
)
@click.option("--shares", metavar="A,B,C", help="Of train, valid and test [80,10,10].")
@click.option("--folds", metavar="K", type=click.IntRange(min=2), help="Folds in place of splits.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the shuffling [0].")
@click.option(
    "--together",
    metavar="FIELD",
    multiple=True,
    help="Sentences with an equal FIELD stay together; may be repeated [document].",
)
@click.option("--images", metavar="DIR", help="Folder of the pictures [images beside FILE].")
@click.option("--reader", metavar="NAME", default="auto", help="Of the file [by its ending].")
@columns_option()
@scheme_option("Tagging scheme of the file [auto].")
@naming_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def split(
    file: Path,
    output: Path,
    shares: str | None,
    folds: int | None,
    seed: int,
    together: tuple[str, ...],
    images: str | None,
    reader: str,
    columns: Columns | None,
    scheme: str,
    as_json: bool,
    naming: Naming | None,
) -> None:
    """Divide the sentences of FILE into train, valid and test, or into K folds.

    Sentences with the same words or the same picture (its name or its content) are never divided,
    nor are those of one "document", where the data have that field. DIR is a data folder, or with
    --folds holds one for each fold, fold-1 to fold-K: tested on one part, chosen by the next
    (K = 2: by none), trained on the others. Sentences are JSON lines with BIO tags, in the order
    of FILE; pictures are hard links, or copies where the file system has none.

    \b
    Examples:
      mmseq data split annotated.jsonl --output data/mine --shares 70,10,20 \\
        --seed 1
      mmseq data split annotated.txt --images photos --output data/folds --folds 5
    """
    from mmseq.data.columns import check_told
    from mmseq.data.new_folder import new_folder, require_new_folder
    from mmseq.data.partition.files import splits_of_fold, write_splits
    from mmseq.data.partition.groups import groups_of
    from mmseq.data.partition.shares import deal, parse_shares
    from mmseq.data.splits import SPLITS, load_file
    from mmseq.data.store import LARGE, ExampleStore
    from mmseq.files import user_cache, write_json

    if shares is not None and folds is not None:
        raise UserError("Give --shares or --folds, not both.")
    wanted = parse_shares(shares or "80,10,10") if folds is None else (1.0,) * folds
    if file.is_dir():
        raise UserError(f"{file}: is a folder; give the file to divide.")
    require_new_folder(output, "--output")
    check_told(file, reader, columns, naming)
    source = load_file(
        file,
        reader=reader,
        scheme=scheme,  # type: ignore[arg-type]
        image_folder=Path(images) if images else None,
        store=ExampleStore(user_cache() / "sentences", least=LARGE),
        columns=columns,
        naming=naming,
    )
    for note in source.notes:
        say(note, err=True)
    groups = groups_of(source.examples, _fields(source, together))
    parts_of_groups = deal([len(group) for group in groups], wanted, seed)
    parts = [0] * len(source.examples)
    for group, part in zip(groups, parts_of_groups, strict=True):
        for number in group:
            parts[number] = part
    folder_of_pictures = Path(images) if images else file.parent / "images"
    with new_folder(output, "--output") as draft:
        if folds is None:
            names = {i: name for i, name in enumerate(SPLITS) if wanted[i] > 0}
            plans = {"": names}
        else:
            plans = {f"fold-{i + 1}": splits_of_fold(i, folds) for i in range(folds)}
        written = {
            folder: write_splits(draft / folder, source.examples, parts, plan, folder_of_pictures)
            for folder, plan in plans.items()
        }
        largest = max(groups, key=len)
        report = {
            "file": str(file),
            "sha256": source.sha256,
            "shares": list(wanted) if folds is None else None,
            "folds": folds,
            "seed": seed,
            "groups": len(groups),
            "largest_group": {
                "sentences": len(largest),
                "first": source.examples[largest[0]].where,
            },
            "written": {name or ".": _facts(found) for name, found in written.items()},
        }
        write_json(draft / "split.json", report)
    if as_json:
        put(json.dumps(report, indent=2))
        return
    _tell(output, written, report, wanted)


def _fields(source: Split, together: Sequence[str]) -> tuple[str, ...]:
    """Fields that keep sentences together; `UserError` for one that no sentence has."""
    from mmseq.data.partition.groups import DOCUMENT
    from mmseq.errors import unknown

    known = {name for example in source.examples for name in example.extras}
    for name in together:
        if name not in known:
            raise unknown("field", name, known)
    return tuple(dict.fromkeys([*together, *({DOCUMENT} & known)]))


def _facts(found: Mapping[str, Written]) -> dict[str, Any]:
    return {
        name: {
            "sentences": one.sentences,
            "entities": dict(sorted(one.entities.items())),
            "pictures": len(one.pictures),
            "missing": one.missing,
        }
        for name, one in found.items()
    }


def _tell(
    output: Path,
    written: Mapping[str, Mapping[str, Written]],
    report: Mapping[str, Any],
    wanted: Sequence[float],
) -> None:
    """A line for each file, and what a person should know of it."""
    total = sum(one.sentences for one in next(iter(written.values())).values())
    for folder, found in written.items():
        for name, one in found.items():
            share = f" ({100 * one.sentences / total:.1f} %)"
            missing = f", {one.missing} missing" if one.missing else ""
            say(
                f"{(output / folder / name)}.jsonl: {one.sentences} sentences{share}, "
                f"{one.entities.total()} entities, {len(one.pictures)} pictures{missing}"
            )
    largest = report["largest_group"]
    say(
        f"{report['groups']} groups of sentences that stay together; the largest has "
        f"{largest['sentences']} ({largest['first']})."
    )
    if largest["sentences"] > max(wanted) / sum(wanted) * total + 1:
        say("It is larger than the largest share, so that the shares cannot be met.")
    for folder, found in written.items():
        known = found["train"].entities
        lacking = {
            kind: one.entities[kind]
            for name, one in found.items()
            for kind in one.entities
            if kind not in known
        }
        if lacking:
            kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(lacking.items()))
            say(f"{output / folder}: train has no {kinds}; another --seed may help.")
