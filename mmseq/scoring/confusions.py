"""Which type is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

Spans = Sequence[tuple[int, int, str]]


def confused(sentences: Iterable[tuple[Spans, Spans]]) -> dict[str, dict[str, int]]:
    """Gold type -> predicted type -> entities whose borders are right and whose type is not, of
    the gold and the predicted entities of each sentence.

    Their number in all is that of the mistake ``type`` in `mmseq.scoring.mistakes.error_counts`.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for gold_spans, predicted_spans in sentences:
        found = {(start, end): kind for start, end, kind in predicted_spans}
        for start, end, kind in gold_spans:
            other = found.get((start, end), kind)
            if other != kind:
                counts[kind, other] += 1
    table: dict[str, dict[str, int]] = {}
    for (gold, predicted), number in sorted(counts.items()):
        table.setdefault(gold, {})[predicted] = number
    return table
