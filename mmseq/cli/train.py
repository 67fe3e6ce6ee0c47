"""`mmseq train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmseq.cli.data import renamings
from mmseq.errors import UserError
from mmseq.prose import say

if TYPE_CHECKING:
    from mmseq.config.config import Config
    from mmseq.console import Reporter


@click.command(short_help="Train a tagger on DATA, or on the sample.")
@click.argument("data", required=False)
@click.option("--preset", metavar="NAME", help="Start from this preset (mmseq list preset).")
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="Start from this TOML file."
)
@click.option("--offline", is_flag=True, help="Packaged encoders instead of downloaded ones.")
@click.option("--text-encoder", metavar="NAME", help="Words to vectors.")
@click.option("--image-encoder", metavar="NAME", help="Picture to region vectors; or none.")
@click.option("--fusion", metavar="NAME", help="How words and pictures meet; none: text only.")
@click.option("--aux", metavar="A,B,…", help="Auxiliary tasks, by commas; or none.")
@click.option("--decoder", metavar="NAME", help="Emissions to tags.")
@click.option("--weighting", metavar="NAME", help="Several losses to one.")
@click.option("--images", metavar="DIR", help="Folder of the pictures [DATA/images].")
@click.option("--map", "renamed", metavar="A=B", multiple=True, help="Rename a type; A=O drops it.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any setting: train.epochs=3."
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random [1].")
@click.option("--init", "initial", metavar="RUN", help="Start from a run, of other types too.")
@click.option("--output", metavar="DIR", help="Run folder, new [runs/DATA-FUSION-N].")
@click.option("--resume", is_flag=True, help="Resume the unfinished run in --output.")
@click.option("--dry-run", is_flag=True, help="Print model, data, steps and time, and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(
    data: str | None,
    preset: str | None,
    file: Path | None,
    offline: bool,
    aux: str | None,
    images: str | None,
    renamed: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int | None,
    initial: str | None,
    output: str | None,
    resume: bool,
    dry_run: bool,
    quiet: bool,
    **names: str | None,
) -> None:
    """Train a tagger on DATA: a folder with train, valid and test files, or `sample`.

    Without DATA it uses the sample data set that comes with the package.

    \b
    Examples:
      mmseq train --fusion cross-transformer --aux contrastive,cluster,boundary
      mmseq train data/twitter2017 --fusion none --aux none
      mmseq train data/twitter2017 --images pictures --preset mlmner \\
        --set train.epochs=10
      mmseq train --preset mlmner --offline
      mmseq train --resume --output runs/sample-gate-1
    """
    from mmseq.config.config import Config, parse_setting
    from mmseq.console import Reporter, duration

    flags: dict[str, Any] = {k: {"name": v} for k, v in names.items() if v is not None}
    tasks = (
        None
        if aux is None
        else [a.strip() for a in aux.split(",") if a.strip() not in ("", "none")]
    )
    values = dict(parse_setting(text) for text in settings)
    given: dict[str, Any] = {
        "data.path": data,
        "data.image_folder": images,
        "train.seed": seed,
        "train.init": initial,
    }
    # A flag is a name for a setting; the more explicit --set wins.
    given = {key: value for key, value in given.items() if value is not None}
    mapping = renamings(renamed)
    if mapping:
        given["data.map"] = mapping
    if resume and (flags or tasks is not None or values or given or preset or file or offline):
        raise UserError("--resume uses the run's own config: give only --output RUN.")
    folder, reporter = Path(output) if output else None, Reporter(quiet=quiet)
    if resume:
        if dry_run:
            raise UserError("--dry-run shows a new run; --resume continues one.")
        _train(None, folder, reporter)
        return
    given |= values
    if offline:
        # --set comes after: it is the more explicit.
        config, replaced = Config.from_layers(preset, file, flags, tasks).offline()
        config = config.replaced(given)
        for line in replaced:
            reporter.line(line)
    else:
        config = Config.from_layers(preset, file, flags, tasks, given)
    if dry_run:
        from mmseq.jobs.probe import estimate
        from mmseq.training.dry_run import describe

        setup = describe(config, folder, reporter)
        seconds = estimate(setup).seconds
        reporter.line(f"It would take about {duration(seconds)} here, by a few steps.")
    else:
        _train(config, folder, reporter)


def _train(config: Config | None, folder: Path | None, reporter: Reporter) -> None:
    """A new run of `config`, or without one the run in `folder` resumed."""
    from mmseq.training.interruption import Interrupted
    from mmseq.training.train import train as run

    try:
        run(config, output=folder, resume=config is None, reporter=reporter)
    except Interrupted as stop:
        say(str(stop), err=True)
        raise click.exceptions.Exit(1) from None
