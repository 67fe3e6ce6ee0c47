"""Everything before the first training step: data, labels, model, pictures, run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.accelerator import is_available as has_accelerator
from torch.cuda import is_available, is_bf16_supported

from mmseq.config.config import Config, TrainConfig
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback
from mmseq.contracts.example import Example
from mmseq.data.sample.cached import sample_ceilings, sample_is_made
from mmseq.data.source import is_sample, load_data
from mmseq.data.splits import (
    Split,
    check_known,
    require_split,
    require_tags,
    types_of,
)
from mmseq.data.splitter import SPLITTERS, choose_splitter
from mmseq.data.tags import label_names
from mmseq.errors import UserError, unknown
from mmseq.files import write_json
from mmseq.model.assembly import build_model
from mmseq.model.batch import Collator, Prepared
from mmseq.model.guard import blamed
from mmseq.model.model import Model
from mmseq.pictures.checksums import images_sha256
from mmseq.pictures.features import FeatureTable
from mmseq.pictures.ready import ready_pictures
from mmseq.processes import process_count
from mmseq.runs import folder as runs
from mmseq.runs.card import model_card
from mmseq.runs.weights import load_weights, save_weights
from mmseq.scoring.score_table import score_table
from mmseq.training.checkpoint import Checkpoints
from mmseq.training.launch import require_launcher, require_seen, require_sentences
from mmseq.training.progress import Progress
from mmseq.training.resolved import _as_built, with_epochs


@dataclass
class Setup:
    """A run that is ready to train."""

    config: Config
    folder: Path
    splits: dict[str, Split]
    model: Model
    fitted: dict[str, Any]
    callbacks: dict[str, Callback]
    accelerator: Accelerator
    reporter: Reporter
    collator: Collator = field(init=False)
    prepared: dict[str, Sequence[Prepared]] = field(init=False)
    pictures: FeatureTable | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def write_results(self, metrics: dict[str, Any], progress: Progress) -> None:
        """The finished run's files: weights, metrics, timing, model card; and the table."""
        metrics["data"] = {name: self._data_facts(split) for name, split in self.splits.items()}
        metrics["parameters"] = {
            "all": sum(p.numel() for p in self.model.parameters()),
            "trained": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
        }
        metrics["versions"] = runs.component_versions(self.config)
        save_weights(self.model, self.folder / "model.safetensors")
        training = progress.seconds.get("training", 0.0)
        timing = {
            "seconds": {**self.seconds, **progress.seconds},
            "sentences_per_second": progress.sentences / training if training else 0.0,
            "pictures_new": self.pictures.new if self.pictures else 0,
            "pictures_reused": self.pictures.reused if self.pictures else 0,
        }
        write_json(self.folder / "timing.json", timing)
        card = model_card(self.config, metrics, self.model.labels)
        (self.folder / "README.md").write_text(card, encoding="utf-8")
        write_json(self.folder / "metrics.json", metrics)
        scores: dict[str, Any] = {n: metrics[n] for n in ("valid", "test") if n in metrics}
        if scores:
            title = f"Best epoch {metrics['best_epoch']}"
            self.reporter.table(score_table(scores, title))
        self.reporter.line(f"The run is in {self.folder}")

    def _data_facts(self, split: Split) -> dict[str, Any]:
        paths = {p for e in split.examples for p in e.images} if split.facts.pictured else set()
        problems = self.pictures.problems if self.pictures else {}
        return {
            "sha256": split.sha256,
            "sentences": split.facts.sentences,
            "entities": split.facts.entities,
            "images": len(paths),
            "images_sha256": images_sha256(split.examples, self.pictures.contents)
            if self.pictures
            else "",
            "images_missing": len(paths & set(problems)) if self.pictures else 0,
        }


def new_run(config: Config, output: Path | None, reporter: Reporter) -> Setup:
    """A new run: data read, model built, pictures ready, folder made."""
    setup = assemble(config, runs.new_folder(output, _stem(config)), reporter)
    take_initial_weights(setup.model, setup.config)
    _make_ready(setup)
    if output is None and process_count() == 1:
        # Another run may have taken the number meanwhile.
        setup.folder = runs.new_folder(None, _stem(config))
    if setup.accelerator.is_main_process:
        runs.begin(setup.folder, setup.config, setup.model, setup.fitted)
    setup.accelerator.wait_for_everyone()
    require_seen(setup.folder)
    return setup


def resume_run(folder: Path | None, reporter: Reporter) -> Setup:
    """The unfinished run in `folder`, as it was begun."""
    if folder is None:
        raise UserError("Say which run is to be resumed: --output RUN (in Python `output`).")
    if not (folder / "config.toml").is_file():
        raise UserError(f"{folder}: holds no run to resume; check the path (--output).")
    if (folder / "metrics.json").is_file():
        raise UserError(f"{folder}: that run is finished; there is nothing to resume.")
    runs.require_components(folder)
    setup = assemble(runs.own_config(folder), folder, reporter)
    if not Checkpoints(folder).exists():
        # Killed before its first checkpoint, it has only its config: it starts from the beginning.
        take_initial_weights(setup.model, setup.config)
    _make_ready(setup)
    if setup.accelerator.is_main_process:
        runs.write_known(folder, setup.config, setup.model, setup.fitted)
    return setup


def assemble(config: Config, folder: Path, reporter: Reporter) -> Setup:
    """Data and model of a run, nothing written and no picture opened."""
    config = with_epochs(config)
    if is_sample(config.data) and not sample_is_made():
        reporter.line("Making the sample data (once, some 10 seconds) …")
    splits = load_data(config.data, config.data.splits, reporter.line)
    train = require_split(splits, "train", Path(config.data.path))
    if config.data.splitter == "auto":
        config = config.replaced({"data.splitter": choose_splitter(train.examples)})
    elif config.data.splitter not in SPLITTERS:
        raise unknown("word splitter", config.data.splitter, SPLITTERS)
    labels = label_names(types_of(train))
    for split in splits.values():
        require_tags(split)
        check_known(split, labels)
    accelerator = _accelerator(config.train)
    require_sentences(train)
    if not accelerator.is_main_process:
        reporter = Reporter(quiet=True)
    if process_count() > 1:
        reporter.line(
            f"{process_count()} processes, each with batches of {config.train.batch_size} sentences"
        )
    model, fitted = build_seeded(config, labels, train.examples)
    if model.preparation >= config.train.epochs:
        raise UserError(
            f"train.epochs = {config.train.epochs}: the preparation phase alone takes "
            f"{model.preparation}; give more epochs."
        )
    _require_embeddings(config, model)
    _require_extras(model, splits)
    config = _as_built(config, model)
    callbacks = {}
    for name, choice in config.callbacks.items():
        with blamed(choice.entry.full_title, "its constructor"):
            callbacks[name] = choice.entry.load()(**choice.options)
    if is_sample(config.data):
        reporter.line(sample_ceilings())
    for line in _data_lines(splits):
        reporter.line(line)
    return Setup(config, folder, splits, model, fitted, callbacks, accelerator, reporter)


def _require_embeddings(config: Config, model: Model) -> None:
    """`UserError` where `train.adversarial` has nothing to move."""
    if size := config.train.adversarial:
        matrix = model.text_encoder.embeddings()
        if matrix is None or not matrix.requires_grad:
            title = config.component("text_encoder").entry.title
            reason = "has no embeddings" if matrix is None else "keeps its embeddings as they are"
            remedy = "" if matrix is None else "let them train, or "
            raise UserError(
                f"train.adversarial = {size} moves embeddings that train, and {title} {reason}; "
                f"{remedy}give 0."
            )


def _require_extras(model: Model, splits: Mapping[str, Split]) -> None:
    """`UserError` for sentences without what the model reads of them, before any work is done."""
    reader = model.collator(None)
    for split in splits.values() if model.extras else ():
        for example in split.examples:
            reader.extras(example)


def build_seeded(
    config: Config, labels: Sequence[str], examples: Sequence[Example]
) -> tuple[Model, dict[str, Any]]:
    """A new model as the run's seed draws it; all random generators are seeded by it."""
    set_seed(config.train.seed)
    return build_model(config, labels, examples=examples)


def take_initial_weights(model: Model, config: Config) -> None:
    """The weights of the run that ``train.init`` names, where it names one."""
    if config.train.init:
        run = Path(config.train.init)
        runs.open_run(run)
        # Its weighting stood at the end of a training; here another begins.
        load_weights(
            model,
            run / "model.safetensors",
            weighting=False,
            remedy=f"--init (train.init) takes a run of the same parts, sizes and types: see "
            f"{run / 'config.toml'}",
        )


def _make_ready(setup: Setup) -> None:
    """Model on its device, pictures computed, sentences prepared."""
    model, splits = setup.model, setup.splits
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
        name: setup.collator.prepared(split.examples) for name, split in splits.items()
    }


def _stem(config: Config) -> str:
    name = "sample" if is_sample(config.data) else Path(config.data.path).resolve().name
    return f"{name}-{config.component('fusion').name}"


def _accelerator(train: TrainConfig) -> Accelerator:
    require_launcher()
    precision = train.precision
    if precision == "auto":
        precision = "bf16" if _has_bf16(train) else "no"
    # Asked for no CPU, accelerate takes each process of a launcher for the only one where there is
    # no other device.
    cpu = train.device == "cpu" or not has_accelerator()
    return Accelerator(cpu=cpu, mixed_precision=precision)


def _has_bf16(train: TrainConfig) -> bool:
    return train.device != "cpu" and is_available() and is_bf16_supported()


def _data_lines(splits: Mapping[str, Split]) -> list[str]:
    lines = []
    for name, split in splits.items():
        facts = split.facts
        scheme = "" if split.scheme == "bio" else f"; {split.scheme.upper()} tags, read as BIO"
        lines.append(
            f"{name}: {facts.sentences} sentences, {facts.entities} entities, "
            f"{facts.pictured} with pictures ({split.path}{scheme})"
        )
    return lines
