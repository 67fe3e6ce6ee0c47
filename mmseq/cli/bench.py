"""`mmseq bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.pool import pool_of, pool_options
from mmseq.errors import UserError
from mmseq.prose import say

if TYPE_CHECKING:
    from mmseq.bench.plan import Plan, Problems
    from mmseq.bench.results import Result


@click.command(short_help="Run systems on data with several seeds, and print the table.")
@click.argument("plan", required=False)
@click.option("--presets", metavar="A,B,…", help="Systems to run, in place of the plan's.")
@click.option("--data", metavar="X,Y,…", help="Data folders or `sample`, in place of the plan's.")
@click.option("--systems", metavar="A,B,…", help="Only these of the plan's systems.")
@click.option("--images", metavar="DIR", help="Folder of the pictures, of all data [DATA/images].")
@click.option("--seeds", metavar="1-5", help="Seeds: 1-5 or 1,3,7; in place of the plan's.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any setting, for all runs."
)
@click.option("--offline", is_flag=True, help="Packaged encoders instead of downloaded ones.")
@click.option("--baseline", metavar="NAME", help="The system that the others are tested against.")
@click.option("--published", metavar="NAME", help="Published figures beside yours: name or file.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="[bench/PLAN]")
@pool_options
@click.option(
    "--keep-weights",
    type=click.Choice(["best", "none", "all"]),
    default="best",
    help="Weights to keep of each system: the best run's on validation, none, all [best].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["rich", "markdown", "latex", "csv", "json"]),
    default="rich",
    help="Format of the printed table [rich]; OUTPUT has all of them.",
)
@click.option("--dry-run", is_flag=True, help="List the runs, estimate time, disk and memory.")
@click.option("--quiet", is_flag=True, help="Print nothing but the table and errors.")
def bench(
    plan: str | None,
    presets: str | None,
    data: str | None,
    systems: str | None,
    images: str | None,
    seeds: str | None,
    settings: tuple[str, ...],
    offline: bool,
    baseline: str | None,
    published: str | None,
    output: Path | None,
    jobs: int | None,
    threads: int | None,
    ray_address: str | None,
    gpus: float,
    keep_weights: str,
    form: str,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Run every system of PLAN on every data set with every seed, and print the table.

    PLAN is a TOML file or a registered plan (mmseq list plan). Finished runs are in
    OUTPUT/results.jsonl; the same command again runs what is missing and continues what was
    interrupted. Exit code 1 if a run failed, or with --dry-run cannot run.

    \b
    Examples:
      mmseq bench --presets mlmner,umt-bert-crf --data data/twitter2017 \\
        --seeds 1-5
      mmseq bench table4 --data data/hard --seeds 1-5 --offline --jobs 2
      mmseq bench plan.toml --dry-run
    """
    from dataclasses import replace

    from mmseq.console import Reporter, Warnings

    if ray_address is not None and ray_address.endswith(".toml") and plan is None:
        raise UserError(f"--ray {ray_address}: that is a plan; write it before --ray.")
    if plan is None and not presets:
        raise UserError("Nothing to run: give a PLAN, or --presets, --data and --seeds.")
    reporter = Warnings() if quiet else Reporter()
    from mmseq.bench.plan import Problems, only

    problems = Problems()
    wanted = _plan(plan, presets, data, seeds, settings, problems)
    wanted = only(wanted, _names(systems), images or "", problems)
    wanted = replace(
        wanted,
        offline=wanted.offline or offline,
        baseline=baseline or wanted.baseline,
        published=published or wanted.published,
    )
    from mmseq.bench.bench import Bench
    from mmseq.bench.experiment import experiments
    from mmseq.runs.folder import require_no_file
    from mmseq.tables.layout import layout_of_plan
    from mmseq.tables.remembered import remember
    from mmseq.tables.table import published_of

    found = experiments(wanted, problems)
    try:
        # The table needs them in the end; what is wrong with them is reported now.
        published_of(layout_of_plan(wanted))
    except UserError as error:
        problems.add(str(error))
    if problems.lines:
        if len(problems.lines) == 1:
            raise UserError(f"{plan or 'mmseq bench'}: {problems.lines[0]}")
        for line in problems.lines:
            say(f"{plan or 'mmseq bench'}: {line}", err=True)
        raise UserError(f"{len(problems.lines)} problems in the plan; nothing was run.")
    folder = output or Path("bench") / (Path(plan).stem if plan else "presets")
    require_no_file(folder)
    bench = Bench(found, folder, keep=keep_weights, reporter=reporter)  # type: ignore[arg-type]
    done = bench.read_done()
    for system in wanted.systems:
        if not system.installed:
            reporter.line(f"{system.name}: not installed, left out.")
    # On other machines they may be.
    if ray_address is None:
        from mmseq.training.hub import require_models

        require_models([experiment.config for experiment in bench.missing()])
    if dry_run:
        from mmseq.bench.forecast import forecast
        from mmseq.jobs.local import divided_threads

        table, lines, failing = forecast(
            bench.missing(),
            done,
            jobs=jobs or 1,
            threads=threads or divided_threads(jobs or 1),
            keep=keep_weights,  # type: ignore[arg-type]
            tell=reporter.line,
        )
        if table.row_count:
            reporter.table(table)
        for line in lines:
            reporter.line(line)
        for line in failing:
            say(line, err=True)
        if failing:
            raise click.exceptions.Exit(1)
        return
    reporter.line(f"{len(found)} runs in {folder}: {done} done already, {len(found) - done} to do.")
    try:
        report = bench.run(
            pool_of(ray_address, jobs, threads, gpus),
            begun=lambda: remember(folder, layout_of_plan(wanted)),
        )
    except KeyboardInterrupt:
        say("Stopped; everything is kept. The same command continues where it stopped.", err=True)
        raise click.exceptions.Exit(1) from None
    for experiment, reason in report.failures:
        say(f"FAILED: {experiment.title}: {reason} (log: {bench.log(experiment)})", err=True)
    if report.results:
        _tell_table(wanted, report.results, folder, form)
    if report.failures:
        say(
            f"{len(report.failures)} of {len(found)} runs failed; the same command tries them "
            "again.",
            err=True,
        )
        raise click.exceptions.Exit(1)


def _tell_table(plan: Plan, results: list[Result], folder: Path, form: str) -> None:
    """Print the table, and write it into the output folder in every form."""
    from mmseq.cli.table import print_table
    from mmseq.tables.forms import ENDINGS, text_of
    from mmseq.tables.layout import layout_of_plan
    from mmseq.tables.table import build

    # Where no run has a test split, validation scores are all there is.
    split = "test" if any("test" in result.scores for result in results) else "valid"
    made = build(results, layout_of_plan(plan), split=split)
    print_table(made, form)
    for ending, name in ENDINGS.items():
        (folder / f"table{ending}").write_text(text_of(made, name), encoding="utf-8")


def _plan(
    plan: str | None,
    presets: str | None,
    data: str | None,
    seeds: str | None,
    settings: tuple[str, ...],
    problems: Problems,
) -> Plan:
    """The plan with what the flags say."""
    from mmseq.bench.plan import Plan, find_plan, read_plan, with_flags
    from mmseq.config.layering import parse_setting

    wanted = read_plan(find_plan(plan), problems) if plan else Plan()
    return with_flags(
        wanted,
        presets=_names(presets),
        data=_names(data),
        seeds=seeds or "",
        settings=dict(parse_setting(text) for text in settings),
        problems=problems,
    )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
