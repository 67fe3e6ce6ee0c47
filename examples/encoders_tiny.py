"""Tiny configs of any architecture of transformers, for `encoders.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

Table = Sequence[tuple[str, int | str]]

WIDTH, HEADS, LAYERS, POSITIONS = 32, 4, 2, 66
KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "n_kv_heads")
"""As many as there are heads, or half as many, as in the architecture's own sizes"""

SIZES = (
    (r"(src_|tgt_|decoder_)?vocab_size", "vocabulary"),
    (r"(hidden_size|d_model|n_embd|emb_dim|dim|word_embed_proj_dim|true_hidden_size)", WIDTH),
    (r"(embedding_size|input_embedding_size|output_embedding_size|intra_bottleneck_size)", 16),
    (r"(num_(hidden_|encoder_|decoder_)?layers|n_layers?|(en|de)coder_layers)", LAYERS),
    (r"(num_attention_heads|n_heads?|num_heads|(en|de)coder_attention_heads)", HEADS),
    (r"num_(en|de)coder_attention_heads", HEADS),
    (r"(num_key_value_heads|num_kv_heads|n_kv_heads)", HEADS),
    (r"(head_dim|d_kv|d_head|attention_head_size|kv_channels)", WIDTH // HEADS),
    (r"(max_position_embeddings|n_positions|max_encoder_position_embeddings)", POSITIONS),
    (r"(\w*intermediate_size\w*|\w*ffn_dim|d_ff|d_inner|n_inner|hidden_dim|dff)", 64),
    (r"(\w*ffn_hidden_size|feed_forward_size|dim_ff|ffn_dim|\w*shared_expert\w*_size)", 64),
)
"""Names of sizes, whole, and what they become"""

MORE = (
    (r"(n_routed_experts|num_experts|num_local_experts|moe_num_experts)", 4),
    (r"(num_experts_per_tok|moe_k|top_k_experts|moe_topk)", 2),
    (r"(n_group|topk_group|first_k_dense_replace)", 1),
    (r"(kv_lora_rank|q_lora_rank|o_lora_rank)", 16),
    (r"(v_head_dim|qk_nope_head_dim|qk_rope_head_dim|index_head_dim|dim_head)", 8),
    (r"(swa_head_dim|linear_(key|value)_head_dim|linear_head_dim)", 8),
    (r"(linear_num_(key|value)_heads|linear_num_heads|index_n_heads)", 4),
    (r"(swa_num_attention_heads|swa_num_key_value_heads)", HEADS),
    (r"(sliding_window|sliding_window_size|attention_window_size|attention_chunk_size)", 16),
    (r"(mamba_d_state|state_size|ssm_state_size)", 16),
    (r"(mamba_n_heads|mamba_num_heads)", 8),
    (r"(mamba_d_head|mamba_head_dim|mamba_headdim)", 8),
    (r"(rotary_dim|time_step_rank|mamba_dt_rank)", 8),
    (r"(mamba_d_ssm)", 64),
    (r"(mamba_chunk_size|chunk_size)", 16),
    (r"(lru_width|attention_hidden_size)", WIDTH),
    (r"(hidden_size_per_layer_input|ple_embed_dim)", 8),
    (r"(vocab_size_per_layer_input|additional_vocab_size|entity_vocab_size)", "vocabulary"),
    (r"(max_seq_len|context_length)", POSITIONS),
    (r"(pronunciation|shape)_vocab_size", "vocabulary"),
)
"""Sizes that fewer have: left as they are where an architecture cannot be built with these"""

OWN: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "funnel": {
        "architectures": ["FunnelModel"],
        "block_sizes": [1, 1],
        "num_hidden_layers": None,
        "num_blocks": None,
    },
    "esm": {"vocab_size": 156, "mask_token_id": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "layoutlmv3": {"coordinate_size": 6, "shape_size": 4},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "led": {"attention_window": 8, "max_encoder_position_embeddings": 64},
    "lilt": {"hidden_size": 48},
    "mobilebert": {"intra_bottleneck_size": 32},
    "perceiver": {"num_latents": 8, "d_latents": WIDTH, "num_self_attends_per_block": 2},
    "squeezebert": {"embedding_size": WIDTH},
    "reformer": {
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [WIDTH // 2, WIDTH // 2],
        "max_position_embeddings": 64,
        "attn_layers": ["local", "lsh"],
    },
}
"""What some need beside sizes; None: what must not be given"""


def tiny_configs(name: str, vocabulary: int) -> Iterator[Callable[[], Any]]:
    """What makes a config, to try in turn: each is nearer to the architecture's own sizes."""
    from transformers import AutoConfig

    def make(table: Table) -> Any:
        own = AutoConfig.for_model(name)
        given = {**_changes(own, table, vocabulary), **OWN.get(name, {})}
        return AutoConfig.for_model(name, **{k: v for k, v in given.items() if v is not None})

    yield from (partial(make, table) for table in ((*SIZES, *MORE), SIZES))


def _changes(own: Any, table: Table, vocabulary: int) -> dict[str, Any]:
    """What to make a config with, its nested ones too."""
    changes: dict[str, Any] = {}
    for key, value in vars(own).items():
        if hasattr(value, "model_type"):
            nested = _changes(value, table, vocabulary)
            changes[key] = {"model_type": value.model_type, **nested}
        elif key in ("initializer_range", "init_std"):
            # As drawn by default words hardly move each other, and no leak would be seen.
            changes[key] = 0.2
        elif value is None and key in ("head_dim", *KEY_HEADS):
            changes[key] = WIDTH // HEADS if key == "head_dim" else HEADS
        elif key == "rope_parameters" and value and "mrope_section" in value:
            changes[key] = {**value, "mrope_section": [1, 1, 2]}
        elif key.endswith(("_token_id", "_token_index")) and isinstance(value, int):
            changes[key] = 0 if key == "pad_token_id" else min(value, 4)
        elif isinstance(value, int) and not isinstance(value, bool):
            size = next((to for form, to in table if re.fullmatch(form, key)), None)
            if size is not None:
                changes[key] = vocabulary if size == "vocabulary" else size
            if key in KEY_HEADS and value != getattr(own, "num_attention_heads", None):
                changes[key] = HEADS // 2
    if hasattr(own, "pad_token_id"):
        changes["pad_token_id"] = 0
    return changes
