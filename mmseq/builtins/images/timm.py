"""The image encoder `timm`: any model of the timm library, frozen or trained."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from torch.nn.modules.batchnorm import _BatchNorm

from mmseq.builtins.images.timm_backbone import (
    CUTTABLE,
    build,
    cut,
    describe,
    hub_models,
    last_reduction,
    level_indices,
    rebuild,
    run,
    used_names,
)
from mmseq.builtins.images.timm_description import read_description, require_readable
from mmseq.builtins.images.timm_transform import build_transform, describe_transform, seen
from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError
from mmseq.packaged import LITE
from mmseq.registry.options import taken_by
from mmseq.registry.ranges import Natural, NonNegative

DEFAULT_MODEL = "tf_efficientnet_lite0"


class TimmEncoder(ImageEncoder):
    """A timm model (CNN or ViT): its last feature map's cells, or its patches, are the regions.

    `model`: a name of timm's, or ``hf-hub:organisation/name`` for one of the Hub.
    `weights`: ``default`` is the packaged file for tf_efficientnet_lite0, 1 and 2 and the Hub for
    any other model; ``hub``; ``random``; ``pkg:package/path``; a file or a folder. `train`:
    ``frozen`` keeps the map, ``last-stage`` keeps the map before its size is last halved and trains
    what follows, ``all`` keeps nothing. Batch-norm statistics are never changed.
    `learning_rate`: of what trains. `picture_epochs`: so many epochs over the distinct pictures, in
    which what trains first learns by itself which types their sentences have; 0: none.

    `fit`: ``crop`` takes the centre as the model was trained; ``page`` squeezes the whole picture
    in. `levels`: also pyramid maps, finest first, from 1/4 of the side down
    (of a ViT four of its blocks' maps).

    `normalize`: regions and vector are layer-normalised over E without learned weights, so that
    attention and gates start balanced between them and word states, whatever the model's scale.
    """

    offline = MappingProxyType({"model": tuple(LITE), "weights": "default"})
    earlier = MappingProxyType({"picture_epochs": 0})

    @classmethod
    def hub_models(cls, options: Mapping[str, Any]) -> Sequence[str]:
        # To a class with options of that name they may mean something else.
        own = {taken_by(cls, name) for name in ("model", "weights")} == {TimmEncoder}
        return hub_models(options["model"], options["weights"]) if own else ()

    def __init__(
        self,
        sizes: Sizes,
        *,
        model: str = DEFAULT_MODEL,
        weights: str = "default",
        train: Literal["frozen", "last-stage", "all"] = "last-stage",
        learning_rate: NonNegative = 3e-4,
        picture_epochs: Natural = 8,
        fit: Literal["crop", "page"] = "page",
        levels: bool = False,
        normalize: bool = True,
        assets: Path | None = None,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.picture_epochs = picture_epochs
        self.whole_page = fit == "page"
        self.normalize = normalize
        self.trained = train
        description = read_description(assets) if assets else None
        net: Any = rebuild(description) if description else build(model, weights)
        self.description = description or {
            **describe(net, model),
            "data": describe_transform(net, whole_page=self.whole_page),
        }
        if not description and train == "last-stage":
            # Runs from before this was told were cut before their last block.
            self.description["cut_before"] = last_reduction(net)
        require_readable(self.description, model)
        self.model = net
        self._transform = build_transform(self.description["data"])
        self._level_indices = level_indices(net) if levels else []
        self._probe()
        self._choose_trained()
        self.eval()

    @property
    def fingerprint(self) -> str | None:
        if self.trained == "all":
            return None
        facts = {
            "format": 1,
            **self.description,
            "cut": self.trained,
            "levels": self._level_indices,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        trained = {name for name, weight in self.named_parameters() if weight.requires_grad}
        for name, tensor in sorted(self.state_dict().items()):
            if name not in trained:
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                flat = tensor.detach().cpu().contiguous().reshape(-1)
                digest.update(flat.view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def transform(self, image: Image.Image) -> Tensor:
        return self._transform(image)

    def frame(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        return seen(self.description["data"], size)

    @torch.no_grad()
    def precompute(self, pixels: Tensor) -> dict[str, Tensor]:
        """`pixels`, the `map` and `level…`, or the map at the `cut` with the levels before it."""
        if self.trained == "all":
            return {"pixels": pixels}
        if self.trained == "last-stage":
            found = {"cut": run(self._steps()[0], pixels)}
            levels = self._run_lower_levels(pixels)
        else:
            last, levels = self._run_levels(pixels, self._level_indices)
            found = {"map": last}
        return found | {f"level{i}": level for i, level in enumerate(levels)}

    def forward(self, precomputed: Mapping[str, Tensor]) -> Pictures:
        levels = [precomputed[name] for name in sorted(precomputed) if name.startswith("level")]
        if "pixels" in precomputed:
            last, levels = self._run_levels(precomputed["pixels"], self._level_indices)
        elif "cut" in precomputed:
            stage, *rest = self._steps()[1]
            value = stage(precomputed["cut"])
            last = run(rest, value)
            if self._level_indices:
                levels.append(self._to_map(last if self._last_level_is_final else value))
        else:
            last = precomputed["map"]
        regions = self._to_map(last).flatten(2).transpose(1, 2)
        vector = self._head(last) if self._has_head else regions.mean(dim=1)
        if self.normalize:
            regions = layer_norm(regions, (self.width,))
            vector = layer_norm(vector, (self.width,))
        return Pictures(regions, vector, self.grid.to(regions.device), tuple(levels))

    def train(self, mode: bool = True) -> TimmEncoder:
        """Only trained parts enter training mode, and of them no batch norm."""
        super().train(mode)
        if self.trained == "frozen":
            self.model.eval()
        elif self.trained == "last-stage":
            self.model.eval()
            for module in self._trained_modules():
                module.train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def save_assets(self, folder: Path) -> None:
        text = json.dumps(self.description, indent=1, sort_keys=True) + "\n"
        (folder / "timm.json").write_text(text, encoding="utf-8")

    def _probe(self) -> None:
        """Run the model on one input to learn its shapes and which of its parts are used."""
        self.model.eval()
        size = self.description["data"]["input_size"]
        # Waves, since zeros would not show an activation that a wrong cut leaves out.
        waves = torch.arange(math.prod(size), dtype=torch.float32).sin().reshape(1, *size)
        with torch.enable_grad():
            last, levels = self._run_levels(waves, self._level_indices)
            try:
                cells = self._to_map(last)
            except (ValueError, RuntimeError, AttributeError) as error:
                raise UserError(
                    f"timm model '{self.description['architecture']}' gives no map of regions "
                    f"({tuple(last.shape)}): take a CNN, a ViT or a Swin model."
                ) from error
            self.width = cells.shape[1]
            self.levels = tuple(level.shape[1] for level in levels)
            self._has_head = self._head_shape(last) == (1, self.width)
            output = self._head(last) if self._has_head else cells
            self._used = used_names(self.model, output.sum() + cells.sum())
        self.grid = _grid(*cells.shape[2:])
        if self.trained == "last-stage":
            self._check_cut(waves, last, levels)
        for name, child in self.model.named_children():
            names = [f"{name}.{inner}" for inner, _ in child.named_parameters()]
            # VGG's head is seven times its convolutions: what is never run is not kept.
            if names and not self._used.intersection(names):
                setattr(self.model, name, nn.Identity())

    def _check_cut(self, waves: Tensor, last: Tensor, levels: list[Tensor]) -> None:
        """See that the cut gives what the whole model gives, and what its last level is."""
        with torch.no_grad():
            try:
                bottom, (stage, *rest) = self._steps()
                value = stage(run(bottom, waves))
                works = torch.equal(run(rest, value), last)
                if works and levels:
                    self._last_level_is_final = not torch.equal(self._to_map(value), levels[-1])
                    final = self._to_map(last)
                    works = not self._last_level_is_final or torch.equal(final, levels[-1])
            except (TypeError, ValueError, RuntimeError, AttributeError):
                works = False
        if not works:
            also = " with levels" if levels else ""
            raise UserError(
                f"timm model '{self.description['architecture']}' cannot be trained in its last "
                f"stage{also}: that works for {CUTTABLE}. Take train = 'frozen' or 'all'."
            )

    def _choose_trained(self) -> None:
        wanted = self._used if self.trained == "all" else set()
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(name in wanted)
        if self.trained == "last-stage":
            for module in self._trained_modules():
                module.requires_grad_(True)

    def _steps(self) -> tuple[list[Any], list[Any]]:
        steps = cut(self.model, self.description.get("cut_before", -1))
        if steps is None:
            raise ValueError("unknown structure")
        return steps

    def _trained_modules(self) -> list[nn.Module]:
        return self._steps()[1]

    def _run_levels(self, pixels: Tensor, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
        net: Any = self.model
        if not indices:
            return net.forward_features(pixels), []
        last, levels = net.forward_intermediates(pixels, indices=indices, output_fmt="NCHW")
        return last, list(levels)

    def _run_lower_levels(self, pixels: Tensor) -> list[Tensor]:
        net: Any = self.model
        if not (below := self._level_indices[:-1]):
            return []
        return list(
            net.forward_intermediates(
                pixels, indices=below, stop_early=True, output_fmt="NCHW", intermediates_only=True
            )
        )

    def _head(self, last: Tensor) -> Tensor:
        net: Any = self.model
        vector: Tensor = net.forward_head(last, pre_logits=True)
        return vector

    def _head_shape(self, last: Tensor) -> tuple[int, ...]:
        try:
            return tuple(self._head(last).shape)
        except (RuntimeError, TypeError, ValueError, AttributeError):
            return ()

    def _to_map(self, last: Tensor) -> Tensor:
        """(N, E, h, w) from a map in either order, or from tokens without their prefix."""
        net: Any = self.model
        if last.ndim == 4:
            channels_last = str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")
            return last.permute(0, 3, 1, 2) if channels_last else last
        if last.ndim != 3:
            raise ValueError("neither a map nor tokens")
        patches = last[:, getattr(net, "num_prefix_tokens", 0) :]
        side = math.isqrt(patches.shape[1])
        embed = getattr(net, "patch_embed", None) or getattr(net, "stem", None)
        height, width = getattr(embed, "grid_size", None) or (side, side)
        return patches.transpose(1, 2).reshape(len(last), -1, height, width)


def _grid(height: int, width: int) -> Tensor:
    """(h*w, 4): the share of the input that each cell of an even map covers, row by row."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corners = torch.stack([x / width, y / height, (x + 1) / width, (y + 1) / height], dim=-1)
    return corners.reshape(-1, 4)
