"""The parts around a component under check: small real encoders, and batches through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from mmseq.contracts.aux_task import AuxTask
from mmseq.contracts.decoder import Decoder
from mmseq.contracts.states import ImageStates, PerWord, Sizes, TextStates
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.data.tags import label_names
from mmseq.model.batch import Batch
from mmseq.model.collate import Collator, Prepared
from mmseq.model.field_values import Field
from mmseq.model.fields import ExtraField
from mmseq.model.gathering import image_states
from mmseq.pictures.features import FeatureTable, compute_features
from mmseq.registry.plugins import registry
from mmseq.testing.drawn import with_fields
from mmseq.testing.tiny import PICTURES, TINY_IMAGE_MODEL, tiny_bert, tiny_sentences

NO_EXTRAS: Mapping[str, PerWord] = {}
NO_FIELDS: Mapping[str, Field] = {}
LABELS = label_names(("LOC", "PER"))
STATES = 12
"""Width of the fused states that a decoder may read"""
EVERY = tuple(range(len(PICTURES)))
"""Numbers of the sentences"""
PICTURELESS = tuple(i for i in EVERY if not PICTURES[i])
DRAWN = tuple(i for i in EVERY if PICTURES[i])


class World:
    """A text encoder, with or without an image encoder, and the six sentences through them."""

    def __init__(self, name: str, text: TextEncoder, sizes: Sizes, *, vector: bool = True) -> None:
        self.name = name
        self.text = text.eval()
        self.vector = vector
        self.sizes = replace(
            sizes,
            text=text.width,
            sentence=text.sentence if vector else 0,
            parts=dict(text.parts),
        )
        self._known: dict[str, tuple[TextStates, ImageStates | None]] = {}

    def batch(
        self,
        indexes: Sequence[int],
        extras: Mapping[str, PerWord] = NO_EXTRAS,
        task: type[AuxTask] | None = None,
    ) -> Batch:
        """Those sentences, with the extra fields that a fusion reads, and a task."""
        collator, prepared = prepare(self.text, {**self.text.extras, **extras}, task)
        return collator.batch([prepared[i] for i in indexes])

    def states(
        self, indexes: Sequence[int], extras: Mapping[str, PerWord] = NO_EXTRAS
    ) -> tuple[TextStates, ImageStates | None]:
        """Those sentences as a fusion gets them; copies, in case it changes them."""
        key = f"{list(indexes)} {dict(extras)}"
        if key not in self._known:
            self._known[key] = self._computed(indexes, extras)
        return deepcopy(self._known[key])

    @torch.no_grad()
    def _computed(
        self, indexes: Sequence[int], extras: Mapping[str, PerWord]
    ) -> tuple[TextStates, ImageStates | None]:
        batch = self.batch(indexes, extras)
        images = image_states(batch, tiny_image_encoder()) if self.sizes.image else None
        text = self.text(batch.text, images)
        vector = text.vector if self.vector else None
        return replace(text, vector=vector, extras=batch.text.extras), images


@cache
def worlds(*, pictures: bool) -> list[World]:
    """Encoders of several kinds, each with other widths: with and without a sentence vector, and
    with named parts.
    """
    from mmseq.builtins.text.transformer import TransformerEncoder

    sizes = image_sizes() if pictures else text_sizes()
    # 12 heads, which many papers have, divide 48 and not 32.
    small = TransformerEncoder(sizes, model=str(tiny_bert(32)))
    wide = TransformerEncoder(sizes, model=str(tiny_bert(48)))
    return [
        World("a BERT 32 wide", small, sizes),
        World("a BERT 48 wide", wide, sizes),
        World("an encoder 48 wide without a sentence vector", wide, sizes, vector=False),
        World("a BiLSTM 48 wide with all parts", _recurrent(sizes), sizes),
    ]


def _recurrent(sizes: Sizes) -> TextEncoder:
    """Word vectors, characters and one LSTM: it has every part there is."""
    from mmseq.builtins.text.recurrent import BiLstmEncoder

    entry = registry().get("text_encoder", "bilstm")
    options = entry.check_options({"vectors": "", "word_width": 20, "chars": "cnn", "hidden": 24})
    torch.manual_seed(0)
    fitted = BiLstmEncoder.fit(tiny_sentences(), **options)
    return BiLstmEncoder(sizes, fitted=fitted, **options)


@cache
def tiny_image_encoder() -> Any:
    """A random timm `test_resnet` with a pyramid, which sees the whole page."""
    from mmseq.builtins.images.timm import TimmEncoder

    torch.manual_seed(0)
    sizes = Sizes(LABELS)
    return TimmEncoder(sizes, **TINY_IMAGE_MODEL, fit="page", levels=True).eval()


def text_sizes() -> Sizes:
    """The sizes of a run without pictures, before the text encoder is built."""
    return Sizes(LABELS, losses={"main": 1.0})


def decoder_sizes() -> Sizes:
    """The sizes that a decoder is built with."""
    views = {"words": STATES, "fused": STATES}
    return replace(text_sizes(), text=STATES, views=views)


def read_width(decoder: Decoder) -> int:
    """Width of what the decoder reads of a word."""
    return STATES if decoder.reads == "fused" else len(LABELS)


def image_sizes() -> Sizes:
    """The sizes of a run with pictures, before the text encoder is built."""
    encoder = tiny_image_encoder()
    return replace(
        text_sizes(), image=encoder.width, levels=encoder.levels, whole_page=encoder.whole_page
    )


@cache
def tiny_pictures() -> FeatureTable:
    """The pictures of the six sentences, through the frozen image encoder."""
    paths = [path for example in tiny_sentences() for path in example.images]
    return compute_features(paths, tiny_image_encoder(), batch_size=len(paths))


def prepare(
    text: TextEncoder, extras: Mapping[str, Field], task: type[AuxTask] | None = None
) -> tuple[Collator, list[Prepared]]:
    """The six sentences for an encoder and the fields that are read beside, by a task too."""
    own = NO_FIELDS if task is None else task.extras
    fields = [ExtraField(name, entries, "component") for name, entries in extras.items()]
    fields += [ExtraField(name, entries, "aux task", True) for name, entries in own.items()]
    collator = Collator(text, LABELS, tiny_pictures(), fields)
    examples = [with_fields(example, {**own, **extras}, task) for example in tiny_sentences()]
    return collator, [collator.prepare(example, training=True) for example in examples]
