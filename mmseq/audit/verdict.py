"""One sentence on whether the pictures help, by a fixed rule from the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmseq.audit.comparison import Comparison
from mmseq.audit.conditions import NONE, SHUFFLED, TEXT_ONLY, TRUE

Kind = Literal["matter", "mislead", "swayed", "presence", "none", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """What the tests say, in one word and in one sentence."""

    kind: Kind
    sentence: str


def verdict(
    f1: Mapping[str, float], comparisons: Mapping[str, Comparison], *, alpha: float
) -> Verdict:
    """The verdict on conditions' `f1` and the `comparisons` of true pictures with each of them.

    A difference is shown where its adjusted p is below `alpha`. Two comparisons decide. A model
    that is given other sentences' pictures has everything as in training but what the picture says
    about the sentence; one that is given none must do with the words.

    * ``matter``: the true pictures are better than shuffled ones and than none.
    * ``mislead``: they are worse than both.
    * ``swayed``: they are better than shuffled ones, but not than none: wrong pictures lead the
      model astray, and right ones are no help.
    * ``presence``: they differ from none, and are not better than shuffled ones: that there is a
      picture tells the model something, and not what it shows.
    * ``none``: no help is shown, which does not say that there is none.
    * ``unknown``: the pictures could not be shuffled.

    The tests are about this trained model on sentences like these. A model can have learned from
    accidents of its training pairs, even from shuffled ones; on other data these can help or harm.
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
            "Whether the pictures matter cannot be decided: no two sentences have different "
            "pictures to trade"
        )
    shuffled, none = comparisons[SHUFFLED], comparisons[NONE]
    scores = (
        f"with its own pictures the model scores {f1[TRUE]:.2f} F1, with other sentences' "
        f"{f1[SHUFFLED]:.2f} ({shuffled}), with none {f1[NONE]:.2f} ({none})"
    )
    match shuffled.shown(alpha), none.shown(alpha):
        case 1, 1:
            return "matter", f"The pictures matter: {scores}"
        case -1, -1:
            return "mislead", f"The pictures mislead: {scores}"
        case 1, _:
            return "swayed", f"Wrong pictures mislead the model, its own are no help: {scores}"
        case _, 1:
            return "presence", f"That there is a picture helps, but not what it shows: {scores}"
        case _, -1:
            return "presence", f"That there is a picture harms, whatever it shows: {scores}"
    return "none", f"No help from the pictures is shown: {scores}"


def _on_text_only(f1: float, comparison: Comparison, alpha: float) -> str:
    said = {0: "from which no difference is shown", 1: "which is less", -1: "which is more"}
    return f"the text-only run scores {f1:.2f}, {said[comparison.shown(alpha)]} ({comparison})"
