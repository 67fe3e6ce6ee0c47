"""`mmseq compare`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mmseq.streams import put

if TYPE_CHECKING:
    from rich.table import Table

    from mmseq.comparison.pairs import Comparison


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="test",
    help="Split of each run [test].",
)
@click.option("--data", metavar="NAME", help="Data set of a results.jsonl that holds several.")
@click.option("--baseline", metavar="NAME", help="Compare all with this system [all pairs].")
@click.option(
    "--resamples",
    type=click.IntRange(min=1),
    metavar="N",
    default=10_000,
    help="Resamples of each test [10000].",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of the resamples [0]."
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="A",
    default=0.05,
    help="Adjusted p below which one is called better [0.05].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    runs: tuple[str, ...],
    split: str,
    data: str | None,
    baseline: str | None,
    resamples: int,
    seed: int,
    alpha: float,
    as_json: bool,
) -> None:
    """Test which of several systems is better, sentence by sentence.

    A RUN is a run folder, or a results.jsonl (or a folder that holds one) with all its systems.
    Run folders that differ in nothing but the seed are one system; NAME=RUN names it yourself.

    \b
    Examples:
      mmseq compare runs/gate-seed1 runs/gate-seed2 runs/text-seed1 \\
        runs/text-seed2
      mmseq compare bench/results.jsonl --data twitter2017 --baseline text
    """
    from mmseq.comparison.pairs import READING, SCOPE, pairs_of, seeds_text
    from mmseq.comparison.pairs import compare as compared
    from mmseq.comparison.sources import read_runs
    from mmseq.comparison.systems import gather
    from mmseq.console import Reporter, Warnings

    reporter = Warnings() if as_json else Reporter()
    found, notes = read_runs(runs, split, data)
    systems = gather(found)
    for note in notes:
        reporter.warning(note)
    with reporter.progress("comparing", len(pairs_of(systems, baseline))) as advance:
        comparison = compared(
            systems,
            baseline=baseline,
            resamples=resamples,
            seed=seed,
            alpha=alpha,
            advance=advance,
        )
    sentences = len(found[0].counts)
    checksums = sorted({run.sha256 for run in found})
    if as_json:
        facts = {"split": split, "sentences": sentences, "sha256": checksums}
        put(json.dumps(facts | comparison.to_json(), indent=2))
        return
    reporter.table(_table(comparison, f"F1 on {split}, {sentences} sentences"))
    for statement in comparison.statements():
        reporter.line(statement)
    for pair in comparison.pairs:
        for name, seeds in pair.left_out.items():
            if seeds:
                other = pair.b if name == pair.a else pair.a
                reporter.warning(f"Left out: {seeds_text(seeds)} of {name}, which {other} lacks.")
    reporter.line(
        f"Paired bootstrap and approximate randomisation over sentences, {resamples} resamples, "
        f"seed {seed}. Adjusted p: the larger of the two, by Holm over all comparisons here "
        f"({len(comparison.pairs)}); one is called better where it is below {alpha:g}. Intervals "
        "are not adjusted."
    )
    reporter.line(SCOPE)
    reporter.line(f"Scores: {READING}. SHA-256 of the {split} file: {', '.join(checksums)}.")


def _table(comparison: Comparison, title: str) -> Table:
    from rich.table import Table

    from mmseq.comparison.pairs import mean_text
    from mmseq.scoring.significance import p_text

    table = Table(title=title, title_justify="left")
    for heading in ("a", "b"):
        # Names that begin alike must be told apart.
        table.add_column(heading, overflow="fold")
    headings = ("seeds", "F1 of a", "F1 of b", "a - b", "95 % interval")
    for heading in (*headings, "p bootstrap", "p randomisation", "adjusted p"):
        table.add_column(heading, justify="right")
    for pair, p in zip(comparison.pairs, comparison.adjusted, strict=True):
        found = pair.difference
        table.add_row(
            pair.a,
            pair.b,
            str(len(pair.f1_a)),
            mean_text(pair.f1_a),
            mean_text(pair.f1_b),
            f"{found.effect:+.2f}",
            f"{found.low:+.2f} to {found.high:+.2f}",
            p_text(found.p_bootstrap),
            p_text(found.p_randomisation),
            p_text(p),
        )
    return table
