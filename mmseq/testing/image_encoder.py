"""The contract of an image encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.pictures.opening import open_picture
from mmseq.testing.contract import Outputs
from mmseq.testing.device import no_strays
from mmseq.testing.gradients import check_weights, total
from mmseq.testing.invariance import check_inputs_kept, check_repeats, undrawn
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tensors import copied
from mmseq.testing.tiny import TINY_IMAGE_MODEL, tiny_sentences
from mmseq.testing.world import text_sizes


def check_image_encoder(
    component: type[ImageEncoder] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check an image encoder, a class or a registered name, with `options` of its constructor.

    One with the options `model` and `weights` gets timm's `test_resnet` with random weights unless
    you name others. `unused`: weights that get no gradient. Raises `mmseq.testing.ContractError`
    for a broken contract, `mmseq.UserError` for a wrong name or option.
    """
    _Check(Subject("image_encoder", component, options, TINY_IMAGE_MODEL), unused).run()


class _Check:
    def __init__(self, subject: Subject, unused: Sequence[str]) -> None:
        self.subject, self.unused = subject, unused
        self.learned = subject.fit()
        self.encoder: Any = subject.build(text_sizes(), fitted=self.learned)
        paths = [path for example in tiny_sentences() for path in example.images]
        self.pixels = self.transformed([open_picture(path) for path in paths])
        self.mask = torch.ones(len(paths), 1, dtype=torch.bool)

    def run(self) -> None:
        subject, encoder, pixels = self.subject, self.encoder, self.pixels
        self.announced()
        with subject.running("precompute"), torch.no_grad():
            stored = encoder.precompute(pixels)
        self.precomputed(stored)
        self.shapes(stored)
        check_inputs_kept(subject, pixels, lambda: encoder.precompute(pixels))
        check_inputs_kept(subject, stored, lambda: encoder(stored))
        with torch.no_grad():
            check_repeats(subject, encoder, lambda: self.outputs(pixels))
            self.batches()
            with TemporaryDirectory() as folder:
                check_state(subject, encoder, lambda: self.rebuilt(Path(folder)), self.rerun)
            with no_strays(subject, encoder):
                encoder(encoder.precompute(pixels))
        self.framed()
        self.frozen()
        check_weights(subject, encoder, lambda: total(self.outputs(pixels)), self.unused)

    def outputs(self, pixels: Tensor, encoder: Any = None) -> Outputs:
        encoder = encoder or self.encoder
        with torch.no_grad():
            stored = encoder.precompute(pixels)
        pictures = encoder(stored)
        levels = {f"levels[{i}]": level for i, level in enumerate(pictures.levels)}
        given = {"regions": pictures.regions, "vector": pictures.vector, **levels}
        return Outputs(self.mask[: len(pixels)], {}, given)

    def rerun(self, encoder: Any) -> Outputs:
        return self.outputs(self.pixels, encoder)

    def rebuilt(self, folder: Path) -> Any:
        with self.subject.running("save_assets", "it writes into the folder it is given"):
            self.encoder.save_assets(folder)
        right = "the structure is rebuilt from what save_assets wrote, and fitted"
        with self.subject.running("constructor with assets", right):
            return self.subject.build(text_sizes(), assets=folder, fitted=self.learned, seed=18)

    def transformed(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Pictures of every size to pixels of one."""
        subject, encoder = self.subject, self.encoder
        right = "(3, H, W) 32-bit floats, one size for every picture"
        found: list[Tensor] = []
        for picture in pictures:
            with subject.running("transform", right), undrawn(subject, "transform (randomness)"):
                pixels = encoder.transform(picture)
            size = tuple(found[0].shape) if found else tuple(getattr(pixels, "shape", ()))
            good = isinstance(pixels, Tensor) and pixels.dim() == 3 and pixels.shape[0] == 3
            subject.require(good, "transform", f"it gives {type(pixels)} {size}", right)
            subject.tensor(f"transform of a picture {picture.size}", "it", pixels, size)
            found.append(pixels)
        return torch.stack(found)

    def announced(self) -> None:
        subject, encoder = self.subject, self.encoder
        width = getattr(encoder, "width", None)
        right = "E, an int above 0"
        good = isinstance(width, int) and width > 0
        subject.require(good, "width", f"it is {width!r}", right)
        subject.rates(encoder)
        subject.hub_models()
        if encoder.whole_page:
            picture = Image.new("RGB", (200, 64), "white")
            marked = picture.copy()
            ImageDraw.Draw(marked).rectangle((0, 0, 12, 63), fill="black")
            one, other = self.transformed([picture, marked])
            right = "pictures are resized without cropping, or whole_page is False"
            seen = not torch.equal(one, other)
            subject.require(seen, "whole_page", "the left edge of a wide picture is cut", right)

    def framed(self) -> None:
        """A part of a picture, and the whole of it where nothing is cropped."""
        for size in ((200, 64), (64, 200), (96, 96)):
            with self.subject.running("frame", "x0 y0 x1 y1 in pixels"):
                found = tuple(float(place) for place in self.encoder.frame(size))
            whole = (0.0, 0.0, *map(float, size))
            right = "x0 < x1, y0 < y1 in pixels of the picture"
            good = len(found) == 4 and found[0] < found[2] and found[1] < found[3]
            if self.encoder.whole_page:
                right = f"with whole_page all of it, {whole}"
                good = good and all(abs(a - b) < 1 for a, b in zip(found, whole, strict=True))
            self.subject.require(good, f"frame of {size}", f"it gives {found}", right)

    def precomputed(self, stored: object) -> None:
        """Named tensors with a row a picture, without gradient."""
        subject, count = self.subject, len(self.pixels)
        contract, right = "precompute", f"a dict of tensors with {count} rows for {count} pictures"
        given = isinstance(stored, dict) and bool(stored)
        subject.require(given, contract, f"it gives {type(stored).__name__}", right)
        assert isinstance(stored, dict)
        for name, tensor in stored.items():
            rows = len(tensor) if isinstance(tensor, Tensor) and tensor.dim() else None
            subject.require(rows == count, contract, f"'{name}' has {rows} rows", right)
            subject.finite(contract, f"'{name}'", tensor)

    def shapes(self, stored: Mapping[str, Tensor]) -> None:
        subject, encoder = self.subject, self.encoder
        with subject.running("forward"):
            pictures = encoder(stored)
        given = isinstance(pictures, Pictures)
        subject.require(given, "forward", f"it gives {type(pictures).__name__}", "mmseq.Pictures")
        count, regions = len(self.pixels), pictures.regions.shape[1]
        width = encoder.width
        subject.tensor("regions (N, r, width)", "it", pictures.regions, (count, regions, width))
        subject.tensor("vector (N, width)", "it", pictures.vector, (count, width))
        subject.tensor("grid (r, 4)", "it", pictures.grid, (regions, 4))
        left, top, right, bottom = pictures.grid.unbind(dim=1)
        inside = (pictures.grid >= 0).all() and (pictures.grid <= 1).all()
        good = inside and (left < right).all() and (top < bottom).all()
        found = f"it has {pictures.grid[0].tolist()}"
        subject.require(good, "grid", found, "x0 < x1, y0 < y1 as shares of the picture, 0 to 1")
        widths = tuple(level.shape[1] for level in pictures.levels)
        contract = "levels"
        announced = tuple(encoder.levels)
        right_widths = "those announced by self.levels"
        subject.require(
            widths == announced, contract, f"{widths} wide, announced {announced}", right_widths
        )
        for number, level in enumerate(pictures.levels):
            shape = (count, announced[number], *level.shape[2:])
            subject.tensor(f"levels[{number}] (N, C, h, w)", "it", level, shape)

    def batches(self) -> None:
        """A picture gives the same in every batch."""
        everyone = self.outputs(self.pixels)
        right = "pictures of a batch do not see each other (batch norm in evaluation mode)"
        turned = self.outputs(self.pixels.flip(0))
        last = len(self.pixels) - 1
        for number in range(len(self.pixels)):
            alone = self.outputs(self.pixels[[number]])
            for what, found in (("of one", alone.of(0)), ("turned", turned.of(last - number))):
                contract = f"picture {number} in a batch {what}"
                self.subject.alike(contract, found, everyone.of(number), right)

    def frozen(self) -> None:
        """What is stored on disk depends on nothing that trains, and the fingerprint shows it."""
        subject, encoder = self.subject, self.encoder
        name = encoder.fingerprint
        if name is None:
            return
        again = subject.build(text_sizes(), fitted=self.learned).fingerprint
        right = "the same for the same weights and transform"
        subject.require(name == again, "fingerprint", "another one when built again", right)
        before = copied(encoder.precompute(self.pixels))
        state = copied(encoder.state_dict())
        self.moved(trained=True)
        right = "None as fingerprint, or what trains stays out of precompute"
        after = encoder.precompute(self.pixels)
        subject.alike("precompute after weights trained", after, before, right)
        self.moved(trained=False)
        differs = any(
            not torch.equal(t, before[n]) for n, t in encoder.precompute(self.pixels).items()
        )
        stale = differs and encoder.fingerprint == name
        right = "a hash over all that precompute depends on, or None"
        subject.require(not stale, "fingerprint", "the same with other frozen weights", right)
        encoder.load_state_dict(state)

    @torch.no_grad()
    def moved(self, *, trained: bool) -> None:
        """Change the weights that train, or those that do not."""
        torch.manual_seed(4)
        for parameter in self.encoder.parameters():
            if parameter.requires_grad is trained:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
