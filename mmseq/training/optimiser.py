"""AdamW with a rate for each part, and the linear schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from mmseq.config.config import TrainConfig
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.model.model import Model


def build_optimiser(model: Model, train: TrainConfig) -> AdamW:
    """AdamW: encoders and weighting at their own rates, the rest at `train.learning_rate`.

    An encoder's parameters have its rate times their own factor, where it gives one.

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
    factors = _factors(model)
    taken: set[int] = set()
    groups: list[dict[str, Any]] = []
    for name, module, rate in [*parts, ("head", model, train.learning_rate)]:
        assert module is not None
        found = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
        taken |= {id(p) for p in found}
        decay = train.weight_decay if name != "weighting" else 0.0
        groups += grouped(name, found, rate, decay, factors)
    # One pass over memory for each parameter instead of a dozen.
    return AdamW(groups, fused=True)


def grouped(
    name: str,
    parameters: Iterable[nn.Parameter],
    rate: float,
    decay: float,
    factors: Mapping[int, float],
) -> list[dict[str, Any]]:
    """The optimiser's groups of one part: by `factors` on its rate, by identity, and by whether a
    parameter is decayed.
    """
    kinds: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in parameters:
        kind = (factors.get(id(parameter), 1.0), parameter.dim() > 1)
        kinds.setdefault(kind, []).append(parameter)
    return [
        {
            "params": kinds[factor, decayed],
            "lr": rate * factor,
            "weight_decay": decay if decayed else 0.0,
            "name": name,
            "factor": factor,
        }
        for factor, decayed in sorted(kinds, reverse=True)
    ]


def set_rates(optimiser: Optimizer, base: Sequence[float], factor: float) -> None:
    """Every group's rate at a step: its own, times the schedule's `factor`."""
    for group, rate in zip(optimiser.param_groups, base, strict=True):
        group["lr"] = rate * factor


def rates_of(optimiser: Optimizer) -> dict[str, float]:
    """The rate of each part of the model, less its parameters' own factors: as in the config, times
    the schedule.
    """
    return {g["name"]: g["lr"] / g["factor"] for g in optimiser.param_groups if g["factor"]}


def _factors(model: Model) -> Mapping[int, float]:
    """Factor of each parameter that its encoder gives one for, by identity."""
    images = {} if model.image_encoder is None else factors_of(model.image_encoder)
    return {**factors_of(model.text_encoder), **images}


def factors_of(encoder: TextEncoder | ImageEncoder) -> Mapping[int, float]:
    """The same of one encoder."""
    named = dict(encoder.named_parameters())
    return {id(named[n]): factor for n, factor in encoder.rate_factors().items()}


def warm_up_steps(total: int, warmup: float) -> int:
    """Whole steps of that share of `total`."""
    # In binary 0.29 * 100 is a little less than 29.
    return int(total * warmup + 1e-6)


def schedule(step: int, total: int, warmup: float) -> float:
    """Factor on every rate at step 0, 1, …: up from 0 over the warm-up, then down to 0 at `total`.

    The warm-up has the whole steps of that share. The first step is not wasted: step s counts as
    s + 1 of it.
    """
    rising = warm_up_steps(total, warmup)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))
