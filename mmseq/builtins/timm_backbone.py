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

from mmseq.errors import UserError, closest
from mmseq.weights import LITE0, LITE0_MODEL, weights_file

Step = Callable[[Tensor], Tensor]
CUTTABLE = "EfficientNet, MobileNetV3, ResNet, RegNet, ConvNeXt, Swin, VGG and ViT models"


def build(model: str, weights: str) -> nn.Module:
    """A timm model without classifier. Raises `UserError` for unknown names and lost weights."""
    if weights == "default":
        weights = f"pkg:{LITE0}" if model == LITE0_MODEL else "hub"
    _check_name(model)
    if weights == "hub":
        return _from_hub(model)
    net = _create(model, pretrained=False)
    if weights != "random":
        load(net, weights_file(weights), model)
    return net


def rebuild(description: dict[str, Any]) -> nn.Module:
    """The structure that `describe` described, with weights to be loaded; needs no network."""
    return _create(description["architecture"], pretrained=False, **description["arguments"])


def describe(net: nn.Module, model: str) -> dict[str, Any]:
    """What `rebuild` needs, as JSON; for a Hub or folder model also what its config.json says."""
    arguments: dict[str, Any] = {}
    if ":" in model:
        _, _, arguments = timm.models._factory._resolve_model_source(model, None, {})
        arguments = {k: v for k, v in arguments.items() if k != "pretrained_model_args"}
    config: Any = net.pretrained_cfg
    return {"architecture": config["architecture"], "arguments": arguments}


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


def cut(net: nn.Module) -> tuple[list[Step], list[Step]] | None:
    """The model's `forward_features` as steps before and from its last stage on; None: unknown.

    The last stage's own step is the first of the second list (of a ViT, its last sixth of blocks).
    """
    parts: Any = net

    def has(*names: str) -> bool:
        return all(hasattr(net, name) for name in names)

    if has("conv_stem", "bn1", "blocks"):
        rest = [parts.conv_head, parts.bn2] if has("conv_head", "bn2") else []
        return [parts.conv_stem, parts.bn1, *parts.blocks[:-1]], [parts.blocks[-1], *rest]
    if has("conv1", "bn1", "act1", "maxpool", "layer4"):
        names = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3")
        return [getattr(net, name) for name in names], [parts.layer4]
    if has("stem", "stages"):
        rest = [getattr(net, n) for n in ("norm_pre", "norm", "final_conv") if has(n)]
        return [parts.stem, *parts.stages[:-1]], [parts.stages[-1], *rest]
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
        guess = closest(model, timm.list_models())
        hint = f" Did you mean '{guess}'?" if guess else ""
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


def _from_hub(model: str) -> nn.Module:
    try:
        return _create(model, pretrained=True)
    except Exception as error:  # requests, httpx, the Hub's own errors, timm's RuntimeError
        raise UserError(
            f"Cannot get the weights of timm model '{model}' from the Hub "
            f"({type(error).__name__}: {_first_line(error)}). Go online once, or name weights "
            f"at hand: weights = a file or folder, or the packaged model '{LITE0_MODEL}'."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_description(folder: Path) -> dict[str, Any]:
    """The JSON that `save_assets` wrote."""
    found: dict[str, Any] = json.loads((folder / "timm.json").read_text(encoding="utf-8"))
    return found


def used_names(net: nn.Module, output: Tensor) -> set[str]:
    """Names of the parameters that an output, computed with gradient, depends on."""
    named = [(name, weight) for name, weight in net.named_parameters() if weight.requires_grad]
    grads = torch.autograd.grad(output.sum(), [weight for _, weight in named], allow_unused=True)
    return {name for (name, _), grad in zip(named, grads, strict=True) if grad is not None}
