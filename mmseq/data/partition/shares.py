"""Groups of different sizes dealt out so that each part gets its share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from random import Random

from mmseq.errors import UserError


def parse_shares(text: str) -> tuple[float, float, float]:
    """``80,10,10``: shares of train, valid and test, of whatever sum. `UserError` for others."""
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or not all(0 <= share < float("inf") for share in shares):
        raise UserError(
            f"--shares {text}: write three numbers, of train, valid and test, such as 80,10,10 "
            "(80,0,20: no validation split)."
        )
    if not shares[0]:
        raise UserError(f"--shares {text}: train would be empty; give it a share.")
    if sum(share > 0 for share in shares) < 2:
        raise UserError(f"--shares {text}: one split would hold everything; give another a share.")
    return shares


def deal(sizes: Sequence[int], shares: Sequence[float], seed: int) -> list[int]:
    """The part of each group, from 0. `shares`: of each part, of whatever sum.

    Groups are shuffled by `seed` and go, the large ones first, where they fit and most is lacking;
    then groups are moved and exchanged as long as that brings the parts closer to their shares.
    Every part with a share gets a group: `UserError` where there are too few.
    """
    wanted = [index for index, share in enumerate(shares) if share > 0]
    if len(sizes) < len(wanted):
        raise UserError(
            f"There are {len(sizes)} groups of sentences that must stay together, for "
            f"{len(wanted)} parts; ask for fewer parts, or annotate more."
        )
    total, whole = sum(sizes), sum(shares)
    targets = [share / whole * total for share in shares]
    order = list(range(len(sizes)))
    Random(f"mmseq data split {seed}").shuffle(order)
    # Of like sizes the order stays as it was shuffled, so that no part gets the small ones alone.
    order.sort(key=lambda group: -sizes[group].bit_length())
    have = [0.0] * len(shares)
    parts = [0] * len(sizes)
    for group in order:
        part = max(wanted, key=lambda index: _need(targets[index], have[index], sizes[group]))
        parts[group] = part
        have[part] += sizes[group]
    _fill_empty(parts, sizes, wanted)
    _exchange(parts, sizes, targets, wanted)
    return parts


def _need(target: float, have: float, size: int) -> tuple[bool, float, float]:
    """How much a part wants a group of `size`: first where it fits, then where most is lacking."""
    over = have + size - target
    if over < 1:
        return True, (target - have) / target, target
    return False, -over, target


def _fill_empty(parts: list[int], sizes: Sequence[int], wanted: Sequence[int]) -> None:
    """Give each part without a group the smallest one of the part that has the most groups."""
    for part in wanted:
        if part not in parts:
            counts = {index: parts.count(index) for index in wanted}
            richest = max(wanted, key=lambda index: counts[index])
            own = [group for group, index in enumerate(parts) if index == richest]
            parts[min(own, key=lambda group: sizes[group])] = part


def _exchange(
    parts: list[int], sizes: Sequence[int], targets: Sequence[float], wanted: Sequence[int]
) -> None:
    """Move groups from a part to another, or exchange two, as long as the sum of the squares of
    what parts have too much or too little gets smaller.
    """
    held: list[dict[int, list[int]]] = [{} for _ in targets]
    for group, part in enumerate(parts):
        held[part].setdefault(sizes[group], []).append(group)
    over = [sum(s * len(g) for s, g in held[i].items()) - t for i, t in enumerate(targets)]
    while True:
        best: tuple[float, int, int, int, int] = (1e-9, 0, 0, 0, 0)
        for giver in wanted:
            alone = sum(map(len, held[giver].values())) == 1
            for taker in wanted:
                gap = over[giver] - over[taker]
                if gap <= 0:
                    continue
                back = sorted(held[taker]) if alone else [0, *sorted(held[taker])]
                for size in held[giver]:
                    place = bisect_left(back, size - gap / 2)
                    for other in back[max(place - 1, 0) : place + 1]:
                        moved = size - other
                        # What a² + b² loses when `moved` goes from the one to the other.
                        gain = 2 * moved * (gap - moved)
                        best = max(best, (gain, giver, taker, size, other))
        gain, giver, taker, size, other = best
        if giver == taker:
            return
        for source, target, amount in ((giver, taker, size), (taker, giver, other)):
            if amount:
                group = held[source][amount].pop()
                if not held[source][amount]:
                    del held[source][amount]
                held[target].setdefault(amount, []).append(group)
                parts[group] = target
                over[source] -= amount
                over[target] += amount
