"""Work that is begun before its turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def one_ahead(items: Iterable[T | None]) -> Iterator[T]:
    """The same items in the same order, each fetched before the one before it is handed out. None
    is no item: the next one is not there yet, and the one before it is handed out at once.

    An error is raised at its place, behind the items before it; an interruption at once.
    """
    iterator = iter(items)
    waiting: list[T] = []
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            yield from waiting
            return
        except Exception:
            yield from waiting
            raise
        yield from waiting
        waiting = [] if item is None else [item]
