"""The authors' published weights in this project's modules."""

from __future__ import annotations

from torch import nn

from mmseq_umt.parity.file import ParityFile, misfit, require_none

MODULES = {
    "text_encoder.model": "bert",
    "fusion.text.layers": "self_attention_v2.layer",
    "fusion.image_queries": "vismap2text_v2",
    "fusion.image_keys": "vismap2text",
    "fusion.image_to_text.layers": "img2txt_attention.layer",
    "fusion.text_to_text.layers": "txt2txt_attention.layer",
    "fusion.text_to_image.layers": "txt2img_attention.layer",
    "fusion.gate": "gate",
    "head": "classifier",
    "boundary.text.layers": "self_attention.layer",
    "boundary.emissions": "aux_classifier",
    "boundary.crf.chain.crf": "aux_crf",
    "decoder.chain.crf": "crf",
}
"""Module -> the authors' name"""

INSIDE_A_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "norm": "output.LayerNorm",
}
"""Part of a `TransformerLayer` -> the authors' name, which is BERT's"""


def authors_name(name: str) -> str:
    """The authors' name of a weight: ``fusion.text.layers.0.norm.bias`` is
    ``self_attention_v2.layer.0.output.LayerNorm.bias``.
    """
    module = next(module for module in MODULES if name.startswith(f"{module}."))
    rest = name.removeprefix(f"{module}.")
    if module.endswith(".layers"):
        layer, part, kind = rest.split(".")
        rest = f"{layer}.{INSIDE_A_LAYER[part]}.{kind}"
    return f"{MODULES[module]}.{rest}"


def load_authors_weights(model: nn.Module, file: ParityFile) -> None:
    """Every weight of the file into `model`, whose modules are named as in `MODULES`.

    `UserError` where one is missing, of another shape, or has no place. BERT's sentence pooler has
    none and is left out: nothing reads it, there or here.
    """
    own, given = model.state_dict(), file.weights
    theirs = {name: authors_name(name) for name in own}
    missing = [f"weights.{name}" for name in theirs.values() if name not in given]
    require_none(file.path, "missing tensors", missing)
    misshapen = [
        misfit(f"weights.{theirs[name]}", given[theirs[name]].shape, tensor.shape)
        for name, tensor in own.items()
        if given[theirs[name]].shape != tensor.shape
    ]
    require_none(file.path, "tensors of another shape", misshapen)
    left = set(given) - set(theirs.values())
    without_place = sorted(f"weights.{n}" for n in left if not n.startswith("bert.pooler."))
    require_none(file.path, "tensors without a meaning here", without_place)
    model.load_state_dict({name: given[theirs[name]] for name in own})
