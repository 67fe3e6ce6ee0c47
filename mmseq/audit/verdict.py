"""One sentence on whether the pictures help, by a fixed rule from the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmseq.audit.comparison import Comparison
from mmseq.audit.conditions import NONE, SHUFFLED, TEXT_ONLY, TRUE

Kind = Literal["matter", "mislead", "presence", "none", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """What the tests say, in one word and in one sentence."""

    kind: Kind
    sentence: str


def verdict(
    f1: Mapping[str, float], comparisons: Mapping[str, Comparison], *, alpha: float
) -> Verdict:
    """The verdict on conditions' `f1` and the `comparisons` of true pictures with each of them.

    A difference is shown where its adjusted p is below `alpha`. The first that applies:

    1. ``unknown``: pictures could not be shuffled.
    2. ``matter`` or ``mislead``: the true pictures score above or below shuffled ones. This
       decides, since a model that is given other sentences' pictures has everything as in
       training but what the picture says about the sentence.
    3. ``presence``: the true pictures score above or below none. The model has learned from there
       being a picture, not from what it shows.
    4. ``none``: no help is shown, which does not say that there is none.

    Blank and noise pictures are unlike any seen in training: they are reported, and decide nothing.
    A text-only run adds a clause and does not decide either: two trained models differ by more
    than their pictures.
    """
    kind, sentence = _on_pictures(f1, comparisons, alpha)
    if TEXT_ONLY in comparisons:
        sentence += f"; {_on_text_only(f1[TEXT_ONLY], comparisons[TEXT_ONLY], alpha)}"
    return Verdict(kind, f"{sentence}.")


def _on_pictures(
    f1: Mapping[str, float], comparisons: Mapping[str, Comparison], alpha: float
) -> tuple[Kind, str]:
    if SHUFFLED not in comparisons:
        return "unknown", (
            "Whether the pictures matter cannot be told: no two sentences have different pictures "
            "to trade"
        )
    shuffled, none = comparisons[SHUFFLED], comparisons[NONE]
    scores = (
        f"with its own pictures the model scores {f1[TRUE]:.2f} F1, with other sentences' "
        f"{f1[SHUFFLED]:.2f} ({shuffled})"
    )
    if shuffled.p_adjusted < alpha:
        if shuffled.effect > 0:
            return "matter", f"The pictures matter: {scores}"
        return "mislead", f"The pictures mislead: {scores}"
    if none.p_adjusted < alpha:
        does = "helps" if none.effect > 0 else "harms"
        return "presence", (
            f"That there is a picture {does}, but no use of what it shows is seen: {scores}, and "
            f"without pictures {f1[NONE]:.2f} ({none})"
        )
    return "none", f"No help from the pictures is shown: {scores}"


def _on_text_only(f1: float, comparison: Comparison, alpha: float) -> str:
    if comparison.p_adjusted >= alpha:
        said = "from which no difference is shown"
    else:
        said = "which is less" if comparison.effect > 0 else "which is more"
    return f"the text-only run scores {f1:.2f}, {said} ({comparison})"
