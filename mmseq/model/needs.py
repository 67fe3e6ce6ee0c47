"""What the parts of a config need of one another: pictures, and views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mmseq.config.config import Choice, Config
from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import Sizes
from mmseq.errors import ComponentError, UserError
from mmseq.registry.kinds import KINDS
from mmseq.registry.plugins import registry


def needed_image_encoder(config: Config) -> Choice | None:
    """The image encoder that a run must have, None where nothing looks at pictures; `UserError`
    where something does and the config has none.
    """
    needing = needing_images(config)
    if needing is None:
        return None
    choice = config.single["image_encoder"]
    if choice is None:
        raise UserError(
            f"{needing.entry.title} needs pictures, but image_encoder is 'none'; give "
            f"--image-encoder timm, or another {KINDS[needing.entry.kind]}."
        )
    return choice


def needing_images(config: Config) -> Choice | None:
    """What looks at pictures: the fusion, else the text encoder; None where neither does."""
    choices = [config.component("fusion"), config.component("text_encoder")]
    return next((choice for choice in choices if choice.entry.load().needs_images), None)


def require_views(choice: Choice, views: Mapping[str, int], config: Config, sizes: Sizes) -> None:
    """An error where a task of that choice reads what is not among the `views` and their widths."""
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
            elif view == "picture":
                advice = "Take a fusion that looks at pictures, such as gate."
            else:
                having = ", ".join(_fusions_with(view, sizes)) or "none of the installed ones"
                advice = f"Fusions that do: {having}."
            fusion, text = config.component("fusion").entry, config.component("text_encoder").entry
            raise UserError(
                f"{choice.entry.title} reads the view '{view}', which neither {fusion.title} nor "
                f"{text.title} offers (views here: {', '.join(sorted(views))}). {advice}"
            )


def require_own_names(
    title: str, of_words: Mapping[str, int], of_sentences: Mapping[str, int]
) -> None:
    """`ComponentError` where a fusion gives a view of sentences a name that one of words has: its
    own, the engine's or a part of the text encoder's.
    """
    if both := sorted({*of_words, "picture"} & of_sentences.keys()):
        raise ComponentError(
            f"{title}: its sentence view '{both[0]}' has the name of another view (of words, or "
            "the engine's); give it one of its own."
        )


def require_emissions(
    decoder: Decoder, tasks: Mapping[str, AuxTask], titles: Mapping[str, str]
) -> None:
    """`UserError` where a task refines emissions that the decoder does not read. `titles`: what
    messages call components, by their place.
    """
    refining = [titles[f"aux.{name}"] for name, task in tasks.items() if task.refines]
    if decoder.reads == "fused" and refining:
        raise UserError(
            f"{refining[0]} refines emissions, and {titles['decoder']} reads none, but fused "
            "states; choose another decoder, or let the task not refine."
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
        if view in {*fusion.views, *fusion.sentence_views}:
            names.append(entry.name)
    return names
