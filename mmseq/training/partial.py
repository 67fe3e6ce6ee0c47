"""Partly annotated training data: what cannot learn from it is refused before any work."""

from __future__ import annotations

from mmseq.config.config import Config
from mmseq.contracts.example import OPEN
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.model.partial import has_partial_loss


def require_partial(config: Config, train: Split) -> None:
    """`UserError` that names the decoder or task of a config that does not know what to do with the
    open words of `train`, where it has any.
    """
    first = train.facts.first_open
    if first is None:
        return
    example = train.examples[first]
    place = train.where(example, (example.tags or ()).index(OPEN))
    words = f"{place}: the first of {train.facts.open_words} open words ('{OPEN}')"
    decoder = config.component("decoder").entry
    if not has_partial_loss(decoder.load()):
        raise UserError(
            f"{words}, from which {decoder.title} cannot learn (it has no partial_loss); choose "
            "--decoder crf or softmax, or give every word its tag."
        )
    for choice in config.aux.values():
        if not choice.entry.load().partial:
            raise UserError(
                f"{words}, which {choice.entry.title} would take for O (it is not partial); leave "
                "it out of --aux, or give every word its tag."
            )
