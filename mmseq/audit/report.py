"""What an audit found, and its page of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mmseq.audit.ambiguous import AmbiguousEntities
from mmseq.audit.changes import Changes
from mmseq.audit.comparison import Comparison
from mmseq.audit.naming import NamedPictures
from mmseq.audit.scores import ConditionScores
from mmseq.audit.verdict import Verdict
from mmseq.scoring.calibration import Calibration

READING = "micro F1 by exact span and type, seqeval's default reading; strict_f1 by strict IOB2"
WIDTH = 100


@dataclass(frozen=True)
class AuditReport:
    """Does the picture help? Figures, tests and sentences to read."""

    verdict: Verdict
    run: str
    data: Mapping[str, Any]
    """``path``, ``sha256``, ``images_sha256``, ``split``, ``sentences``, ``with_pictures`` (whose
    pictures can be used), ``entities`` and ``types`` (type -> entities)"""
    conditions: Mapping[str, ConditionScores]
    """``true``, ``shuffled``, ``blank``, ``noise``, ``none`` and, if given, ``text-only``"""
    comparisons: Mapping[str, Comparison]
    """True pictures with each other condition"""
    parts: Mapping[str, Comparison]
    """True pictures with shuffled ones by type and for ambiguous names"""
    ambiguous: AmbiguousEntities | None
    """None where the training data could not be read"""
    named: NamedPictures | None
    """None where the training data could not be read, or tell nothing"""
    changes: Changes
    notes: Sequence[str]
    """What is left out, and why"""
    settings: Mapping[str, Any]
    """``permutations``, ``resamples``, ``seed``, ``alpha``, and ``text_only`` (a run or None)"""
    calibration: Calibration | None = None
    """Of the entities predicted with the true pictures"""

    def to_json(self) -> dict[str, Any]:
        """The whole report: figures first, sentences last."""
        names = self.ambiguous
        return {
            "verdict": asdict(self.verdict),
            "run": self.run,
            "data": dict(self.data),
            "settings": dict(self.settings),
            "reading": READING,
            "conditions": {name: scores.to_json() for name, scores in self.conditions.items()},
            "true_less": {name: asdict(found) for name, found in self.comparisons.items()},
            "true_less_shuffled": {name: asdict(found) for name, found in self.parts.items()},
            "ambiguous": {"entities": names.entities, "by": names.source} if names else None,
            "pictures_named": asdict(self.named) if self.named else None,
            "calibration": self.calibration.to_json() if self.calibration else None,
            "notes": list(self.notes),
            "changes": {name: asdict(tally) for name, tally in self.changes.tallies.items()},
            "sentences": [change.to_json() for change in self.changes.sentences],
        }

    def page(self) -> str:
        """`to_json` as text: what fits on a line, and every list of words, stands on one."""
        return _laid_out(self.to_json())


def _laid_out(value: Any, indent: int = 0) -> str:
    line = json.dumps(value, ensure_ascii=False)
    words = isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)
    if words or not isinstance(value, list | dict) or (indent and indent + len(line) <= WIDTH):
        return line
    margin = " " * (indent + 1)
    if isinstance(value, list):
        parts, ends = [_laid_out(item, indent + 1) for item in value], "[]"
    else:
        parts = [f"{json.dumps(k)}: {_laid_out(v, indent + 1)}" for k, v in value.items()]
        ends = "{}"
    return f"{ends[0]}\n{margin}" + f",\n{margin}".join(parts) + f"\n{' ' * indent}{ends[1]}"
