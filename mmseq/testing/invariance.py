"""What must not change a result: the batch around a sentence, a second call, evaluation."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from mmseq.testing.contract import Judge, Outputs
from mmseq.testing.tensors import changed, copied
from mmseq.testing.world import DRAWN, EVERY, PICTURELESS

Run = Callable[[Sequence[int]], Outputs]
"""Numbers of sentences to what the component gives for them as one batch"""
SEED = 3


def check_batches(judge: Judge, run: Run) -> None:
    """A sentence gets the same in every batch: alone, in another order, with or without pictures
    around it.
    """
    everyone = run(EVERY)
    words = "words and pictures of a sentence say all: padding and other sentences are masked out"
    for number in EVERY:
        contract = f"sentence {number} in a batch of one (padding, other sentences)"
        judge.alike(contract, run([number]).of(0), everyone.of(number), words)
    order = EVERY[::-1]
    turned = run(order)
    for place, number in enumerate(order):
        contract = f"sentence {number} in a batch of another order"
        judge.alike(contract, turned.of(place), everyone.of(number), words)
    masked = "a missing picture is a mask: attention over no region gives 0 (mmseq.attend)"
    for some, what in ((PICTURELESS, "without any picture"), (DRAWN, "in which all have pictures")):
        parted = run(some)
        for place, number in enumerate(some):
            contract = f"sentence {number} in a batch {what}"
            judge.alike(contract, parted.of(place), everyone.of(number), masked)


def check_repeats(judge: Judge, module: nn.Module, run: Callable[[], Outputs]) -> None:
    """Equal seeds give equal numbers in training; evaluation draws nothing and changes nothing."""
    module.train()
    torch.manual_seed(SEED)
    with judge.running("training mode"):
        first = run()
    torch.manual_seed(SEED)
    second = run()
    module.eval()
    same = "draw with torch alone: nothing else is seeded from checkpoints"
    _equal(judge, "training twice with one seed (determinism)", first, second, same)
    before = copied(module.state_dict())
    with undrawn(judge, "evaluation mode (randomness)"):
        first = run()
        second = run()
    _equal(
        judge,
        "evaluation mode twice (randomness)",
        first,
        second,
        "dropout and the like look at self.training",
    )
    wrong = changed(before, module.state_dict())
    right = "buffers follow the data in training mode alone"
    judge.require(not wrong, "evaluation mode (state)", f"it changes {wrong}", right)


def check_inputs_kept(judge: Judge, inputs: object, call: Callable[[], object]) -> None:
    """No tensor of `inputs` is changed by `call`."""
    before = copied(inputs)
    call()
    wrong = changed(before, inputs)
    right = "inputs are shared with other components: x = x + y, not x += y"
    judge.require(not wrong, "inputs (changed in place)", f"it changes {wrong}", right)


@contextmanager
def undrawn(judge: Judge, contract: str) -> Iterator[None]:
    """Fail if the block draws from a random generator."""
    before = _states()
    yield
    names = [name for name, state in _states().items() if state != before[name]]
    right = "nothing is drawn outside training mode: dropout and the like look at self.training"
    judge.require(not names, contract, f"it draws from {', '.join(names)}", right)


def _states() -> dict[str, object]:
    return {
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "random": random.getstate(),
        "numpy.random": str(np.random.get_state()),  # noqa: NPY002
    }


def _equal(judge: Judge, contract: str, first: Outputs, second: Outputs, right: str) -> None:
    for group in ("words", "sentences"):
        a: dict[str, Tensor] = dict(getattr(first, group))
        b: dict[str, Tensor] = dict(getattr(second, group))
        for name, value in a.items():
            judge.require(torch.equal(value, b[name]), contract, f"{name} differs", right)
