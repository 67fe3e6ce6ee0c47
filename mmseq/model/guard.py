"""Names the component at fault: errors inside one are reported with its name and what it got."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from mmseq.contracts.decoder import Decoder
from mmseq.errors import ComponentError, UserError, one_line

T = TypeVar("T")


class ReadViews(dict[str, Tensor]):
    """The views that a task reads, by `names`; asked for another, it says where to name it."""

    def __init__(self, names: Sequence[str], views: Mapping[str, Tensor]) -> None:
        super().__init__({name: views[name] for name in names})

    def __missing__(self, name: str) -> Tensor:
        named = ", ".join([*map(repr, self), repr(name)])
        raise LookupError(f"'{name}' is not among the views it reads; write views = ({named})")


class ReadFields(dict[str, T]):
    """The further fields that components read; asked for another, it says where to name it."""

    def __missing__(self, name: str) -> T:
        read = ", ".join(map(repr, self)) or "none"
        raise LookupError(
            f"'{name}' is not among such fields that are read here ({read}); name it in the class: "
            f"extras = {{'{name}': …}}, with mmseq.PerWord, PerSentence or Text"
        )


def read_by(decoder: Decoder, given: Tensor) -> dict[str, Tensor]:
    """What a decoder gets, by the name that messages give it."""
    return {"states" if decoder.reads == "fused" else "emissions": given}


@contextmanager
def blamed(title: str, place: str = "", /, **given: object) -> Iterator[None]:
    """What is raised inside becomes a `ComponentError` that begins with `title` and ends with the
    shapes of what was `given`; the exception itself is its cause. `place`: the method, where one
    is to be named.

    Left as they are: what a user can correct (`UserError`), and memory or a disk that is used up,
    which may be anybody's.
    """
    try:
        yield
    except (UserError, ComponentError, torch.OutOfMemoryError):
        raise
    # A stranger's code may raise anything.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" in {place}" if place else ""
        raise ComponentError(f"{title} failed{where}: {raised(error, given)}.") from error


def raised(error: BaseException, given: Mapping[str, object]) -> str:
    """An exception as a part of a sentence, with the shapes of what was `given`."""
    got = f"; it got {shapes(given)}" if given else ""
    return f"{one_line(error).rstrip('.')}{got}"


def require(
    title: str, what: str, value: object, kind: type, shape: Sequence[int] | None = ()
) -> None:
    """`ComponentError` where a component gave something else than a `kind`; a tensor of `shape`
    (None: any).
    """
    if not isinstance(value, kind):
        raise ComponentError(f"{title}: {what} is {type(value).__name__}, not {kind.__name__}.")
    if isinstance(value, Tensor) and shape is not None and tuple(value.shape) != tuple(shape):
        raise ComponentError(f"{title}: {what} is {tuple(value.shape)}, not {tuple(shape)}.")


def require_number(title: str, what: str, value: Tensor, dtype: torch.dtype) -> None:
    """`ComponentError` for numbers of another precision than the weights', unless a mixed one is
    asked for.
    """
    if value.dtype != dtype and not torch.is_autocast_enabled(value.device.type):
        found, right = (str(kind).removeprefix("torch.") for kind in (value.dtype, dtype))
        raise ComponentError(f"{title}: {what} is {found}, not {right}.")


def require_labels(title: str, what: str, value: object, mask: Tensor, labels: int) -> None:
    """`ComponentError` for anything but the number of a label at each word of `mask`."""
    require(title, what, value, Tensor, mask.shape)
    assert isinstance(value, Tensor)
    if value.dtype != torch.long:
        found = str(value.dtype).removeprefix("torch.")
        raise ComponentError(f"{title}: {what} is {found}, not int64.")
    strange = value[mask & ((value < 0) | (value >= labels))]
    if len(strange):
        raise ComponentError(
            f"{title}: {what} holds {int(strange[0])}; the {labels} labels are 0 to {labels - 1}."
        )


def require_graph(title: str, what: str, value: Tensor, origins: Iterable[Tensor]) -> None:
    """`ComponentError` for a scalar without a gradient, unless none of its `origins` has one."""
    if not value.requires_grad and any(origin.requires_grad for origin in origins):
        raise ComponentError(
            f"{title}: {what} has no gradient; compute it of what it gets, without detach, item or "
            "argmax."
        )


def require_finite(title: str, what: str, value: Tensor) -> None:
    """`ComponentError` where a component gives NaN or infinity before anything was learned."""
    if not value.isfinite().all():
        raise ComponentError(
            f"{title}: {what} holds numbers that are not finite (NaN or infinite) at the first "
            "step, before anything was learned."
        )


def shapes(given: Mapping[str, object]) -> str:
    """As in "text words (2, 5, 32), mask (2, 5); images None"."""
    return "; ".join(f"{name} {_shapes(value)}" for name, value in given.items())


def _shapes(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        parts = {name: part for name, part in value.items() if _holds_tensors(part)}
        return ", ".join(f"{name} {_shapes(part)}" for name, part in parts.items())
    if isinstance(value, tuple | list):
        return " ".join(_shapes(part) for part in value if _holds_tensors(part))
    return str(value)


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_tensors(part) for part in value.values())
    if isinstance(value, tuple | list):
        return any(_holds_tensors(part) for part in value)
    return isinstance(value, Tensor) or is_dataclass(value)
