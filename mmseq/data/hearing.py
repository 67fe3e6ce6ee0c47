"""What is said of a file while it is read: notes, and faults that are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mmseq.contracts.example import Example
from mmseq.errors import UserError

SHOWN = 5
"""How many places of a kind of fault are named"""


@dataclass
class Hearing:
    """Listens to a reader. Faults are raised at once, unless they are to be counted."""

    counting: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    """Lines for the user, each once, in order"""
    faults: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Kind -> places (``file:line``) and what is wrong there"""

    hints: list[str] = field(default_factory=list)
    """Those of the notes that say more of tags that are none"""
    aside: list[Example] = field(default_factory=list)
    """Words of sentences with a fault, whose tags may have others"""

    def note(self, line: str) -> None:
        self.notes[line] = None

    def hint(self, line: str) -> None:
        """A note that belongs to whatever is wrong with a tag."""
        self.note(line)
        self.hints.append(line)

    def fault(self, where: str, what: str, kind: str = "") -> None:
        """`UserError` for a fault, or it is counted."""
        if not self.counting:
            raise UserError(f"{where}: {what}")
        self.faults.setdefault(kind or what, []).append((where, what))

    def lines(self) -> list[str]:
        """One for each kind of fault: the first in full, the number and the first places."""
        return [_line(found) for found in self.faults.values()]


def _line(found: list[tuple[str, str]]) -> str:
    found = sorted(found, key=lambda fault: _number(fault[0]))
    (where, what), number = found[0], len(found)
    if number == 1:
        return f"{where}: {what}"
    return f"{where}: {what.rstrip('.')} ({number:,} such: {places(w for w, _ in found)})."


def _number(where: str) -> int:
    """Of the line; 0 where it has none."""
    number = where.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def places(found: Iterable[str]) -> str:
    """The first of them, and a mark where there are more."""
    all_of = list(found)
    return ", ".join(all_of[:SHOWN]) + (", …" if len(all_of) > SHOWN else "")
