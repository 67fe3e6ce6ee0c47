"""Standard streams that are closed, as `<&-` or a daemon leaves them."""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """What is read there is at its end at once, and what is written there goes nowhere.

    Their numbers are taken, too: else the next file to be opened would get one of them, and what a
    library prints would be written into it.
    """
    for number, mode in enumerate(("r", "w", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is asked for.
            os.open(os.devnull, os.O_RDWR)
        name = ("stdin", "stdout", "stderr")[number]
        if getattr(sys, name) is None:
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
