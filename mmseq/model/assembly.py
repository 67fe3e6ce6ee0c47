"""Putting a model together from the components of a config."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from mmseq.config.config import Choice, Config
from mmseq.contracts.example import Example
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.states import Sizes
from mmseq.errors import ComponentError, UserError
from mmseq.layers.dropout import quicken
from mmseq.model.guard import (
    announced,
    blamed,
    rated,
)
from mmseq.model.model import Model
from mmseq.registry.entries import GIVE_VECTORS, KINDS, RATED
from mmseq.registry.plugins import registry


def needs_images(config: Config) -> bool:
    """Whether anything in the run looks at pictures, by its classes before they are built."""
    return _needing_images(config) is not None


def _needing_images(config: Config) -> Choice | None:
    choices = [config.component("fusion"), config.component("text_encoder")]
    return next((choice for choice in choices if choice.entry.load().needs_images), None)


def build_model(
    config: Config,
    labels: Sequence[str],
    *,
    examples: Sequence[Example] = (),
    assets: Path | None = None,
) -> tuple[Model, dict[str, Any]]:
    """The model of a config, and what its components learned from the training text.

    New: weights as each component makes them, vocabularies from `examples`. With `assets` (the
    folder of a finished run) only the structure is rebuilt and nothing is fetched.
    """
    fitted: dict[str, Any] = {}
    titles: dict[str, str] = {}

    def build(key: str, choice: Choice, sizes: Sizes) -> Any:
        cls = choice.entry.load()
        titles[key] = choice.entry.full_title
        arguments = dict(choice.options)
        wanted = cls.__init__.__annotations__
        if "assets" in wanted:
            arguments["assets"] = assets / key if assets else None
        if hasattr(cls, "fit"):
            if assets:
                learned = json.loads((assets / key / "fitted.json").read_text(encoding="utf-8"))
            else:
                with blamed(f"{titles[key]}, fit,"):
                    learned = cls.fit(examples, **choice.options)
            fitted[key] = arguments["fitted"] = learned
        # Rebuilding fails where the run is damaged: whoever reads it reports that.
        with nullcontext() if assets else blamed(f"{titles[key]}, constructor,"):
            component = cls(sizes, **arguments)
        if not isinstance(component, nn.Module):
            raise UserError(f"{choice.entry.target} is not a torch module.")
        if choice.entry.kind in GIVE_VECTORS:
            fault = announced(component, GIVE_VECTORS[choice.entry.kind])
            if fault:
                raise ComponentError(f"{titles[key]}: {fault}.")
        if choice.entry.kind in RATED:
            fault = rated(component, needed=RATED[choice.entry.kind])
            if fault:
                raise ComponentError(f"{titles[key]}: {fault}.")
        return component

    losses = {"main": 1.0, **{name: choice.weight for name, choice in config.aux.items()}}
    sizes = Sizes(labels=tuple(labels), losses=losses)
    image_encoder: ImageEncoder | None = None
    image_choice = config.single["image_encoder"]
    if needing := _needing_images(config):
        if image_choice is None:
            raise UserError(
                f"{needing.entry.title} needs pictures, but image_encoder is 'none'; give "
                f"--image-encoder timm, or another {KINDS[needing.entry.kind]}."
            )
        image_encoder = build("image_encoder", image_choice, sizes)
        assert image_encoder is not None
        sizes = replace(
            sizes,
            image=image_encoder.width,
            levels=tuple(image_encoder.levels),
            whole_page=image_encoder.whole_page,
        )
    text_encoder = build("text_encoder", config.component("text_encoder"), sizes)
    sizes = replace(
        sizes,
        text=text_encoder.width,
        sentence=text_encoder.sentence,
        parts=dict(text_encoder.parts),
    )
    fusion = build("fusion", config.component("fusion"), sizes)
    views = {**sizes.parts, **fusion.views, "words": sizes.text, "fused": fusion.width}
    sizes = replace(sizes, views=views)
    tasks = {}
    for name, choice in config.aux.items():
        _check_views(choice, views, config, sizes)
        tasks[name] = build(f"aux.{name}", choice, sizes)
    decoder = build("decoder", config.component("decoder"), sizes)
    weighting = build("weighting", config.component("weighting"), sizes)
    model = Model(labels, text_encoder, image_encoder, fusion, tasks, decoder, weighting, titles)
    quicken(model)
    return model, fitted


def _check_views(choice: Choice, views: Mapping[str, int], config: Config, sizes: Sizes) -> None:
    task = choice.entry.load()
    if isinstance(task.views, str):
        raise ComponentError(
            f"{choice.entry.full_title}: its views are the string "
            f"'{task.views}'; write a tuple, ('{task.views}',)."
        )
    for view in task.views:
        if view not in views:
            if view in task.lacking:
                advice = task.lacking[view]
            else:
                having = ", ".join(_fusions_with(view, sizes)) or "none of the installed ones"
                advice = f"Fusions that do: {having}."
            fusion, text = config.component("fusion").entry, config.component("text_encoder").entry
            raise UserError(
                f"{choice.entry.title} reads the view '{view}', which neither {fusion.title} nor "
                f"{text.title} offers (views here: {', '.join(sorted(views))}). {advice}"
            )


def _fusions_with(view: str, sizes: Sizes) -> list[str]:
    """Names of the fusions that offer a view, found by building each; only for a message."""
    pictured = replace(sizes, image=sizes.image or sizes.text, whole_page=True)
    names = []
    for entry in registry().entries("fusion"):
        try:
            fusion = entry.load()(pictured)
        # A stranger's fusion that cannot be built with its defaults does not help the reader.
        except Exception:  # noqa: S112
            continue
        if view in fusion.views:
            names.append(entry.name)
    return names
