"""`mmseq tune`."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmseq.cli.pool import pool_of, pool_options
from mmseq.errors import UserError
from mmseq.prose import say

if TYPE_CHECKING:
    from mmseq.console import Reporter
    from mmseq.tune.tune import Tuner


@click.command()
@click.argument("space", type=click.Path(path_type=Path))
@click.argument("data", required=False)
@click.option("--preset", metavar="NAME", help="Start from this preset, in place of the file's.")
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="Start from this TOML file."
)
@click.option("--offline", is_flag=True, help="Packaged encoders instead of downloaded ones.")
@click.option("--aux", metavar="A,B,…", help="Auxiliary tasks, by commas; or none.")
@click.option("--images", metavar="DIR", help="Folder of the pictures [DATA/images].")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any setting, for all trials."
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Trials in all, those done already included [the file's; 20].",
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Seed of the search and of each run [train.seed]."
)
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="[tune/SPACE]")
@pool_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MIN",
    help="Start no trial after this many minutes.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def tune(
    space: Path,
    data: str | None,
    preset: str | None,
    file: Path | None,
    offline: bool,
    aux: str | None,
    images: str | None,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    output: Path | None,
    jobs: int | None,
    threads: int | None,
    ray_address: str | None,
    gpus: float,
    timeout: float | None,
    quiet: bool,
) -> None:
    """Search the settings in SPACE for the best validation F1.

    SPACE is a TOML file; its table [space] has ranges and lists of choices for any config keys:

    \b
      trials = 20
      preset = "bert-crf"
      [space]
      "text_encoder.learning_rate" = { low = 1e-5, high = 5e-4, log = true }
      "train.epochs" = { low = 3, high = 8 }
      "fusion.name" = ["gate", "concat"]

    No trial reads the test split. The best config is OUTPUT/best.toml, every trial a line of
    OUTPUT/trials.csv. The same command again continues where it stopped. Exit code 1 if no trial
    was completed.

    \b
    Examples:
      mmseq tune space.toml data/twitter2017 --trials 30
      mmseq tune space.toml --offline --jobs 2 --timeout 60
    """
    if find_spec("optuna") is None:
        raise UserError("mmseq tune needs the package optuna: pip install 'mmseq[tune]'.")
    from mmseq.bench.plan import Problems
    from mmseq.config.layering import parse_setting
    from mmseq.console import Reporter, Warnings
    from mmseq.tune.identity import trial_data
    from mmseq.tune.search import read_search, space_of
    from mmseq.tune.tune import opened

    problems = Problems()
    search = read_search(space, problems)
    fixed = dict(parse_setting(text) for text in settings)
    if seed is not None and not any(p.key == "train.seed" for p in search.parameters):
        fixed = {"train.seed": seed, **fixed}
    search = replace(
        search,
        trials=trials or search.trials,
        preset=preset or search.preset,
        config=file or search.config,
        data=data or search.data,
        images=images or search.images,
        offline=offline or search.offline,
        aux=search.aux if aux is None else _names(aux),
        settings={**search.settings, **fixed},
    )
    found, replaced = space_of(search, problems)
    checksums = {}
    if found is not None:
        try:
            checksums = trial_data(found)
        except UserError as error:
            problems.add(str(error))
    if found is None or problems.lines:
        for line in problems.lines:
            say(f"{space}: {line}", err=True)
        count = len(problems.lines)
        raise UserError(f"{count} problem{'s' if count > 1 else ''}; nothing was run.")
    reporter = Warnings() if quiet else Reporter()
    for line in replaced:
        reporter.line(line)
    own_seed = found.base.train.seed if seed is None else seed
    folder = output or Path("tune") / space.stem
    with opened(folder, found, search.method, own_seed, checksums, reporter) as tuner:
        try:
            tuner.run(pool_of(ray_address, jobs, threads, gpus), search.trials, timeout)
        except KeyboardInterrupt:
            say(
                "Stopped; everything is kept. The same command continues where it stopped.",
                err=True,
            )
            raise click.exceptions.Exit(1) from None
        _tell(tuner, reporter)


def _tell(tuner: Tuner, reporter: Reporter) -> None:
    """What was found, and what failed."""
    from mmseq.tune.results import best_table, counts

    for number, reason in tuner.failures.items():
        say(f"FAILED: trial {number}: {reason} (log: {tuner.log(number)})", err=True)
    trials, best = tuner.study.trials(), tuner.study.best()
    if best is None:
        say(f"{counts(trials)}; no trial was completed.", err=True)
        raise click.exceptions.Exit(1)
    reporter.table(best_table(tuner.study.space, trials))
    reporter.line(f"{counts(trials)} ({tuner.output / 'trials.csv'}).")
    reporter.line(
        f"Best: trial {best.number}, validation F1 (default) {best.value:.2f}, which flatters it, "
        "being the highest of many. Train it, and score the test split once, with:"
    )
    reporter.line(f"  mmseq train --config {tuner.output / 'best.toml'}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip() not in ("", "none"))
