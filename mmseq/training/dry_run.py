"""`mmseq train --dry-run`: the assembled model, the data and the steps; nothing is kept."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from torch import nn

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.errors import counted
from mmseq.registry.kinds import KINDS
from mmseq.runs import folder as runs
from mmseq.training.initial import take_initial_weights
from mmseq.training.rounds import rounds_of
from mmseq.training.setup import Setup, assemble


def describe(config: Config, output: Path | None, reporter: Reporter) -> Setup:
    """Print what `mmseq train` would do. An output folder that is taken is reported here too."""
    folder = runs.new_folder(output, "dry-run")
    setup = assemble(config, folder, reporter)
    # What it starts from is looked at here as there.
    take_initial_weights(setup.model, setup.config, reporter.line)
    reporter.table(_components(setup))
    reporter.line(_steps(setup))
    return setup


def _components(setup: Setup) -> Table:
    model, config = setup.model, setup.config
    table = Table("part", "name", "from", "gives")
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("of them trained", justify="right", no_wrap=True)
    modules: list[tuple[str, str, str, str, nn.Module]] = []

    def add(kind: str, gives: str, module: nn.Module) -> None:
        choice = config.component(kind)
        modules.append((KINDS[kind], choice.name, choice.entry.provider, gives, module))

    add("text_encoder", f"words (B, W, {model.text_encoder.width})", model.text_encoder)
    if model.image_encoder is not None:
        add("image_encoder", f"regions (B, R, {model.image_encoder.width})", model.image_encoder)
    views = "".join(f", {name} (B, W, {width})" for name, width in model.fusion.views.items())
    views += "".join(f", {n} (B, {width})" for n, width in model.fusion.sentence_views.items())
    add("fusion", f"fused (B, W, {model.fusion.width}){views}", model.fusion)
    fused = model.decoder.reads == "fused"
    if not fused:
        modules.append(
            ("head", "linear", "mmseq", f"emissions (B, W, {len(model.labels)})", model.head)
        )
    for name, choice in config.aux.items():
        task = model.task(name)
        gives = f"loss x {choice.weight:g}, reads {', '.join([*task.views, *task.extras])}"
        modules.append((KINDS["aux_task"], name, choice.entry.provider, gives, model.task(name)))
    add("decoder", f"tags (B, W){' of fused states' if fused else ''}", model.decoder)
    add("weighting", "total loss", model.weighting)
    for kind, name, provider, gives, module in modules:
        total = sum(p.numel() for p in module.parameters())
        trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
        table.add_row(kind, name, provider, gives, f"{total:,}", f"{trained:,}")
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    table.add_section()
    table.add_row("all", "", "", "", f"{total:,}", f"{trained:,}")
    return table


def _steps(setup: Setup) -> str:
    rounds = rounds_of(setup.config.train, len(setup.splits["train"].examples))
    steps, preparation = rounds.each, setup.model.preparation
    epochs = counted(rounds.epochs, "epoch")
    first = f", the first {'' if preparation == 1 else f'{preparation} '}" if preparation else ""
    if first:
        first += f"with the main task alone, before {', '.join(setup.model.tasks)} begin"
    return (
        f"{epochs}{first}: {counted(steps, 'step')} each, {rounds.total} in all; tags "
        f"{', '.join(setup.model.labels)}; device {setup.accelerator.device}, precision "
        f"{setup.accelerator.mixed_precision}."
    )
