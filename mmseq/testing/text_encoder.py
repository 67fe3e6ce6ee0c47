"""The contract of a text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.states import ImageStates, TextStates
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.model.batch import Batch
from mmseq.model.gathering import image_states
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import check_pictures_reached, check_weights, gradients, total
from mmseq.testing.invariance import check_batches, check_inputs_kept, check_repeats
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tensors import tracked_pictures
from mmseq.testing.tiny import tiny_bert, tiny_sentences
from mmseq.testing.world import EVERY, image_sizes, prepare, text_sizes, tiny_image_encoder

LONG = 150
"""Words of a sentence that no tiny window holds"""
CONTEXT = {
    "word": (True, True),
    "char": (True, True),
    "forward": (False, True),
    "backward": (True, False),
}
"""Part -> whether it is the same whatever stands before the word, and after it"""


def check_text_encoder(
    component: type[TextEncoder] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check a text encoder, a class or a registered name, with `options` of its constructor.

    One with an option `model` gets a random BERT, 32 wide, unless you name another. `unused`:
    weights that get no gradient. Raises `mmseq.testing.ContractError` for a broken contract,
    `mmseq.UserError` for a wrong name or option.
    """
    defaults = {"model": str(tiny_bert())}
    subject = Subject("text_encoder", component, options, defaults)
    _Check(subject, unused).run()


class _Check:
    def __init__(self, subject: Subject, unused: Sequence[str]) -> None:
        self.subject, self.unused = subject, unused
        self.sizes = image_sizes() if subject.cls.needs_images else text_sizes()
        self.learned = subject.fit()
        self.encoder: Any = subject.build(self.sizes, fitted=self.learned)

    def run(self) -> None:
        subject, encoder = self.subject, self.encoder
        self.announced()
        self.encoded()
        batch, images = self.batch(EVERY)
        for indexes in (EVERY, [2], [1]):
            self.shapes(indexes)
        check_inputs_kept(subject, (batch.text, images), lambda: encoder(batch.text, images))
        run = self.outputs
        with torch.no_grad():
            check_repeats(subject, encoder, lambda: run(EVERY))
            check_batches(subject, run)
            with TemporaryDirectory() as folder:
                check_state(subject, encoder, lambda: self.rebuilt(Path(folder)), self.rerun)
            check_device(subject, encoder, lambda: encoder(batch.text, images))
            self.long()
            self.parts()
        check_weights(subject, encoder, lambda: total(run(EVERY)), self.unused)
        if images is not None:
            self.reached(batch, images)

    def batch(
        self, indexes: Sequence[int], encoder: Any = None
    ) -> tuple[Batch, ImageStates | None]:
        encoder = encoder or self.encoder
        collator, prepared = prepare(encoder, encoder.extras)
        batch = collator.batch([prepared[i] for i in indexes])
        needed = self.subject.cls.needs_images
        return batch, image_states(batch, tiny_image_encoder()) if needed else None

    def outputs(self, indexes: Sequence[int], encoder: Any = None) -> Outputs:
        batch, images = self.batch(indexes, encoder)
        return self.named((encoder or self.encoder)(batch.text, images))

    def rerun(self, encoder: Any) -> Outputs:
        return self.outputs(EVERY, encoder)

    def named(self, states: TextStates) -> Outputs:
        parts = {f"part '{name}'": part for name, part in states.parts.items()}
        vector = {} if states.vector is None else {"vector": states.vector}
        return Outputs(states.mask, {"words": states.words, **parts}, vector)

    def rebuilt(self, folder: Path) -> Any:
        with self.subject.running("save_assets", "it writes into the folder it is given"):
            self.encoder.save_assets(folder)
        with self.subject.running(
            "constructor with assets",
            "the structure is rebuilt from what save_assets wrote, and fitted",
        ):
            return self.subject.build(self.sizes, assets=folder, fitted=self.learned, seed=18)

    def announced(self) -> None:
        subject, encoder = self.subject, self.encoder
        for name, least in (("width", 1), ("sentence", 0)):
            value = getattr(encoder, name, None)
            right = f"an int, at least {least}"
            subject.require(
                isinstance(value, int) and value >= least, name, f"it is {value!r}", right
            )
        subject.rates(encoder)
        subject.hub_models()
        matrix = encoder.embeddings()
        own = matrix is None or any(matrix is p for p in encoder.parameters())
        right = "one of parameters(), or None"
        subject.require(own, "embeddings", f"it is {type(matrix).__name__} of its own", right)

    def encoded(self) -> None:
        """`encode` and `collate` work on the CPU, the same each time."""
        subject, encoder = self.subject, self.encoder
        words = [example.tokens for example in tiny_sentences()]
        with subject.running("encode and collate"):
            once = encoder.collate([encoder.encode(w) for w in words])
            again = encoder.collate([encoder.encode(w) for w in words])
        right = "a dict of names to tensors, which forward gets as inputs.tensors"
        given = isinstance(once, Mapping)
        subject.require(given, "collate", f"it gives {type(once).__name__}", right)
        for sentence in words:
            with subject.running("length"):
                found = encoder.length(encoder.encode(sentence), len(sentence))
            right = "an int, at least 1: by it sentences alike in length make a batch"
            subject.require(
                isinstance(found, int) and found >= 1, "length", f"it gives {found!r}", right
            )
        for name, tensor in once.items():
            contract = f"collate, '{name}'"
            right = "a CPU tensor; encode and collate draw nothing"
            subject.require(isinstance(tensor, Tensor), contract, f"it is {type(tensor)}", right)
            subject.require(
                tensor.device.type == "cpu" and torch.equal(tensor, again[name]),
                contract,
                "two calls differ",
                right,
            )

    def shapes(self, indexes: Sequence[int]) -> None:
        subject, encoder = self.subject, self.encoder
        where = f"sentences {list(indexes)}"
        batch, images = self.batch(indexes)
        forward = subject.running(f"forward of {where}", inputs=batch.text, images=images)
        with forward, torch.no_grad():
            states = encoder(batch.text, images)
        self.shaped(where, states, batch.text.mask)

    def shaped(self, where: str, states: Any, mask: Tensor) -> None:
        subject, encoder = self.subject, self.encoder
        given = isinstance(states, TextStates)
        subject.require(given, "forward", f"it gives {type(states).__name__}", "mmseq.TextStates")
        right = "inputs.mask as it came"
        subject.require(torch.equal(states.mask, mask), "mask", "it differs", right)
        rows, width = tuple(mask.shape), encoder.width
        subject.tensor(f"words (B, W, width) of {where}", "it", states.words, (*rows, width))
        announced, found = dict(encoder.parts), dict(states.parts)
        subject.require(
            announced.keys() == found.keys(),
            "parts",
            f"announced are {sorted(announced)}, given {sorted(found)}",
            "the same names in self.parts and TextStates.parts",
        )
        for name, part in found.items():
            contract = f"part '{name}' (B, W, announced width) of {where}"
            subject.tensor(contract, "it", part, (*rows, announced[name]))
        if encoder.sentence or states.vector is not None:
            contract = f"vector (B, sentence = {encoder.sentence}) of {where}"
            subject.tensor(contract, "it", states.vector, (rows[0], encoder.sentence))

    def long(self) -> None:
        """No word is dropped, however long the sentence; strange words are words too."""
        words = ["☃", "a" * 60, *("seen" for _ in range(LONG))]
        where = f"a sentence of {len(words)} words"
        with self.subject.running(where, "every word has a vector (windows, see transformer)"):
            inputs = self.inputs([words])
            images = self.batch([1])[1]
            states = self.encoder(inputs, images)
        self.shaped(where, states, inputs.mask)

    def inputs(self, sentences: Sequence[Sequence[str]]) -> TextInputs:
        """Sentences of one length that are not among the six; their extras are 0."""
        tensors = self.encoder.collate([self.encoder.encode(words) for words in sentences])
        mask = torch.ones(len(sentences), len(sentences[0]), dtype=torch.bool)
        extras: Mapping[str, Tensor] = {
            name: torch.zeros(*mask.shape, entries.size or 1)
            for name, entries in self.encoder.extras.items()
        }
        return TextInputs(tensors, mask, extras)

    def parts(self) -> None:
        """What is announced as seeing nothing before or after a word does not."""
        first = ["Anna", "was", "seen", "in", "Oslo"]
        inputs = self.inputs([first, ["Lima", *first[1:]], [*first[:-1], "Lima"]])
        images = self.batch([1, 1, 1])[1]
        parts = self.encoder(inputs, images).parts
        for name, (blind_before, blind_after) in CONTEXT.items():
            if name in parts:
                own, before, after = parts[name][:, 2]
                for blind, other, side in (
                    (blind_before, before, "before"),
                    (blind_after, after, "after"),
                ):
                    if blind:
                        contract = f"part '{name}' (another word {side} it)"
                        right = f"it has seen nothing {side} its word"
                        self.subject.alike(contract, {"it": other}, {"it": own}, right)

    def reached(self, batch: Batch, images: ImageStates) -> None:
        """Gradients come back to the pictures."""
        seen, pictures = tracked_pictures(images)
        value = total(self.named(self.encoder(batch.text, seen)))
        found = gradients(self.subject, value, pictures)
        check_pictures_reached(self.subject, found, images.present, "words")
