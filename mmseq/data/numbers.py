"""Numbers as the data may hold them."""

from __future__ import annotations

LARGEST = 3.4e38
"""What 32 bits hold, in which components read numbers"""


def is_number(value: object) -> bool:
    """Whether it is a finite number that 32 bits hold; true and false are none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of JSON may be too large for a float, to which they can be compared.
    return number and -LARGEST <= value <= LARGEST  # type: ignore[operator]
