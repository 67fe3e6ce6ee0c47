"""Entities of types that a run does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mmseq.data import tags as tagging
from mmseq.data.splits import Split, types_of
from mmseq.errors import UserError


def unknown_entities(split: Split, labels: Iterable[str]) -> dict[str, int]:
    """Number of entities of each type that is not among `labels`, sorted by type."""
    known = _types(labels)
    if known.issuperset(types_of(split)):
        return {}
    kinds = Counter(kind for e in split.examples for _, _, kind in tagging.spans(e.tags or ()))
    return {kind: kinds[kind] for kind in sorted(kinds) if kind not in known}


def missed_line(name: str, unknown: Mapping[str, int], who: str) -> str:
    """What the user reads about entities of a type that `who` does not know."""
    counts = ", ".join(f"{kind} {count}" for kind, count in unknown.items())
    return f"{name}: entities of types that {who} does not know count as missed: {counts}"


def check_known(
    split: Split, labels: Iterable[str], who: str = "the run", remedy: str = ""
) -> None:
    """`UserError` naming the first word whose type is not among the `labels` that `who` knows.

    `remedy`: what else to do than to rename or ignore the type.
    """
    known = _types(labels)
    if known.issuperset(types_of(split)):
        return
    for example in split.examples:
        for index, tag in enumerate(example.tags or ()):
            kind = tagging.split_tag(tag)[1]
            if kind and kind not in known:
                named = f"it knows {', '.join(sorted(known))}"
                ways = [f"rename it (`--map {kind}=…`)"] if known else []
                ways += [f"ignore it (`--map {kind}=O`)", *([remedy] if remedy else [])]
                raise UserError(
                    f"{split.where(example, index)}: {who} does not know the type of tag '{tag}' "
                    f"({named if known else 'its training data have no types'}); "
                    f"{' or '.join(ways)}."
                )


def _types(labels: Iterable[str]) -> set[str]:
    return {tagging.split_tag(label)[1] for label in labels} - {""}
