"""Whether a network of transformers can serve as a text encoder: found out by running it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-4
"""Of the largest state: how far states may differ that should be the same"""
SHORT, LONG = 3, 20
"""Sub-words of the two sentences it is tried on"""


class Unsuitable(ValueError):
    """A network or tokenizer that no text encoder can be made of; the message is the reason."""


def require_suitable(network: Any, tokenizer: Any, limit: int | None = None) -> int:
    """The width of its states; `Unsuitable` for a network that cannot be used. `limit`: its longest
    input.

    It has to give a finite state for each sub-word, from ids and a mask alone, in training too. The
    state has to depend on the sentence's other sub-words and on nothing else: it is the same alone
    and padded beside a longer one. Neither its buffers nor the random generators are changed.
    """
    require_embedded(network, tokenizer)
    long = _some_ids(network, tokenizer)[:limit]
    short = long[:SHORT]
    lengths = [len(short), len(long)]
    padding = [tokenizer.pad_token_id or 0] * (len(long) - len(short))
    was_training = network.training
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        network.eval()
        alone = _states(network, [short], lengths[:1])
        together = _states(network, [short + padding, long], lengths)
        changed = _states(network, [[long[-1], *short[1:]]], lengths[:1])
        network.train()
        try:
            _states(network, [short], lengths[:1])
        except Unsuitable as error:
            raise Unsuitable(f"{error}, in training") from error
        for name, buffer in network.named_buffers():
            if name in buffers and buffer.shape == buffers[name].shape:
                buffer.copy_(buffers[name])
    network.train(was_training)
    for states in (alone, together):
        if not states.isfinite().all():
            raise Unsuitable("its states are not finite")
    if len(set(long)) > 1 and changed[0, -1].equal(alone[0, -1]):
        # Without the kernel that they need, some networks of the library attend to nothing.
        raise Unsuitable("here a word's state does not depend on the words before it")
    if not _alike(together[0, : len(short)], alone[0]):
        raise Unsuitable("padding, or a longer sentence beside it, changes a sentence's states")
    return alone.shape[-1]


def takes_vectors(network: Any, tokenizer: Any) -> bool:
    """Whether ids and their embeddings in the place of ids give the same states."""
    table = table_of(network)
    if table is None or "inputs_embeds" not in inspect.signature(network.forward).parameters:
        return False
    ids = torch.tensor([_some_ids(network, tokenizer)[:2]])
    mask = torch.ones_like(ids)
    was_training = network.training
    network.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        expected = network(input_ids=ids, attention_mask=mask).last_hidden_state
        try:
            found = network(inputs_embeds=table(ids), attention_mask=mask).last_hidden_state
        # Some networks name the argument only to refuse it.
        except Exception:
            return False
        finally:
            network.train(was_training)
    return _alike(found, expected)


def _alike(states: Tensor, expected: Tensor) -> bool:
    apart = float((states - expected).abs().max())
    return apart <= TOLERANCE * max(1.0, float(expected.abs().max()))


def table_of(network: Any) -> nn.Module | None:
    """The module that holds a vector for each id; None for networks without, as of characters."""
    try:
        found = network.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return None
    weight = getattr(found, "weight", None)
    # That of models of sound is a convolution.
    return found if isinstance(weight, Tensor) and weight.dim() == 2 else None


def require_embedded(network: nn.Module, tokenizer: Any) -> None:
    """`Unsuitable` where the tokenizer gives ids that the network has no embedding of."""
    table = table_of(network)
    if table is None:
        return
    rows = len(table.weight)  # type: ignore[arg-type]
    highest = max(tokenizer.get_vocab().values())
    if highest >= rows:
        raise Unsuitable(
            f"its tokenizer has ids up to {highest}, its embeddings are {rows}: they belong to "
            "different models"
        )


def _some_ids(network: nn.Module, tokenizer: Any) -> list[int]:
    """`LONG` ids that are not special, different ones where there are as many."""
    special = set(tokenizer.all_special_ids)
    known = sorted(set(tokenizer.get_vocab().values()) - special) or [0]
    step = max(1, len(known) // LONG)
    some = known[::step][:LONG]
    return [some[place % len(some)] for place in range(LONG)]


def _states(network: Any, rows: Sequence[Sequence[int]], lengths: Sequence[int]) -> Tensor:
    """(rows, sub-words, D)"""
    mask = torch.arange(len(rows[0]))[None, :] < torch.tensor(lengths)[:, None]
    try:
        output = network(input_ids=torch.tensor(rows), attention_mask=mask.long())
    # Whatever a network of the library raises, it is the reason.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unsuitable(f"it does not run on sub-words and a mask alone ({reason})") from error
    states = getattr(output, "last_hidden_state", None)
    if not isinstance(states, Tensor) or states.dim() != 3:
        raise Unsuitable("it gives no states of its sub-words")
    if states.shape[:2] != mask.shape:
        raise Unsuitable(f"it gives {states.shape[1]} states for {mask.shape[1]} sub-words")
    return states.float()
