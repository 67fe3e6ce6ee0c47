"""Options of the form ``A=B,C=D``."""

from __future__ import annotations

from collections.abc import Iterable

from mmseq.errors import UserError


def pairs(flag: str, texts: Iterable[str], form: str, *, empty: bool = False) -> dict[str, str]:
    """Names and values of all `texts`; `empty`: a value may be. `UserError`, which says the `form`
    to write, for anything else and for a name that comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not (name and equals and (value or empty)) or name in found:
                raise UserError(f"{flag} {text}: {form}.")
            found[name] = value
    return found
