"""A run before its first step: assembled from a config, made ready, begun or taken up again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback
from mmseq.data.source import is_sample
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.model import calls
from mmseq.model.collate import Collator, Prepared, PreparedLater
from mmseq.model.model import Model
from mmseq.model.needs import needing_images
from mmseq.pictures.checksums import Contents
from mmseq.pictures.features import FeatureTable
from mmseq.pictures.ready import ready_pictures
from mmseq.processes import process_count
from mmseq.runs import folder as runs
from mmseq.runs.identity import own_contents
from mmseq.runs.inside import require_inside
from mmseq.runs.leftovers import LAST, sweep_finished
from mmseq.runs.splitter import write_splitter
from mmseq.training.begun_with import (
    SEEN,
    other_versions,
    require_same_files,
    require_same_pictures,
    require_same_settings,
    write_seen,
)
from mmseq.training.checkpoint import Checkpoints
from mmseq.training.data import data_lines, training_labels, training_splits
from mmseq.training.device import make_accelerator
from mmseq.training.hub import require_models
from mmseq.training.idle import idle_lines
from mmseq.training.initial import build_seeded, require_trainable, take_initial_weights
from mmseq.training.launch import require_seen, require_sentences
from mmseq.training.lengths import find_lengths
from mmseq.training.partial import require_partial
from mmseq.training.pictured import picture_lines, require_pictures
from mmseq.training.resolved import carried_out
from mmseq.training.rounds import rounds_of
from mmseq.training.scales import share_lines
from mmseq.training.splitting import Splitting, say, splitting_of


@dataclass
class Setup:
    """A run that is ready to train."""

    config: Config
    """As it is carried out"""
    folder: Path
    splits: dict[str, Split]
    splitting: Splitting
    model: Model
    fitted: dict[str, Any]
    callbacks: dict[str, Callback]
    accelerator: Accelerator
    reporter: Reporter
    collator: Collator = field(init=False)
    prepared: dict[str, Sequence[Prepared]] = field(init=False)
    contents: dict[str, str] = field(default_factory=dict)
    """Settings that name a file or folder -> the checksum of its content, as the run begins"""
    pictures: FeatureTable | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def new_run(config: Config, output: Path | None, reporter: Reporter) -> Setup:
    """A new run: data read, model built, pictures ready, folder made."""
    setup = assemble(config, runs.new_folder(output, _stem(config)), reporter)
    take_initial_weights(setup.model, setup.config, setup.reporter.line)
    _make_ready(setup)
    if output is None and process_count() == 1:
        # Another run may have taken the number meanwhile.
        setup.folder = runs.new_folder(None, _stem(config))
    if setup.accelerator.is_main_process:
        runs.begin(setup.folder, setup.config, setup.model, setup.fitted)
        write_splitter(setup.folder, setup.splitting.splitter, setup.splitting.returned)
        write_seen(setup.folder, setup.config, setup.splits, _contents(setup))
    setup.accelerator.wait_for_everyone()
    require_seen(setup.folder)
    return setup


def resume_run(folder: Path | None, reporter: Reporter) -> Setup:
    """The unfinished run in `folder`, as it was begun."""
    if folder is None:
        raise UserError("Say which run to resume: --output RUN (in Python `output`).")
    if not (folder / "config.toml").is_file():
        raise UserError(f"{folder}: holds no run to resume; check the path (--output).")
    if (folder / "metrics.json").is_file():
        with runs.held(folder):
            sweep_finished(folder)
        raise UserError(f"{folder}: that run is finished; there is nothing to resume.")
    require_inside(folder)
    known = (folder / SEEN).is_file()
    # Of versions a line of its own tells.
    runs.require_components(folder, quiet=known)
    config = runs.own_config(folder)
    if known:
        require_same_settings(folder, config)
        if others := other_versions(folder, config):
            reporter.warning(f"{folder}: {others}; it goes on, and results may differ.")
    setup = assemble(config, folder, reporter)
    if known:
        require_same_files(folder, setup.splits)
    if not Checkpoints(folder / LAST).exists():
        # Killed before its first checkpoint, it has only its config: it starts from the beginning.
        take_initial_weights(setup.model, setup.config, setup.reporter.line)
    elif not known:
        setup.reporter.line(
            f"{folder}: has no {SEEN}, as runs of earlier versions: nothing tells whether the data "
            "are those that it began with."
        )
    _make_ready(setup)
    if known:
        require_same_pictures(folder, setup.splits, _contents(setup))
    if setup.accelerator.is_main_process:
        runs.write_known(folder, setup.config, setup.model, setup.fitted)
        write_splitter(folder, setup.splitting.splitter, setup.splitting.returned)
        if not known:
            write_seen(folder, setup.config, setup.splits, _contents(setup))
    return setup


def assemble(config: Config, folder: Path, reporter: Reporter) -> Setup:
    """Data and model of a run, nothing written and no picture opened."""
    splits = training_splits(config.data, reporter)
    splitting = splitting_of(config.data, splits["train"].examples)
    labels = training_labels(splits)
    require_partial(config, splits["train"])
    accelerator = make_accelerator(config.train)
    require_sentences(splits["train"])
    if not accelerator.is_main_process:
        reporter = Reporter(quiet=True)
    if process_count() > 1:
        reporter.line(
            f"{process_count()} processes, each with batches of {config.train.batch_size} sentences"
        )
    require_models([config])
    model, fitted = build_seeded(config, labels, splits["train"].examples)
    asked = config
    config = carried_out(config, model, len(splits["train"].examples))
    require_trainable(model, config, splits)
    callbacks = {
        name: calls.build_callback(choice.entry.full_title, choice.entry.load(), choice.options)
        for name, choice in config.callbacks.items()
    }
    for line in data_lines(config.data, splits):
        reporter.line(line)
    if (looking := needing_images(config)) is not None:
        if config.data.images == "strict":
            require_pictures(splits)
        images = config.data.image_folder or str(Path(config.data.path) / "images")
        for line in picture_lines(splits, looking.entry.title, images):
            reporter.warning(line)
    for line in share_lines(model.extras, splits["train"].examples):
        reporter.warning(line)
    say(splitting, reporter)
    idle = idle_lines(
        asked,
        model,
        rounds_of(config.train, len(splits["train"].examples)),
        callbacks,
        valid="valid" in splits,
        device=accelerator.device.type,
    )
    for line in idle:
        reporter.line(line)
    return Setup(config, folder, splits, splitting, model, fitted, callbacks, accelerator, reporter)


def _make_ready(setup: Setup) -> None:
    """Model on its device, pictures computed, sentences prepared."""
    model, splits = setup.model, setup.splits
    if setup.accelerator.is_main_process:
        setup.contents = own_contents(setup.config.tables())
    model.to(setup.accelerator.device)
    started = time.perf_counter()
    if model.image_encoder is not None:
        setup.pictures = ready_pictures(
            [split.examples for split in splits.values()],
            model.image_encoder,
            setup.config.data,
            device=setup.accelerator.device,
            reporter=setup.reporter,
            shared=True,
        )
    setup.seconds["pictures"] = time.perf_counter() - started
    setup.collator = model.collator(setup.pictures)
    setup.prepared = {
        name: setup.collator.prepared(split.examples, training=name == "train")
        for name, split in splits.items()
    }
    if isinstance(train := setup.prepared["train"], PreparedLater):
        find_lengths(
            train,
            model.text_encoder,
            setup.config.component("text_encoder"),
            setup.fitted.get("text_encoder"),
            device=setup.accelerator.device,
            reporter=setup.reporter,
        )


def _contents(setup: Setup) -> Contents | None:
    """What is known of the pictures' files; None where the run looks at none."""
    return None if setup.pictures is None else setup.pictures.contents


def _stem(config: Config) -> str:
    name = "sample" if is_sample(config.data) else Path(config.data.path).resolve().name
    return f"{name}-{config.component('fusion').name}"
