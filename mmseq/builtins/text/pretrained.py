"""Tokenizer and network of a Hugging Face transformer: pretrained, or of a finished run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PretrainedConfig
from transformers.utils import logging as transformers_logging

from mmseq.builtins.text.first_weights import NothingDrawn
from mmseq.errors import UserError
from mmseq.packaged import resolve_package_path


def load_pretrained(model: str) -> tuple[Any, Any]:
    """Tokenizer and model with pretrained weights."""
    source = str(resolve_package_path(model)) if model.startswith("pkg:") else model
    looks_local = model.startswith((".", "/", "~")) or "\\" in model
    if looks_local:
        source = str(Path(model).expanduser())
        if not Path(source).is_dir():
            raise UserError(f"text_encoder.model: no folder '{model}'.")
    _quiet()
    try:
        _structure(source)
        tokenizer = _tokenizer(source)
        network, report = AutoModel.from_pretrained(
            source,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            trust_remote_code=False,
        )
        _require_whole(tokenizer, report["missing_keys"])
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"text_encoder.model: '{model}' cannot be loaded ({reason}). Give a Hub id that can be "
            "reached or is in the local cache, a folder, or leave it out for the packaged encoder "
            "(--offline)."
        ) from error
    return tokenizer, _without_pooler(network)


def _require_whole(tokenizer: Any, missing: Iterable[str]) -> None:
    """Errors where transformers would make up what is not there, or could not keep it."""
    if not tokenizer.is_fast:
        # BERTweet's, say: no word boundaries, and once saved it no longer splits words the same.
        raise ValueError("its tokenizer is not one of the tokenizers library")
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise ValueError("no tokenizer there, or one without a vocabulary")
    lacking = sorted(name for name in missing if not name.startswith("pooler."))
    if lacking:
        raise ValueError(f"{len(lacking)} weights are not in its file, such as '{lacking[0]}'")


def rebuild(assets: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a finished run; its weights are loaded by the engine."""
    _quiet()
    structure = _structure(str(assets))
    with NothingDrawn():
        network = AutoModel.from_config(structure, trust_remote_code=False)  # type: ignore[no-untyped-call]
    # Without these files the library makes up a tokenizer that knows no word, or other rules.
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (assets / name).is_file():
            raise FileNotFoundError(f"{assets / name} is missing")
    return _tokenizer(str(assets)), _without_pooler(network)


def _structure(source: str) -> Any:
    """What config.json says. `ValueError` where it names more than a transformer of the library:
    models of timm take arguments that name files, and attention kernels are code of the Hub.
    """
    # As it is written: some configs ask the Hub for their parts as soon as they are made.
    facts, _ = PretrainedConfig.get_config_dict(source)
    kind = str(facts.get("model_type"))
    if kind.startswith("timm_") or facts.get("backbone"):
        raise ValueError(f"'{kind}' is not a text encoder")
    for name, value in facts.items():
        if isinstance(value, dict) and "model_type" in value:
            raise ValueError(f"'{kind}' has another network in it ('{name}')")
        if name.endswith("attn_implementation") and "/" in str(value):
            raise ValueError(f"its attention '{value}' is code of the Hub")
    return AutoConfig.from_pretrained(source, trust_remote_code=False)


def lower_cases(tokenizer: Any) -> bool:
    """Capitals are lost in its sub-words."""
    words = [
        tokenizer([word], is_split_into_words=True)["input_ids"] for word in ("Paris", "paris")
    ]
    return bool(words[0] == words[1])


def _quiet() -> None:
    """The library's own bars and advice would stand among the engine's lines."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _tokenizer(source: str) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    if getattr(tokenizer, "add_prefix_space", True) is False:
        # Byte-level tokenizers refuse split words unless each begins with a space.
        tokenizer = AutoTokenizer.from_pretrained(
            source, use_fast=True, add_prefix_space=True, trust_remote_code=False
        )
    return tokenizer


def _without_pooler(network: nn.Module) -> nn.Module:
    """The sentence pooler is never used: without it every weight of the encoder trains."""
    if getattr(network, "pooler", None) is not None:
        network.pooler = None  # type: ignore[assignment]
    return network


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a sentence."""
    marked = tokenizer(["a"], is_split_into_words=True)["input_ids"]
    bare = tokenizer(["a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    start = next(i for i in range(len(marked)) if marked[i : i + len(bare)] == bare)
    return marked[:start], marked[start + len(bare) :]
