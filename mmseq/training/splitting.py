"""How a run will cut plain strings: chosen from its training words, and said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmseq.config.config import DataConfig
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.choosing import choose
from mmseq.data.splitting.returning import Returned
from mmseq.data.splitting.splitter import Splitter

ENOUGH = 0.9
"""Share of the entities below which the user is warned"""


@dataclass(frozen=True)
class Splitting:
    """A run's splitter, and how much of the training comes back with it."""

    splitter: Splitter
    returned: Returned


def splitting_of(data: DataConfig, examples: Iterable[Example]) -> Splitting:
    """The splitter that suits the training words, or the base alone that the config names;
    `UserError` for one that does not exist.
    """
    return Splitting(*choose(examples, None if data.splitter == "auto" else data.splitter))


def say(splitting: Splitting, reporter: Reporter) -> None:
    """What the user reads about it; nothing where there is no sentence."""
    splitter, back = splitting.splitter, splitting.returned
    if not back.which:
        return
    beside = [
        f"{len(found)} {name if len(found) == 1 else name + 's'}"
        for found, name in ((splitter.joints, "joint"), (splitter.whole, "whole word"))
        if found
    ]
    learned = f" with {' and '.join(beside)} from training" if beside else ""
    entities = ""
    if back.of_entities:
        entities = f" and {_percent(back.entities, back.of_entities)} of the entities"
    reporter.line(
        f"Text will be cut into words by '{splitter.base}'{learned}: "
        f"{_percent(back.sentences, len(back.which))} of the training sentences{entities} come "
        "back from their text."
    )
    if back.share_of_entities < ENOUGH:
        others = ", ".join(base for base in BASES if base != splitter.base)
        reporter.warning(
            f"Of the training entities {back.of_entities - back.entities} do not come back: in "
            "plain text such entities will be cut otherwise than they were learned, and missed. "
            f"Predict from lists of words, or try data.splitter: {others}."
        )


def _percent(number: int, of: int) -> str:
    """Rounded down: 100 % is all."""
    return f"{int(1000 * number / of) / 10:.1f} %"
