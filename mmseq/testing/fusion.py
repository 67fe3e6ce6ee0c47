"""The contract of a fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.fusion import Fused, Fusion
from mmseq.contracts.states import ImageStates, TextStates
from mmseq.errors import UserError
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import check_pictures_reached, check_weights, gradients, total
from mmseq.testing.invariance import check_batches, check_inputs_kept, check_repeats
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tensors import regions_padded, tracked_pictures, words_padded
from mmseq.testing.world import DRAWN, EVERY, PICTURELESS, World, worlds


def check_fusion(
    component: type[Fusion] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check a fusion, a class or a registered name, with `options` of its constructor.

    It is built beside several text encoders (`Sizes` with and without a sentence vector and named
    parts) and checked with each that it accepts; one that needs no pictures also without an image
    encoder. `unused`: weights that get no gradient. Raises `mmseq.testing.ContractError` for a
    broken contract, `mmseq.UserError` for a wrong name or option.
    """
    subject = Subject("fusion", component, options)
    learned = subject.fit()
    refusals = []
    checked = 0
    for pictures in (True, False) if not subject.cls.needs_images else (True,):
        for world in worlds(pictures=pictures):
            try:
                subject.build(world.sizes, fitted=learned)
            except UserError as error:
                refusals.append(f"beside {world.name}: {error}")
                continue
            _Check(subject, world, learned, unused).run()
            checked += 1
    right = "it can be built with its default options beside one of the encoders"
    subject.require(checked, "constructor", f"refused {'; '.join(refusals)}", right)


class _Check:
    """A fusion beside one text encoder."""

    def __init__(self, subject: Subject, world: World, learned: Any, unused: Sequence[str]) -> None:
        self.subject, self.world, self.unused = subject, world, unused
        self.learned = learned
        self.fusion: Any = self.build()

    def build(self, seed: int = 17) -> Any:
        return self.subject.build(self.world.sizes, fitted=self.learned, seed=seed)

    def states(self, indexes: Sequence[int]) -> tuple[TextStates, ImageStates | None]:
        return self.world.states(indexes, self.subject.cls.extras)

    def outputs(self, text: TextStates, images: ImageStates | None, fusion: Any = None) -> Outputs:
        fused: Fused = (fusion or self.fusion)(text, images)
        views = {f"view '{name}'": view for name, view in fused.views.items()}
        whole = {f"sentence view '{name}'": view for name, view in fused.sentence_views.items()}
        return Outputs(text.mask, {"states": fused.states, **views}, whole)

    def run(self) -> None:
        """All checks, from the plainest to the ones that build on it."""
        subject, fusion = self.subject, self.fusion
        text, images = self.states(EVERY)
        for indexes in (EVERY, PICTURELESS, DRAWN, [2], [1]):
            self.shapes(indexes)
        check_inputs_kept(subject, (text, images), lambda: fusion(text, images))
        with torch.no_grad():
            check_repeats(subject, fusion, lambda: self.outputs(text, images))
            self.padding(text, images)
            check_batches(subject, lambda indexes: self.outputs(*self.states(indexes)))
            check_state(
                subject,
                fusion,
                lambda: self.build(seed=18),
                lambda module: self.outputs(text, images, module),
            )
            check_device(subject, fusion, lambda: fusion(text, images))
        self.reached(text, images)
        check_weights(subject, fusion, lambda: total(self.outputs(text, images)), self.unused)
        lonely = self.states(PICTURELESS)
        everything = [name for name, _ in fusion.named_parameters()]
        check_weights(
            subject,
            fusion,
            lambda: total(self.outputs(*lonely)),
            everything,
            " (a batch without pictures)",
        )

    def shapes(self, indexes: Sequence[int]) -> None:
        """Widths as announced, 32-bit floats, finite numbers."""
        subject, fusion = self.subject, self.fusion
        where = f"sentences {list(indexes)} beside {self.world.name}"
        text, images = self.states(indexes)
        width = fusion.width
        with subject.running(f"forward of {where}", text=text, images=images), torch.no_grad():
            fused = fusion(text, images)
        subject.require(
            isinstance(fused, Fused), "forward", f"it gives {type(fused).__name__}", "mmseq.Fused"
        )
        places = tuple(text.mask.shape)
        subject.tensor(f"states (B, W, width) of {where}", "states", fused.states, (*places, width))
        for attribute, size, shape, engines in (
            ("views", places, "(B, W, announced width)", {"words", "fused"}),
            ("sentence_views", places[:1], "(B, announced width)", {"words", "fused", "picture"}),
        ):
            announced, given = dict(getattr(fusion, attribute)), dict(getattr(fused, attribute))
            subject.require(
                announced.keys() == given.keys(),
                attribute,
                f"announced are {sorted(announced)}, given {sorted(given)}",
                f"the same names in self.{attribute} and Fused.{attribute}",
            )
            own = sorted(engines & announced.keys())
            right = "names that the engine has not"
            subject.require(not own, attribute, f"it offers {own}", right)
            what = attribute.replace("_", " ").removesuffix("s")
            for name, view in given.items():
                contract = f"{what} '{name}' {shape} of {where}"
                subject.tensor(contract, "it", view, (*size, announced[name]))
        both = sorted(fusion.views.keys() & fusion.sentence_views.keys())
        found, right = f"{both} are views of words too", "a name of its own for each"
        subject.require(not both, "sentence_views", found, right)

    def padding(self, text: TextStates, images: ImageStates | None) -> None:
        """Padding words and absent regions have no influence."""
        expected = self.outputs(text, images)
        for more in (0, 3):
            longer = f", {more} more of them" if more else ""
            found = self.outputs(words_padded(text, more), images)
            self.compare(
                f"mask (padding words changed{longer})",
                found,
                expected,
                "what reads other words looks at text.mask",
            )
            if images is not None:
                found = self.outputs(text, regions_padded(images, more))
                self.compare(
                    f"mask (absent regions changed{longer})",
                    found,
                    expected,
                    "what reads regions looks at images.mask (mmseq.attend, mmseq.masked_softmax)",
                )

    def compare(self, contract: str, found: Outputs, expected: Outputs, right: str) -> None:
        for number in EVERY:
            place = f"{contract}, sentence {number}"
            self.subject.alike(place, found.of(number), expected.of(number), right)

    def reached(self, text: TextStates, images: ImageStates | None) -> None:
        """Gradients come back to every word, and to every sentence's pictures if it needs them."""
        words: dict[str, Tensor] = {"words": text.words, **text.parts}
        words = {name: tensor.detach().clone().requires_grad_() for name, tensor in words.items()}
        parts = {name: words[name] for name in text.parts}
        text = replace(text, words=words["words"], parts=parts)
        pictures: dict[str, Tensor] = {}
        if images is not None:
            images, pictures = tracked_pictures(images)
        value = total(self.outputs(text, images))
        found = gradients(self.subject, value, {**words, **pictures})
        reach = torch.stack([found[name].abs().sum(dim=-1) for name in words]).sum(dim=0)
        missed = (reach == 0) & text.mask
        self.subject.require(
            not missed.any(),
            "gradients of its inputs",
            f"none for {int(missed.sum())} of {int(text.mask.sum())} words",
            "every word's vector has a share in its state (no detach on the way)",
        )
        if images is not None and self.subject.cls.needs_images:
            seen = {name: found[name] for name in pictures}
            check_pictures_reached(self.subject, seen, images.present, "states")
