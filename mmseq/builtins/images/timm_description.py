"""timm.json of a run: an architecture of timm's and its sizes, held to known keys and types."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mmseq.errors import UserError
from mmseq.shapes import LATER, Closed, Text, fault, shown

_NAMES = """
img_size patch_size in_chans embed_dim depth depths dims num_heads head_dim heads mlp_ratio
mlp_ratios expand_ratio window_size window_ratio qkv_bias qk_norm qkv_fused proj_bias
init_values class_token no_embed_class reg_tokens global_pool pos_embed no_pos_class
use_abs_pos_emb use_rel_pos_bias use_shared_rel_pos_bias use_rot_pos_emb rope_type
dynamic_img_size dynamic_img_pad strict_img_size pre_norm fc_norm final_norm use_fc_norm
pool_include_prefix norm_layer norm_eps act_layer embed_norm_layer head_norm_first
head_hidden_size conv_mlp conv_bias use_grn ls_init_value swiglu_mlp scale_mlp drop_rate
drop_path_rate proj_drop_rate attn_drop_rate pos_drop_rate patch_drop_rate output_stride
stem_type stem_width stem_size stem_kernel_size stem_stride base_width cardinality width_factor
depth_factor channel_multiplier channels layers block_reduce_first down_kernel_size avg_down
replace_stem_pool round_chs_fn pad_type se_from_exp num_features feature_size
"""
ARGUMENTS = frozenset(_NAMES.split())
"""Arguments of an architecture that a run may hold: sizes, switches and names of layers. Whatever
else timm takes (`checkpoint_path`, `pretrained`, `cache_dir` …) names files, and may run code.
"""
LARGEST = 2**16
"""No size of any model is larger"""
MOST = 1000
"""Layers of a stage"""
WIDEST = 1024
"""Side of an input, in pixels"""
LONGEST = 100
"""Characters of a name"""

_Side = Annotated[int, Field(ge=1, le=WIDEST)]
_Size = Annotated[list[_Side], Field(min_length=3, max_length=3)]
_Colour = Annotated[
    list[Annotated[float, Field(ge=-1e3, le=1e3)]], Field(min_length=3, max_length=3)
]


class _Transform(Closed):
    """How a picture becomes an input."""

    input_size: _Size
    interpolation: Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos", "random"]
    mean: _Colour
    std: Annotated[list[Annotated[float, Field(gt=0, le=1e3)]], Field(min_length=3, max_length=3)]
    crop_pct: Annotated[float, Field(ge=0.05, le=2)] = LATER
    crop_mode: Literal["squash", "center", "border"] = LATER


class Description(Closed):
    """timm.json."""

    architecture: Text
    arguments: dict[Text, Any]
    input_size: _Size
    fixed_input_size: bool
    data: _Transform
    cut_before: Annotated[int, Field(ge=-1, le=MOST)] = LATER


def read_description(folder: Path) -> dict[str, Any]:
    """The JSON that `save_assets` wrote. `ValueError` for anything else."""
    found: dict[str, Any] = json.loads((folder / "timm.json").read_text(encoding="utf-8"))
    if wrong := fault(Description, found):
        raise ValueError(f"timm.json: {wrong}")
    return found


def require_readable(description: dict[str, Any], model: str) -> None:
    """`UserError` for a model whose run could not be read again: it is told before the training."""
    if wrong := fault(Description, description):
        raise UserError(f"timm model '{model}': no run can hold its {wrong}; take another model.")


def forbidden(arguments: dict[str, Any]) -> str:
    """What is wrong with arguments that a run is to hold; empty: nothing."""
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            return f"its argument {shown(name)} is not one that a run may hold"
        values = value if isinstance(value, list) else [value]
        if len(values) > LONGEST or not all(map(_plain, values)):
            return f"its argument '{name}' is neither a number, a name nor a list of them"
        most = MOST if name in ("depth", "depths", "layers") else LARGEST
        if any(not isinstance(v, str) and abs(v or 0) > most for v in values):
            return f"its argument '{name}' is above {most}"
    return ""


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST and value.isprintable()
    return value is None or (isinstance(value, bool | int | float) and math.isfinite(value))
