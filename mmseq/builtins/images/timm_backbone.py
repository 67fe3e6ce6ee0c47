"""Building timm models: names, weights, and where to cut one before its last stage."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

from mmseq.builtins.images.timm_description import forbidden
from mmseq.errors import UserError, did_you_mean
from mmseq.packaged import LITE, quiet_hub, weights_file

Step = Callable[[Tensor], Tensor]
HUB_PREFIXES = ("hf-hub", "hf_hub")
CUTTABLE = "EfficientNet, MobileNetV3, ResNet, RegNet, ConvNeXt, Swin, VGG and ViT models"


def build(model: str, weights: str) -> nn.Module:
    """A timm model without classifier. Raises `UserError` for unknown names and lost weights."""
    if weights == "default":
        weights = f"pkg:{LITE[model]}" if model in LITE else "hub"
    _check_name(model)
    quiet_hub()
    try:
        net = _create(model, pretrained=weights == "hub")
    except Exception as error:  # requests, httpx, the Hub's own errors, timm's RuntimeError
        if weights != "hub" and ":" not in model:
            raise
        place = "its folder" if model.startswith("local-dir:") else "the Hub"
        raise UserError(
            f"Cannot get timm model '{model}' from {place} "
            f"({type(error).__name__}: {_first_line(error)}). Go online once, or name weights "
            f"at hand: weights = a file or folder, or a packaged model ({', '.join(LITE)}; "
            "--offline)."
        ) from error
    if weights not in ("hub", "random"):
        load(net, weights_file(weights), model)
    return net


def hub_models(model: str, weights: str) -> tuple[str, ...]:
    """The id of the Hub that a model and its weights come from; none where these are at hand."""
    source, _, place = model.partition(":")
    if source in HUB_PREFIXES:
        # Its own config.json is needed, whatever weights it gets.
        return (place,)
    if place or weights != "hub" and (weights != "default" or model in LITE):
        return ()
    known = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    return (known.hf_hub_id,) if known is not None and known.hf_hub_id else ()


def rebuild(description: dict[str, Any]) -> nn.Module:
    """The structure that `describe` described, with weights to be loaded; needs no network.

    `ValueError` for a description that names anything but an architecture of timm's and plain
    values of `mmseq.builtins.images.timm_description.ARGUMENTS`.
    """
    if not timm.is_model(description["architecture"]):
        raise ValueError(f"timm has no architecture '{description['architecture']}'")
    if fault := forbidden(description["arguments"]):
        raise ValueError(fault)
    size = {name: description[name] for name in ("input_size", "fixed_input_size")}
    return _create(
        description["architecture"],
        pretrained=False,
        # A ViT is built for its input's size, which may not be the one its architecture has.
        pretrained_cfg_overlay={**size, "input_size": tuple(size["input_size"])},
        **description["arguments"],
    )


def describe(net: nn.Module, model: str) -> dict[str, Any]:
    """What `rebuild` needs, as JSON; for a Hub or folder model also what its config.json says."""
    arguments: dict[str, Any] = {}
    source, _, place = model.partition(":")
    if source in HUB_PREFIXES:
        _, _, arguments = timm.models.load_model_config_from_hf(place)
    elif source == "local-dir":
        config = json.loads((Path(place) / "config.json").read_text(encoding="utf-8"))
        arguments = config.get("model_args")
    arguments = {k: v for k, v in (arguments or {}).items() if k != "num_classes"}
    if fault := forbidden(arguments):
        raise UserError(f"timm model '{model}': {fault}; take another model.")
    known: Any = net.pretrained_cfg
    return {
        "architecture": known["architecture"],
        "arguments": arguments,
        "input_size": list(known["input_size"]),
        "fixed_input_size": bool(known.get("fixed_input_size", False)),
    }


def load(net: nn.Module, file: Path, model: str) -> None:
    """Load a weights file; a classifier in it is left out, anything missing is a `UserError`."""
    try:
        state = load_state_dict(str(file), weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"Cannot read weights from {file}: {_first_line(error)}") from error
    own = net.state_dict()
    wrong = [
        name for name, tensor in own.items() if getattr(state.get(name), "shape", 0) != tensor.shape
    ]
    if wrong:
        raise UserError(
            f"{file} does not hold the weights of timm model '{model}': {len(wrong)} of {len(own)} "
            f"tensors are missing or of another shape (first: {wrong[0]})."
        )
    net.load_state_dict({name: state[name] for name in own})


def last_reduction(net: nn.Module) -> int:
    """Of a model whose stages are `blocks`: the number of the last one that halves the map."""
    found = [
        number
        for number, stage in enumerate(getattr(net, "blocks", ()))
        if any(max(m.stride) > 1 for m in stage.modules() if isinstance(m, nn.Conv2d))
    ]
    return found[-1] if found else -1


def cut(net: nn.Module, block: int = -1) -> tuple[list[Step], list[Step]] | None:
    """The model's `forward_features` as steps before and from its last stage on; None: unknown.

    The last stage begins with the last reduction of the map's size: what is kept of a picture is
    the map before it, and what is trained is all that is computed on the smallest maps. Its own
    step is the first of the second list (of a ViT, its last sixth of blocks). `block`: where it
    begins in models whose `blocks` are stages of several sizes and kinds (EfficientNet,
    MobileNetV3).
    """
    parts: Any = net

    def has(*names: str) -> bool:
        return all(hasattr(net, name) for name in names)

    final = ("final_conv", "final_act")
    if has("conv_stem", "bn1", "blocks"):
        rest = [parts.conv_head, parts.bn2] if has("conv_head", "bn2") else []
        last = nn.Sequential(*parts.blocks[block:])
        return [parts.conv_stem, parts.bn1, *parts.blocks[:block]], [last, *rest]
    if has("conv1", "bn1", "act1", "maxpool", "layer4"):
        names = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3")
        return [getattr(net, name) for name in names], [parts.layer4]
    if has("stem", "stages"):
        rest = [getattr(net, n) for n in ("norm_pre", "norm", *final) if has(n)]
        return [parts.stem, *parts.stages[:-1]], [parts.stages[-1], *rest]
    if has("stem", "s1", "s2", "s3", "s4", *final[:1]):
        rest = [getattr(net, n) for n in final if has(n)]
        return [parts.stem, parts.s1, parts.s2, parts.s3], [parts.s4, *rest]
    if has("patch_embed", "layers", "norm"):
        return [parts.patch_embed, *parts.layers[:-1]], [parts.layers[-1], parts.norm]
    if has("patch_embed", "_pos_embed", "patch_drop", "norm_pre", "blocks", "norm"):
        first = [parts.patch_embed, parts._pos_embed, parts.patch_drop, parts.norm_pre]
        number = max(1, len(parts.blocks) // 6)
        last = nn.Sequential(*parts.blocks[-number:])
        return [*first, *parts.blocks[:-number]], [last, parts.norm]
    if isinstance(getattr(net, "features", None), nn.Sequential):
        pools = [i for i, part in enumerate(parts.features) if isinstance(part, nn.MaxPool2d)]
        if len(pools) > 1:
            at = pools[-2] + 1
            return list(parts.features[:at]), [parts.features[at:]]
    return None


def run(steps: Sequence[Step], value: Tensor) -> Tensor:
    """One step after the other."""
    for step in steps:
        value = step(value)
    return value


def _check_name(model: str) -> None:
    if ":" in model:
        return
    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        hint = did_you_mean(model, timm.list_models())
        raise UserError(
            f"Unknown timm model '{model}'.{hint} See timm.list_models(); a model of the Hub is "
            "'hf-hub:organisation/name'."
        )
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        known = ", ".join(tags) or "none"
        raise UserError(f"timm model '{architecture}' has no weights '{tag}'. Available: {known}.")


def _create(model: str, *, pretrained: bool, **arguments: Any) -> nn.Module:
    net: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=0, **arguments)
    return net


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def used_names(net: nn.Module, output: Tensor) -> set[str]:
    """Names of the parameters that an output, computed with gradient, depends on."""
    named = [(name, weight) for name, weight in net.named_parameters() if weight.requires_grad]
    grads = torch.autograd.grad(output.sum(), [weight for _, weight in named], allow_unused=True)
    return {name for (name, _), grad in zip(named, grads, strict=True) if grad is not None}


def level_indices(net: Any) -> list[int]:
    """Which of its maps are the pyramid, finest first; `UserError` where it gives none."""
    info = list(getattr(net, "feature_info", ()))
    if not info or not hasattr(net, "forward_intermediates"):
        raise UserError("This timm model gives no pyramid: take levels = false or another model.")
    reductions = [entry["reduction"] for entry in info]
    if len(set(reductions)) == 1:  # a ViT: every block's map is of one size
        number = min(4, len(info))
        return [len(info) * (i + 1) // number - 1 for i in range(number)]
    return [i for i, reduction in enumerate(reductions) if reduction >= 4]
