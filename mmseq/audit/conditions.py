"""The same sentences tagged by the same model under each condition of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mmseq.audit.derangement import Contents, clashes, derangement
from mmseq.audit.standins import PictureFile, StandIns, blank, look_at, noise
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.model.collate import Collator, Prepared
from mmseq.model.prediction import Prediction, predict
from mmseq.pictures.checksums import images_sha256
from mmseq.tagging.tagger import Tagger

TRUE, SHUFFLED, BLANK, NOISE, NONE = "true", "shuffled", "blank", "noise", "none"
TEXT_ONLY = "text-only"
"""Another run, that has no pictures"""

Tags = list[tuple[str, ...]]
"""BIO tags of every sentence"""
Paths = tuple[Path, ...]


@dataclass(frozen=True)
class Tagged:
    """Tags of S sentences under each condition, and the pictures that they had."""

    tags: Mapping[str, list[Tags]]
    """Condition -> one `Tags`; of ``shuffled`` one a permutation. ``shuffled`` is left out where no
    sentence can get another picture: there is one with pictures, or all pictures are alike"""
    own: list[Paths]
    """(S) own pictures that can be used"""
    dealt: list[Paths]
    """(S) pictures in the first permutation; empty where there is none"""
    clashes: int
    """Sentences that kept a content of their own in a permutation: in the worst of them"""
    images_sha256: str = ""
    """Of the split's pictures"""
    scores: Sequence[float] = ()
    """Of each entity in the tags with true pictures, in order: its probability, to four digits"""


def tag_all(
    tagger: Tagger, encoder: ImageEncoder, split: Split, *, permutations: int, seed: int
) -> Tagged:
    """Tags of a split with true, shuffled, blank, noise and no pictures.

    `encoder` is the tagger's image encoder. Shuffled: only sentences with pictures that can be
    used trade them, all of a sentence's pictures together. Blank and noise: as many pictures of
    the same proportions. None: pictures are hidden as missing ones are, by a mask. Raises
    `UserError` where no sentence has a picture.
    """
    pictures = tagger.pictures(split.examples)
    collator = tagger.model.collator(pictures)
    sentences = [collator.prepare(replace(example, tags=None)) for example in split.examples]
    own = [sentence.images for sentence in sentences]
    files = look_at(path for paths in own for path in paths)
    if not files:
        raise UserError(
            f"{split.path}: none of its {len(own)} sentences has a picture that can be used; name "
            "the right folder with --images, or audit other data."
        )
    orders, worst = _orders(own, files, permutations, seed)
    dealt = [[own[j] for j in order] for order in orders]

    def tags(title: str, pictures: Sequence[Paths], source: Collator = collator) -> Tags:
        shown = [replace(s, images=p) for s, p in zip(sentences, pictures, strict=True)]
        return tag(tagger, source, shown, title)

    def drawing(draw: Callable[[Path], Image.Image]) -> Collator:
        source = StandIns(encoder, draw, tagger.device)
        return tagger.model.collator(source)

    true = predictions(tagger, collator, sentences, TRUE, scores=True)
    found = {TRUE: [[prediction.tags for prediction in true]]}
    if dealt:
        found[SHUFFLED] = [tags(f"{SHUFFLED} {n}", given) for n, given in enumerate(dealt, 1)]
    found[BLANK] = [tags(BLANK, own, drawing(lambda path: blank(files[path])))]
    found[NOISE] = [tags(NOISE, own, drawing(lambda path: noise(files[path], seed)))]
    found[NONE] = [tags(NONE, [()] * len(own))]
    checksum = images_sha256(split.examples, pictures.contents if pictures else None)
    # As a file of predictions has them.
    scores = [round(score, 4) for prediction in true for score in prediction.span_scores]
    return Tagged(found, own, dealt[0] if dealt else [], worst, checksum, scores)


def tag(tagger: Tagger, collator: Collator, sentences: Sequence[Prepared], title: str) -> Tags:
    """Tags of prepared sentences, in order, with a bar called `title`."""
    return [found.tags for found in predictions(tagger, collator, sentences, title)]


def predictions(
    tagger: Tagger,
    collator: Collator,
    sentences: Sequence[Prepared],
    title: str,
    *,
    scores: bool = False,
) -> list[Prediction]:
    """The same, with probabilities if `scores`."""
    with tagger.reporter.progress(title, len(sentences)) as advance:
        return predict(
            tagger.model,
            collator,
            sentences,
            device=tagger.device,
            scores=scores,
            advance=advance,
        )


def _orders(
    own: Sequence[Paths], files: Mapping[Path, PictureFile], permutations: int, seed: int
) -> tuple[list[list[int]], int]:
    """Orders of all sentences in which those with pictures trade, and the most that clash in one;
    no order where all would.
    """
    pictured = [i for i, paths in enumerate(own) if paths]
    contents: list[Contents] = [frozenset(files[p].sha256 for p in own[i]) for i in pictured]
    orders, worst = [], 0
    for number in range(permutations):
        traded = derangement(contents, np.random.default_rng([seed, number]))
        kept = clashes(contents, traded)
        if kept == len(pictured):
            return [], 0
        worst = max(worst, kept)
        order = list(range(len(own)))
        for place, source in zip(pictured, traded, strict=True):
            order[place] = pictured[source]
        orders.append(order)
    return orders, worst
