"""What the config of a Hugging Face model says, and which part of the model encodes text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig, PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from mmseq.builtins.text.suitable import Unsuitable

DECODER_DEPTHS = ("decoder_layers", "num_decoder_layers")
"""What configs call the number of a decoder's layers"""
LIMITS = ("max_position_embeddings", "max_encoder_position_embeddings", "max_seq_len")
"""What configs call the longest input"""


def structure_of(source: str, *, here: bool = False) -> Any:
    """The config in a folder or at a Hub id; of a model with a text part (``text_config``, as
    CLIP's) that part's. `here`: of a folder, and no network is asked.

    `Unsuitable` where it names more than a transformer of the library: models of timm take
    arguments that name files, and attention kernels are code of the Hub.
    """
    # As it is written: some configs ask the Hub for their parts as soon as they are made.
    facts, _ = PretrainedConfig.get_config_dict(source, local_files_only=here)
    _require_plain(facts)
    kind = str(facts.get("model_type"))
    nested = {n: v for n, v in facts.items() if isinstance(v, dict) and "model_type" in v}
    # Of its own kind are settings in a table of their own, as MPT's of attention.
    nested = {n: v for n, v in nested.items() if v["model_type"] not in ("", kind)}
    text = nested.get("text_config")
    if text and text["model_type"] in MODEL_MAPPING_NAMES:
        _require_plain(text)
        inner = [n for n, v in text.items() if isinstance(v, dict) and "model_type" in v]
        if not inner:
            own = {name: value for name, value in text.items() if name != "model_type"}
            return _without_cache(AutoConfig.for_model(text["model_type"], **own))
    if set(nested) == {"encoder", "decoder"} and facts.get("is_encoder_decoder"):
        for part in nested.values():
            _require_plain(part)
        inner = [(n, v) for part in nested.values() for n, v in part.items()]
        nested = {n: v for n, v in inner if isinstance(v, dict) and "model_type" in v}
    for name in nested:
        raise Unsuitable(f"'{kind}' has another network in it ('{name}')")
    structure = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=here)
    if getattr(structure, "attention_type", None) == "block_sparse":
        # BigBird turns to this for good at its first short sentence: what it gave hung on order.
        structure.attention_type = "original_full"
    return _without_cache(structure)


def _without_cache(structure: Any) -> Any:
    """Models that generate text keep every layer's keys and values for the next word."""
    if hasattr(structure, "use_cache"):
        structure.use_cache = False
    return structure


def _require_plain(facts: Mapping[str, Any]) -> None:
    kind = str(facts.get("model_type"))
    if kind.startswith("timm_") or facts.get("backbone"):
        raise Unsuitable(f"'{kind}' is not a text encoder")
    for name, value in facts.items():
        if name.endswith("attn_implementation") and "/" in str(value):
            raise Unsuitable(f"its attention '{value}' is code of the Hub")


def is_part(source: str, structure: Any) -> bool:
    """`structure` is of a part of the model in `source`."""
    facts, _ = PretrainedConfig.get_config_dict(source)
    return bool(facts.get("model_type", structure.model_type) != structure.model_type)


def has_decoder(structure: Any) -> bool:
    """It is of a model with an encoder and a decoder, even where only the encoder was saved."""
    return any(getattr(it, "is_encoder_decoder", False) for it in (structure, type(structure)))


def drop_decoder(structure: Any) -> None:
    """Let a model of this config be made without layers of a decoder, which is not used."""
    for name in DECODER_DEPTHS:
        if hasattr(structure, name):
            setattr(structure, name, 0)


def depth_of(network: Any) -> int:
    """Number of layers; 0 where the config does not say."""
    for name in ("num_hidden_layers", "num_encoder_layers"):
        found = getattr(network.config, name, None)
        if isinstance(found, int):
            return found
    return 0


def longest_input(network: Any) -> int | None:
    """Most sub-words of an input, special tokens included; None: as many as one likes."""
    found = [getattr(network.config, name, None) for name in LIMITS]
    # XLNet's is -1.
    limit = next((number for number in found if isinstance(number, int) and number > 0), None)
    if limit is None:
        return None
    for name, module in network.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            # RoBERTa and its kin count positions from the padding id + 1.
            return limit - int(padding) - 1
    return limit
