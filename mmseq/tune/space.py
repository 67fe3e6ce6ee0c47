"""The space of a search: the parameters, and the config that each of its points stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mmseq.bench.plan import Problems
from mmseq.config.config import Config
from mmseq.config.layering import SINGLE
from mmseq.data.source import load_data
from mmseq.data.splits import require_split
from mmseq.errors import UserError, did_you_mean
from mmseq.registry.plugins import registry
from mmseq.training.rounds import with_length
from mmseq.tune.parameter import Parameter, Range

SENTENCES = ("path", "splits", "image_folder", "reader", "fields", "tag_names", "scheme", "map")
"""Of [data]: what decides on which sentences and pictures a trial is scored"""
TRIAL_SPLITS = ("train", "valid")
"""What trials read: none can see the test split"""


class Space:
    """A base config and what is searched on top of it.

    Where a component's name is searched, an option that the chosen component does not have is
    left out of the trial.
    """

    def __init__(self, base: Config, parameters: Sequence[Parameter]) -> None:
        self.base = base
        # Names first: which options a trial has depends on them.
        self.parameters = sorted(parameters, key=lambda p: not _names_component(p))

    @cached_property
    def sentences(self) -> int:
        """Those to train on, which decide how long a trial is."""
        splits = load_data(self.base.data, ["train"])
        return len(require_split(splits, "train", Path(self.base.data.path)).examples)

    def draw(self, suggest: Callable[[Parameter], Any]) -> dict[str, Any]:
        """The settings of a trial, each as `suggest` gives it."""
        settings: dict[str, Any] = {}
        for parameter in self.parameters:
            if _takes(parameter, settings):
                settings[parameter.key] = suggest(parameter)
        return settings

    def config(self, settings: Mapping[str, Any]) -> Config:
        """The config of a trial, its length filled in."""
        return self.whole({**settings, "data.splits": list(TRIAL_SPLITS)})

    def whole(self, settings: Mapping[str, Any]) -> Config:
        """The same, reading every split that the base does."""
        return with_length(self.base.replaced(settings), self.sentences)

    def chosen(self) -> list[Config]:
        """The base, and with each searched name in turn."""
        names = [p for p in self.parameters if _names_component(p)]
        return [
            self.base,
            *(self.base.replaced({p.key: name}) for p in names for name in p.values.corners),
        ]


def checked_space(base: Config, parameters: Sequence[Parameter], problems: Problems) -> Space:
    """The space, every corner of every parameter having been laid on the base.

    Ranges of whole numbers for a key that takes fractions become ranges of fractions, those of 1.0
    to 3.0 for one that does not ranges of whole numbers. What is wrong goes into `problems`.
    """
    contexts = {p.section: p for p in parameters if _names_component(p)}
    found = []
    for parameter in parameters:
        if parameter.section == "data" and parameter.option.split(".")[0] in SENTENCES:
            problems.add(
                f"{parameter.key}: not to be searched: all trials are scored on the same "
                "sentences and pictures."
            )
            continue
        context = None if _names_component(parameter) else contexts.get(parameter.section)
        for settings in _contexts(parameter, context, problems):
            values = parameter.values
            if isinstance(values, Range) and values.whole and values.step is None:
                fraction = {**settings, parameter.key: values.low + 0.5}
                if _mistake(base, fraction) is None:
                    parameter = replace(parameter, values=replace(values, whole=False))
            if isinstance(values, Range) and not values.whole and _in_whole_numbers(values):
                # 3.0 for a key that takes whole numbers alone.
                fraction = {**settings, parameter.key: values.low + 0.5}
                if _mistake(base, fraction) is not None:
                    parameter = replace(parameter, values=_whole(values))
            for value in parameter.values.corners:
                if mistake := _mistake(base, {**settings, parameter.key: value}):
                    problems.add(mistake)
                    break
        found.append(parameter)
    return Space(base, found)


def _in_whole_numbers(values: Range) -> bool:
    return all(float(bound).is_integer() for bound in (values.low, values.high, values.step or 0))


def _whole(values: Range) -> Range:
    step = values.step if values.step is None else int(values.step)
    return replace(values, low=int(values.low), high=int(values.high), step=step, whole=True)


def _names_component(parameter: Parameter) -> bool:
    return parameter.section in SINGLE and parameter.option == "name"


def _contexts(
    parameter: Parameter, names: Parameter | None, problems: Problems
) -> list[dict[str, Any]]:
    """Settings under which the parameter's key can be tried: one for each component that has it."""
    if names is None:
        return [{}]
    options: set[str] = set()
    found = []
    for name in names.values.corners:
        # An unknown name is reported with the parameter that it is in.
        own = _options(names.section, name)
        if parameter.option in own:
            found.append({names.key: name})
        options |= own
    if not found and options:
        hint = did_you_mean(parameter.option, options)
        chosen = ", ".join(str(name) for name in names.values.corners)
        problems.add(
            f"{parameter.key}: none of {chosen} has the option '{parameter.option}'.{hint} "
            f"Their options: {', '.join(sorted(options))}."
        )
    return found


def _takes(parameter: Parameter, settings: Mapping[str, Any]) -> bool:
    """A trial with these names has the parameter."""
    name = settings.get(f"{parameter.section}.name")
    if name is None or parameter.section not in SINGLE or _names_component(parameter):
        return True
    return parameter.option in _options(parameter.section, name)


def _options(section: str, name: Any) -> set[str]:
    """Names of the options of a registered component; empty for any other."""
    if name not in registry().names(section):
        return set()
    return set(registry().get(section, name).options())


def _mistake(base: Config, settings: Mapping[str, Any]) -> str | None:
    try:
        base.replaced(settings)
    except UserError as error:
        return str(error)
    return None
