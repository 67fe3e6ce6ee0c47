"""What the pictures of the audited data tell by themselves, as the image encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.data.names import ambiguous_names
from mmseq.data.splits import Split, types_of
from mmseq.layers.probe import linear_probe
from mmseq.pictures.types import typed_pictures, vectors_of
from mmseq.tagging.tagger import Tagger


@dataclass(frozen=True)
class NamedPictures:
    """How many distinct pictures of the audited data, of those whose sentences have entities, a
    linear classifier on the run's image encoder names rightly; it learned from the training data's.
    """

    pictures: int
    right: int
    training: int
    """Distinct pictures that it learned from"""

    @property
    def share(self) -> float:
        """Percent"""
        return 100 * self.right / self.pictures

    def line(self) -> str:
        """For the user."""
        return (
            f"By themselves {self.right} of {self.pictures} pictures ({self.share:.1f} %) tell the "
            "type, by a linear classifier on the image encoder (learned from the "
            f"{self.training} of the training data): if few, the image encoder is the limit; if "
            "many, and the scores are low, the fusion."
        )


def named_pictures(
    tagger: Tagger,
    encoder: ImageEncoder,
    audited: Split,
    training: Split,
) -> NamedPictures | None:
    """None where there are too few pictures or types to learn from."""
    table = tagger.pictures([*training.examples, *audited.examples])
    if table is None:
        return None
    types = types_of(training)
    ambiguous = ambiguous_names(training.examples)
    known, asked = (
        typed_pictures(split.examples, table, types, ambiguous) for split in (training, audited)
    )
    if len(types) < 2 or not len(known) or not len(asked):
        return None
    probe = linear_probe(
        vectors_of(known, table, encoder, tagger.device), known.shares.to(tagger.device)
    )
    scores = probe(vectors_of(asked, table, encoder, tagger.device))
    return NamedPictures(len(asked), asked.named(scores), len(known))
