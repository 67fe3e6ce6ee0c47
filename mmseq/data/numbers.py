"""Numbers as the data may hold them."""

from __future__ import annotations

from typing import TypeGuard

LARGEST = 3.4e38
"""What 32 bits hold, in which components read numbers"""


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number that 32 bits hold; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Whole numbers of JSON may be too large for a float, to which they can be compared.
    return -LARGEST <= value <= LARGEST
