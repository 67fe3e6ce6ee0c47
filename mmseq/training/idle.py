"""Settings that will do nothing in a run: whoever asked for them is told before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmseq.config.config import Choice, Config, DataConfig, TrainConfig
from mmseq.config.layering import DEFAULTS
from mmseq.contracts.callback import Callback, RunAhead
from mmseq.errors import counted
from mmseq.files import read_toml
from mmseq.model import calls
from mmseq.model.guard import require
from mmseq.model.model import Model
from mmseq.registry.plugins import registry
from mmseq.training.optimiser import warm_up_steps
from mmseq.training.rounds import Rounds

PICTURES = ("image_folder", "images", "image_dropout", "features")
"""Settings of [data] for those who look at pictures"""


def idle_lines(
    asked: Config,
    model: Model,
    rounds: Rounds,
    callbacks: Mapping[str, Callback],
    *,
    valid: bool,
    device: str,
) -> list[str]:
    """A line for each. `asked`: the config before what it leaves open was filled in; `device`: the
    type of the one that the run is on.
    """
    return [
        *_of_training(asked.train, rounds, device),
        *_of_parts(asked, model),
        *_of_callbacks(asked, model, rounds, callbacks, valid=valid),
    ]


def _of_training(train: TrainConfig, rounds: Rounds, device: str) -> Iterator[str]:
    if train.precision == "fp16" and device == "cpu":
        yield "train.precision = fp16 does nothing on a CPU: it computes in full precision."
    own = train.warmup != _default(TrainConfig, "warmup")
    if own and train.warmup and not warm_up_steps(rounds.total, train.warmup):
        yield (
            f"train.warmup = {train.warmup:g} does nothing: of {rounds.total} steps that is less "
            "than one."
        )
    if train.checkpoint_steps >= rounds.each:
        yield (
            f"train.checkpoint_steps = {train.checkpoint_steps} does nothing: an epoch has "
            f"{counted(rounds.each, 'step')}, and a checkpoint at its end."
        )


def _of_parts(asked: Config, model: Model) -> Iterator[str]:
    if model.image_encoder is None:
        idle = [
            f"data.{key}"
            for key in PICTURES
            if getattr(asked.data, key) != _default(DataConfig, key)
        ]
        choice = asked.single["image_encoder"]
        if choice is not None:
            if choice.name != DEFAULTS["image_encoder"]["name"]:
                idle.append("image_encoder")
            else:
                idle += [f"image_encoder.{key}" for key in _asked_for("image_encoder", choice)]
        if idle:
            verb = "do" if len(idle) > 1 else "does"
            yield (
                f"{', '.join(idle)} {verb} nothing: no part of this model looks at pictures "
                f"(fusion '{asked.component('fusion').name}')."
            )
    weighting = asked.component("weighting").name
    if weighting != DEFAULTS["weighting"]["name"] and not model.tasks:
        yield f"weighting '{weighting}' does nothing: without auxiliary tasks there is one loss."
    for name, encoder in (
        ("text_encoder", model.text_encoder),
        ("image_encoder", model.image_encoder),
    ):
        choice = asked.single[name]
        if encoder is None or choice is None or any(p.requires_grad for p in encoder.parameters()):
            continue
        if "learning_rate" in _asked_for(name, choice):
            rate = choice.options["learning_rate"]
            yield f"{name}.learning_rate = {rate:g} does nothing: none of its weights are trained."


def _of_callbacks(
    asked: Config,
    model: Model,
    rounds: Rounds,
    callbacks: Mapping[str, Callback],
    *,
    valid: bool,
) -> Iterator[str]:
    ahead = RunAhead(valid, len(rounds.ends) - model.preparation, tuple(model.tasks))
    for name, callback in callbacks.items():
        title = asked.callbacks[name].entry.full_title
        reason = calls.notify(title, callback, "idle", ahead)
        if reason is not None:
            require(title, "what idle gives", reason, str)
            yield f"callbacks.{name} does nothing: {reason}."


def _asked_for(kind: str, choice: Choice) -> list[str]:
    """The options of a component that somebody chose: neither their defaults nor what a preset
    says, which states options of parts that it freezes, too.
    """
    options = choice.entry.options()
    own = [key for key, value in choice.options.items() if value != options[key].default]
    if not own:
        return []
    presets = [read_toml(entry.path).get(kind, {}) for entry in registry().entries("preset")]
    return [k for k in own if not any(one.get(k) == choice.options[k] for one in presets)]


def _default(section: type[TrainConfig | DataConfig], key: str) -> object:
    return section.model_fields[key].default
