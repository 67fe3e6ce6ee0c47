"""Putting a model together from the components of a config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmseq.config.config import Choice, Config
from mmseq.contracts.example import Example
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.states import Sizes
from mmseq.layers.dropout import quicken
from mmseq.model import calls
from mmseq.model.announcements import require_announced
from mmseq.model.fields import ExtraField, FieldReader, declared
from mmseq.model.model import Model
from mmseq.model.needs import (
    needed_image_encoder,
    require_emissions,
    require_own_names,
    require_views,
)


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
    parts = _Parts(examples, assets)
    losses = {"main": 1.0, **{name: choice.weight for name, choice in config.aux.items()}}
    sizes = Sizes(labels=tuple(labels), losses=losses)
    image_encoder: ImageEncoder | None = None
    if image_choice := needed_image_encoder(config):
        image_encoder = parts.build("image_encoder", image_choice, sizes)
        assert image_encoder is not None
        sizes = replace(
            sizes,
            image=image_encoder.width,
            levels=tuple(image_encoder.levels),
            whole_page=image_encoder.whole_page,
        )
    text_encoder = parts.build("text_encoder", config.component("text_encoder"), sizes)
    sizes = replace(
        sizes,
        text=text_encoder.width,
        sentence=text_encoder.sentence,
        parts=dict(text_encoder.parts),
    )
    fusion = parts.build("fusion", config.component("fusion"), sizes)
    pooled = {"picture": sizes.image} if image_encoder else {}
    own = {"words": sizes.text, "fused": fusion.width}
    views = {**pooled, **sizes.parts, **fusion.views, **own}
    require_own_names(parts.titles["fusion"], views, fusion.sentence_views)
    sizes = replace(sizes, views=views, sentence_views=dict(fusion.sentence_views))
    tasks = {}
    for name, choice in config.aux.items():
        require_views(choice, {**views, **fusion.sentence_views}, config, sizes)
        tasks[name] = parts.build(f"aux.{name}", choice, sizes)
    decoder = parts.build("decoder", config.component("decoder"), sizes)
    require_emissions(decoder, tasks, parts.titles)
    weighting = parts.build("weighting", config.component("weighting"), sizes)
    model = Model(
        labels, text_encoder, image_encoder, fusion, tasks, decoder, weighting, parts.titles
    )
    quicken(model)
    return model, parts.fitted


class _Parts:
    """The components built so far, by their places: ``fusion``, ``aux.NAME`` …"""

    def __init__(self, examples: Sequence[Example], assets: Path | None) -> None:
        self._examples, self._assets = examples, assets
        self.titles: dict[str, str] = {}
        """What messages call each"""
        self.fitted: dict[str, Any] = {}
        """What those that have `fit` learned"""

    def build(self, place: str, choice: Choice, sizes: Sizes) -> Any:
        """The component itself."""
        cls = choice.entry.load()
        title = self.titles[place] = choice.entry.full_title
        own = self._assets / place if self._assets else None
        arguments = dict(choice.options)
        if "assets" in cls.__init__.__annotations__:
            arguments["assets"] = own
        if hasattr(cls, "fit"):
            if own:
                learned = json.loads((own / "fitted.json").read_text(encoding="utf-8"))
            else:
                self._require_fields(title, cls)
                learned = calls.fit(title, cls, self._examples, choice.options)
            self.fitted[place] = arguments["fitted"] = learned
        # Where a run is rebuilt and that fails, it is damaged: who reads it says so.
        component = cls(sizes, **arguments) if own else calls.build(title, cls, sizes, arguments)
        require_announced(choice.entry, component)
        return component

    def _require_fields(self, title: str, cls: Any) -> None:
        """What is learned from the training text may be learned from its further fields too."""
        extras = declared(title, getattr(cls, "extras", {}))
        reader = FieldReader([ExtraField(name, e, title) for name, e in extras.items()])
        reader.require(self._examples, training=True)
