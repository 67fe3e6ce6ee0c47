"""AdamW with a rate for each part, and the linear schedule."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW

from mmseq.config import TrainConfig
from mmseq.model import Model


def build_optimiser(model: Model, train: TrainConfig) -> AdamW:
    """AdamW: encoders and weighting at their own rates, the rest at `train.learning_rate`.

    Biases, norms and other vectors are not decayed (Devlin et al. 2019), nor is the weighting.
    """
    parts: list[tuple[str, nn.Module | None, float]] = [
        ("text_encoder", model.text_encoder, model.text_encoder.learning_rate)
    ]
    if model.image_encoder is not None:
        parts.append(("image_encoder", model.image_encoder, model.image_encoder.learning_rate))
    rate = model.weighting.learning_rate
    rate = train.learning_rate if rate is None else rate
    parts.append(("weighting", model.weighting, rate))
    taken: set[int] = set()
    groups = []
    for name, module, rate in [*parts, ("head", model, train.learning_rate)]:
        assert module is not None
        found = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
        taken |= {id(p) for p in found}
        for decayed in (True, False):
            parameters = [p for p in found if (p.dim() > 1) is decayed]
            if parameters:
                decay = train.weight_decay if decayed and name != "weighting" else 0.0
                groups.append(
                    {"params": parameters, "lr": rate, "weight_decay": decay, "name": name}
                )
    # One pass over memory for each parameter instead of a dozen.
    return AdamW(groups, fused=True)


def schedule(step: int, total: int, warmup: float) -> float:
    """Factor on every rate at step 0, 1, …: up from 0 over the warm-up, then down to 0 at `total`.

    The first step is not wasted: step s counts as s + 1 of the warm-up.
    """
    rising = int(total * warmup)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))
