"""Checkpoints of an unfinished run in ``last/``: whole or absent, tensors and JSON only."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import Optimizer

from mmseq.durable import put_folder
from mmseq.errors import UserError
from mmseq.files import write_text
from mmseq.model.model import Model
from mmseq.processes import process_count, process_index
from mmseq.runs.folder import resuming
from mmseq.runs.weights import load_weights, save_weights, tensors_of, write_tensors
from mmseq.shapes import Shape, fault, shown
from mmseq.training.begun_with import CannotResume
from mmseq.training.progress import Saved

CURRENT = "current"

_DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, RuntimeError, ArithmeticError),
    SafetensorError,
)
"""What damaged files of a checkpoint raise, here and in torch"""


@dataclass(frozen=True)
class Generators:
    """The state of one process's random generators."""

    tensors: dict[str, Tensor]
    python: list[Any]
    """JSON"""

    @classmethod
    def here(cls) -> Generators:
        """Those of this process."""
        tensors = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            tensors["cuda"] = torch.cuda.get_rng_state()
        version, internal, gauss = random.getstate()
        return cls(tensors, [version, list(internal), gauss])

    def restore(self) -> None:
        """Set this process's generators."""
        torch.set_rng_state(self.tensors["cpu"])
        if "cuda" in self.tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.tensors["cuda"])
        version, internal, gauss = self.python
        random.setstate((version, tuple(internal), gauss))


class Checkpoints:
    """A folder such as ``RUN/last``: one checkpoint folder and the file `current` that names it.

    A checkpoint is written beside its predecessor and becomes the current one in a single rename,
    so that a kill at any moment leaves a whole one. The best weights so far lie beside it.
    """

    def __init__(self, folder: Path, saved: type[Shape] = Saved) -> None:
        """`saved`: what `progress` of these is, with the generators."""
        self.folder, self._saved = folder, saved

    def exists(self) -> bool:
        return (self.folder / CURRENT).is_file()

    def save(
        self,
        model: nn.Module,
        optimiser: Optimizer,
        progress: dict[str, Any],
        generators: Sequence[Generators],
    ) -> None:
        """Write everything that resuming needs; `progress` is JSON, `generators` one a process."""
        name = _name(progress)
        target = self.folder / name
        temporary = self.folder / f"{name}.part"
        for folder in (temporary, target):
            shutil.rmtree(folder, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            write_tensors(tensors_of(model), temporary / "model.safetensors")
            write_tensors(_optimiser_tensors(model, optimiser), temporary / "optimiser.safetensors")
            numbered = list(enumerate(generators))
            states = {f"{n}.{name}": t for n, own in numbered for name, t in own.tensors.items()}
            write_tensors(states, temporary / "random.safetensors")
            state = {**progress, "generators": [own.python for own in generators]}
            (temporary / "progress.json").write_text(json.dumps(state), encoding="utf-8")
        except (OSError, UserError):
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        put_folder(temporary, target)
        write_text(self.folder / CURRENT, name)
        for other in self.folder.glob("step-*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)

    def load(self, model: nn.Module, optimiser: Optimizer) -> dict[str, Any]:
        """Take up the current checkpoint; gives back `progress`. `UserError` where other than as
        many processes resume as wrote it: their batches and what they draw would be others.
        """
        folder = self.folder
        try:
            folder /= _named(folder / CURRENT)
            progress: dict[str, Any] = json.loads(
                (folder / "progress.json").read_text(encoding="utf-8")
            )
            _require_own(folder, progress, self._saved)
            python = progress.pop("generators")
            _require_processes(folder, len(python))
            load_weights(model, folder / "model.safetensors")
            _load_optimiser(model, optimiser, load_file(folder / "optimiser.safetensors"))
            states, own = load_file(folder / "random.safetensors"), f"{process_index()}."
            mine = {n.removeprefix(own): t for n, t in states.items() if n.startswith(own)}
            Generators(mine, python[process_index()]).restore()
        except _DAMAGED as error:
            reason = " ".join(str(error).split())
            raise CannotResume(
                f"{folder}: damaged checkpoint ({reason}); start again in another folder "
                "(--output)."
            ) from error
        return progress

    def save_best(self, model: Model) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        save_weights(model, self.best)

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _optimiser_tensors(model: nn.Module, optimiser: Optimizer) -> dict[str, Tensor]:
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{key}": value.detach().contiguous()
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def _named(current: Path) -> str:
    """The checkpoint that is current. `ValueError` for what `save` calls none."""
    name = current.read_text(encoding="utf-8").strip()
    if not re.fullmatch(r"step-\d{8,}-\d{4,}", name, re.ASCII):
        raise ValueError(f"'{CURRENT}' names no checkpoint: {shown(name)}")
    return name


def _require_own(folder: Path, progress: Any, saved: type[Shape]) -> None:
    """`ValueError` for a progress.json that is not that of its folder."""
    if wrong := fault(saved, progress):
        raise ValueError(f"progress.json: {wrong}")
    name = _name(progress)
    if name != folder.name:
        raise ValueError(f"progress.json is of {name}")
    if unlike := progress.get("sums", {}).keys() ^ progress.get("items", {}).keys():
        raise ValueError(f"progress.json: sums and items differ in {shown(min(unlike))}")


def _name(progress: Mapping[str, Any]) -> str:
    return f"step-{progress['step']:08d}-{progress['epoch']:04d}"


def _load_optimiser(model: nn.Module, optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        name, _, field = key.rpartition("|")
        parameter = parameters[name]
        if value.shape not in (parameter.shape, torch.Size()) or not value.is_floating_point():
            raise ValueError(f"optimiser.safetensors: {shown(key)} is not of its parameter")
        # Moments live where their parameter does; the step counter stays where AdamW keeps it.
        place = parameter.device
        optimiser.state[parameter][field] = value.to(place)


def _require_processes(folder: Path, written: int) -> None:
    if process_count() != written:
        raise UserError(
            f"{folder}: the processes of this run were {written}, and here are {process_count()}; "
            f"resume with as many: {resuming(folder.parents[1], written)}"
        )
