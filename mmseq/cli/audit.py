"""`mmseq audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.columns import Columns, columns_option, scheme_option
from mmseq.cli.data import renamings
from mmseq.cli.naming import naming_options
from mmseq.cli.output import new_file, require_new
from mmseq.cli.run_data import run_and_data
from mmseq.streams import put

if TYPE_CHECKING:
    from mmseq.data.naming import Naming


@click.command(short_help="Does the picture help? Test the model with other pictures.")
@run_and_data
@columns_option()
@scheme_option("Tagging scheme of DATA [auto; of its own data: the run's].", default=None)
@naming_options
@click.option("--map", "renamed", metavar="A=B", multiple=True, help="Rename a type; A=O drops it.")
@click.option("--text-only", metavar="RUN", help="A run without pictures to compare with.")
@click.option(
    "--permutations",
    metavar="N",
    type=click.IntRange(min=1),
    default=5,
    help="Permutations of the pictures among the sentences [5].",
)
@click.option(
    "--resamples",
    metavar="N",
    type=click.IntRange(min=1),
    default=10_000,
    help="Resamples of each test [10000].",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Seed of everything random [0].",
)
@click.option(
    "--alpha",
    metavar="A",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    help="Adjusted p below which a difference is shown [0.05].",
)
@click.option(
    "--show",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    help="Most sentences to show [10].",
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="JSON file (new).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(
    run: Path,
    data: str | None,
    split: str,
    images: str | None,
    columns: Columns | None,
    scheme: str | None,
    renamed: tuple[str, ...],
    text_only: str | None,
    permutations: int,
    resamples: int,
    seed: int,
    alpha: float,
    show: int,
    output: Path | None,
    as_json: bool,
    naming: Naming | None,
) -> None:
    """Does the picture help? Test the model in RUN with other pictures than the true ones.

    The sentences of DATA (a folder or one file; by default its own data) are tagged with their
    true pictures, with those of other sentences, with blank and noise pictures, and with none.

    \b
    Examples:
      mmseq audit runs/sample-gate-1
      mmseq audit runs/gate data/twitter2017 --text-only runs/text \\
        --output audit.json
    """
    from mmseq.audit import audit as find
    from mmseq.audit.rendering import render
    from mmseq.console import Reporter, Warnings

    if output is not None:
        require_new(output)
    reporter = Warnings() if as_json else Reporter()
    report = find(
        run,
        data,
        split=split,
        images=images,
        mapping=renamings(renamed),
        columns=columns,
        scheme=scheme,
        naming=naming,
        text_only=text_only,
        permutations=permutations,
        resamples=resamples,
        seed=seed,
        alpha=alpha,
        show=show,
        reporter=reporter,
    )
    if output is not None:
        with new_file(output) as file:
            file.write(report.page() + "\n")
        reporter.line(f"The report is in {output}")
    if as_json:
        for note in report.notes:
            reporter.warning(note)
        put(report.page())
        return
    render(report, reporter)
