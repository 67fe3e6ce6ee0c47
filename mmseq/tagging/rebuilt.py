"""The model of a finished run, from its folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseq.config.config import Config
from mmseq.errors import ComponentError, UserError, one_line
from mmseq.model.assembly import build_model
from mmseq.model.budget import Budget
from mmseq.model.model import Model
from mmseq.runs.weights import load_weights, require_finite, size_of


def rebuilt(folder: Path, config: Config, labels: Sequence[str]) -> Model:
    """It, with its weights. `UserError` for files that are damaged or belong to another model,
    before they take more memory than the weights tell of.
    """
    weights, assets = folder / "model.safetensors", folder / "assets"
    held, size = size_of(weights)
    try:
        with Budget(held, size, str(assets)):
            model, _ = build_model(config, labels, assets=assets)
    except (UserError, ComponentError):
        raise
    # What a library says to a file of another shape is of any kind, its own failed checks too.
    except Exception as error:
        own = isinstance(error, OSError | ValueError)
        reason = " ".join(str(error).split()) if own else one_line(error)
        raise UserError(f"{assets}: damaged or incomplete ({reason}).") from error
    load_weights(model, weights)
    require_finite(model, weights)
    return model
