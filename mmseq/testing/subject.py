"""The component under check: its class, its options, and how the engine builds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmseq.contracts.example import Example
from mmseq.contracts.states import Sizes, Text
from mmseq.errors import ComponentError, UserError
from mmseq.model.announcements import GIVE_VECTORS, announced
from mmseq.model.fields import declared, fields_read
from mmseq.registry.kinds import KINDS, contract_of
from mmseq.registry.options import REQUIRED, WEIGHT_TAKEN, Option, check_options, options_of
from mmseq.registry.plugins import registry
from mmseq.testing.contract import Judge
from mmseq.testing.drawn import with_fields
from mmseq.testing.tiny import tiny_sentences

SEED = 17


class Subject(Judge):
    """One component with its options, built as the engine does it.

    `component`: a class, or a registered name. `options`: those of its constructor, checked as the
    engine checks them (`UserError` for a wrong one, and for an unknown name); `defaults` stand for
    those that are not given and that it has. A task's `weight` is the engine's, and dropped.
    """

    def __init__(
        self,
        kind: str,
        component: type | str,
        options: Mapping[str, Any],
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        if isinstance(component, str):
            entry = registry().get(kind, component)
            self.cls: Any = entry.load()
            super().__init__(entry.title)
        else:
            self.cls = component
            super().__init__(f"{KINDS[kind]} {getattr(component, '__name__', component)}")
            contract = contract_of(kind)
            self.require(
                isinstance(component, type) and issubclass(component, contract),
                "class",
                f"{component!r} does not derive from mmseq.{contract.__name__}",
                f"class {getattr(component, '__name__', 'Mine')}(mmseq.{contract.__name__})",
            )
        self._require_fields()
        known = options_of(self.cls)
        self.require(
            not (kind == "aux_task" and "weight" in known), "options", WEIGHT_TAKEN, "another name"
        )
        for option in known.values():
            self._require_default(option)
        given = {name: value for name, value in (defaults or {}).items() if name in known}
        if kind == "aux_task":
            options = {name: value for name, value in options.items() if name != "weight"}
        self.options = check_options(self.title, known, {**given, **options})

    def _require_default(self, option: Option) -> None:
        """A default is what a user could give, and a config file could hold."""
        if option.default in (REQUIRED, None):
            return
        try:
            check_options(self.title, {option.name: option}, {option.name: option.default})
        except UserError as error:
            right = "a value of its type and within its limits, as a TOML file has them"
            self.fail(f"default of '{option.name}'", str(error).rstrip("."), right)

    def _require_fields(self) -> None:
        """The fields that it reads are such as its kind may read."""
        extras = getattr(self.cls, "extras", {})
        try:
            if self.kind != "aux_task":
                fields_read({self.title: extras}, {})
            for name, entries in declared(self.title, extras).items():
                bounded = isinstance(entries, Text) or entries.low <= entries.high
                found, right = f"'{name}' is {entries!r}", "bounds of which low is the lower"
                self.require(bounded, "extras", found, right)
        except ComponentError as error:
            found = str(error).removeprefix(f"{self.title}: ").rstrip(".")
            self.fail("extras", found, "such as its kind may read: see mmseq show")

    def sentences(self) -> list[Example]:
        """The six sentences, with the fields that it reads."""
        task = self.cls if self.kind == "aux_task" else None
        extras = getattr(self.cls, "extras", {})
        return [with_fields(example, extras, task) for example in tiny_sentences()]

    def fit(self) -> Any:
        """What it learns from the training text, as the run keeps it; None without `fit`."""
        if not hasattr(self.cls, "fit"):
            return None
        with self.running("fit (what is learned from the training text)"):
            learned = self.cls.fit(self.sentences(), **self.options)
            again = self.cls.fit(self.sentences(), **self.options)
        contract, right = "fit (kept in the run as JSON)", "dicts, lists, strings and numbers"
        with self.running(contract, right):
            kept = json.loads(json.dumps(learned))
        same = json.dumps(again) == json.dumps(learned)
        self.require(same, contract, "two calls differ", "the same text gives the same")
        return kept

    def build(
        self,
        sizes: Sizes | None = None,
        *,
        assets: Path | None = None,
        fitted: Any = None,
        seed: int = SEED,
    ) -> Any:
        """A new one (`UserError` where it refuses the sizes), in evaluation mode.

        Weights that train are moved a little: a layer that begins at 0 would hide what it does.
        """
        arguments = dict(self.options)
        wanted = getattr(self.cls.__init__, "__annotations__", {})
        if "assets" in wanted:
            arguments["assets"] = assets
        if hasattr(self.cls, "fit"):
            arguments["fitted"] = fitted
        places = () if sizes is None else (sizes,)
        torch.manual_seed(seed)
        right = "it takes (sizes, *, its options with defaults) and begins with super().__init__()"
        with self.running("constructor", right):
            built = self.cls(*places, **arguments)
        if sizes is None:
            return built
        right = "call super().__init__() and assign layers to self"
        self.require(isinstance(built, nn.Module), "class", "it is not a torch module", right)
        if self.kind in GIVE_VECTORS:
            fault = announced(built, GIVE_VECTORS[self.kind])
            right = "ints above 0, as wide as what forward gives"
            self.require(not fault, "announced widths", fault, right)
        _move(built)
        return built.eval()

    def rates(self, encoder: Any) -> None:
        """An encoder's learning rate, and its factors for single parameters."""
        rate = getattr(encoder, "learning_rate", None)
        right = "a number, at least 0, set in the constructor"
        good = isinstance(rate, int | float) and rate >= 0
        self.require(good, "learning_rate", f"it is {rate!r}", right)
        strange = sorted(encoder.rate_factors().keys() - dict(encoder.named_parameters()).keys())
        right = "names of named_parameters()"
        self.require(not strange, "rate_factors", f"it names {strange}", right)

    def hub_models(self) -> None:
        """The models of the Hub that an encoder says it is made of."""
        with self.running("hub_models"):
            models = self.cls.hub_models(self.options)
        good = isinstance(models, list | tuple) and all(isinstance(m, str) and m for m in models)
        right = 'a list of ids, such as ["organisation/name"]'
        self.require(good, "hub_models", f"it gives {models!r}", right)


@torch.no_grad()
def _move(module: nn.Module) -> None:
    """Add noise to the weights that train, as training would: an embedding's padding stays."""
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if parameter.requires_grad:
                noise = 0.1 * torch.randn_like(parameter)
                if isinstance(part, nn.Embedding) and part.padding_idx is not None:
                    noise[part.padding_idx] = 0
                parameter.add_(noise)
