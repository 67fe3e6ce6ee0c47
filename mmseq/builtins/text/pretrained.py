"""Tokenizer and network of a Hugging Face transformer: pretrained, or of a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from mmseq.builtins.text.first_weights import NothingDrawn
from mmseq.builtins.text.plain import require_form, require_plain, without_places
from mmseq.builtins.text.structure import (
    drop_decoder,
    has_decoder,
    is_part,
    longest_input,
    structure_of,
)
from mmseq.builtins.text.sub_words import cut_otherwise, require_kept, tokenizer_of
from mmseq.builtins.text.suitable import (
    Unsuitable,
    require_embedded,
    require_suitable,
    table_of,
    takes_vectors,
)
from mmseq.errors import UserError
from mmseq.files import at_home, read_json, write_json
from mmseq.packaged import quiet_hub, resolve_package_path

LIBRARIES = (
    *(OSError, ValueError, KeyError, RuntimeError, ImportError),
    *(SafetensorError, StrictDataclassError),
)
"""What the libraries raise over files that are not there, damaged or of another kind"""
FORM = "form.json"
SETTING = "text_encoder.model"
"""Of a run's encoder, where it is not a whole model with a tokenizer of the tokenizers library"""


@dataclass(frozen=True)
class Pretrained:
    """Tokenizer and network, as one encodes text with them."""

    tokenizer: Any
    network: Any
    structure: Any
    """Config of the model that `network` is, or is the encoder of"""
    width: int
    encoder_alone: bool = False
    """`network` is the encoder of a model that has a decoder too"""
    vectors: bool = True
    """It may be given embeddings in the place of ids"""

    def save(self, folder: Path, words: Mapping[str, Sequence[int]]) -> None:
        """All but the weights. `UserError` where the tokenizer is one written in Python and as it
        is saved cuts one of `words` (with their sub-words) otherwise.
        """
        self.structure.save_pretrained(folder)
        files = self.tokenizer.save_pretrained(folder)
        without_places(folder)
        form: dict[str, Any] = {}
        if self.encoder_alone:
            form["part"] = "encoder"
        if self.width != getattr(self.network.config, "hidden_size", None):
            form["width"] = self.width
        if not self.vectors:
            form["vectors"] = False
        if not self.tokenizer.is_fast:
            form["tokenizer"] = sorted({Path(f).name for f in files if Path(f).is_file()})
            if (word := cut_otherwise(folder, words)) is not None:
                raise UserError(
                    f"text_encoder.model: its tokenizer is not one of the tokenizers library, and "
                    f"as it is saved in {folder} it cuts '{word}' otherwise; take another model."
                )
        if form:
            write_json(folder / FORM, form)


def load_pretrained(model: str) -> Pretrained:
    """Tokenizer and model with pretrained weights; `UserError` where that cannot be had."""
    source = str(resolve_package_path(model)) if model.startswith("pkg:") else model
    if _looks_local(model):
        source = str(at_home(model, SETTING))
        if not Path(source).is_dir():
            raise UserError(f"text_encoder.model: no folder '{model}'.")
    _quiet()
    try:
        return _load(source)
    except Unsuitable as error:
        raise UserError(
            f"text_encoder.model: '{model}' cannot be loaded as a text encoder: {error}; take "
            "another, or leave it out for the packaged encoder (--offline)."
        ) from error
    except LIBRARIES as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"text_encoder.model: '{model}' cannot be loaded ({reason}). Give a Hub id that can be "
            "reached or is in the local cache, a folder, or leave it out for the packaged encoder "
            "(--offline)."
        ) from error


def hub_models(model: str) -> tuple[str, ...]:
    """The id of the Hub that `model` is; none where it is a folder or in a package."""
    here = model.startswith("pkg:") or _looks_local(model) or at_home(model, SETTING).is_dir()
    return () if here else (model,)


def _looks_local(model: str) -> bool:
    return model.startswith((".", "/", "~")) or "\\" in model


def _load(source: str) -> Pretrained:
    structure = structure_of(source)
    tokenizer = tokenizer_of(source)
    if encoder_alone := has_decoder(structure):
        drop_decoder(structure)
    network, report = AutoModel.from_pretrained(
        source,
        config=structure,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        trust_remote_code=False,
    )
    unused = ("pooler.", "decoder.") if encoder_alone else ("pooler.",)
    lacking = [n for n in report["missing_keys"] if not n.startswith(unused)]
    if lacking and is_part(source, structure):
        raise Unsuitable("it is of several networks, and the text part cannot be taken out")
    _require_whole(tokenizer, lacking)
    structure = network.config
    network = _encoder(network, alone=encoder_alone)
    require_kept(tokenizer, structure)
    width = require_suitable(network, tokenizer, longest_input(network))
    vectors = takes_vectors(network, tokenizer)
    return Pretrained(tokenizer, network, structure, width, encoder_alone, vectors)


def _require_whole(tokenizer: Any, lacking: Iterable[str]) -> None:
    """Errors where transformers would make up what is not there."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise ValueError("no tokenizer there, or one without a vocabulary")
    if names := sorted(lacking):
        raise ValueError(f"{len(names)} weights are not in its file, such as '{names[0]}'")


def rebuild(assets: Path) -> Pretrained:
    """Tokenizer and model of a finished run; its weights are loaded by the engine."""
    _quiet()
    require_plain(assets)
    form = read_json(assets / FORM) if (assets / FORM).is_file() else {}
    require_form(assets, form)
    # An id of the Hub may look as a relative path does.
    source = str(assets.absolute())
    structure = structure_of(source, here=True)
    with NothingDrawn():
        network = AutoModel.from_config(structure, trust_remote_code=False)  # type: ignore[no-untyped-call]
    # Without these files the library makes up a tokenizer that knows no word, or other rules.
    for name in form.get("tokenizer", ["tokenizer.json", "tokenizer_config.json"]):
        if not (assets / name).is_file():
            raise FileNotFoundError(f"{assets / name} is missing")
    structure = network.config
    # Runs made before encoders were taken out have a whole model.
    alone = form.get("part") == "encoder"
    network = _encoder(network, alone=alone)
    width = form.get("width") or int(network.config.hidden_size)
    vectors = form.get("vectors", True)
    tokenizer = tokenizer_of(source, here=True)
    # Training has seen that ids have no gaps: their number tells, and a list takes its time.
    table = table_of(network)
    if table is not None and len(tokenizer) > len(table.weight):  # type: ignore[arg-type]
        require_embedded(network, tokenizer)
    return Pretrained(tokenizer, network, structure, width, alone, vectors)


class NoPooling(nn.Module):
    """In the place of a model's pooler, which is never used: its weights would never train."""

    def forward(self, states: Any, *others: Any, **options: Any) -> Any:
        """The states; some models call their pooler unasked, and go on with what it gives."""
        return states


def _encoder(network: Any, *, alone: bool) -> Any:
    """What encodes text, without the pooler."""
    if alone:
        network = network.get_encoder()
        if not isinstance(network, PreTrainedModel):
            raise Unsuitable("its encoder is no model of its own")
    if isinstance(getattr(network, "pooler", None), nn.Module):
        network.pooler = NoPooling()
    return network


def _quiet() -> None:
    """The library's own bars and advice would stand among the engine's lines."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    quiet_hub()
