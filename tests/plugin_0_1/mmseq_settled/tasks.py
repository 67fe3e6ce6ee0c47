"""Auxiliary tasks: prepared, of pairs, with a decoder of its own, learned from the text."""

from typing import Literal

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

import mmseq


class Anchors(mmseq.AuxTask):
    """Draws each word to the mean state of its tag, and tells the emissions how near it is."""

    weight = 0.2

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        preparation: mmseq.Natural = 1,
        refines: bool = True,
        scale: mmseq.Positive = 0.5,
    ) -> None:
        super().__init__()
        self.preparation, self.refines = preparation, refines
        self.scale = nn.Parameter(torch.tensor(scale))
        self.register_buffer("sums", torch.zeros(len(sizes.labels), sizes.views["fused"]))
        self.register_buffer("number", torch.zeros(len(sizes.labels)))

    def count(self, targets):
        return int(targets.mask.sum())

    def observe(self, views, targets):
        tags = targets.tags[targets.mask]
        self.sums.index_add_(0, tags, views["fused"][targets.mask])
        self.number += tags.bincount(minlength=len(self.number))

    def finish(self):
        self.sums.copy_(mmseq.all_sum(self.sums))
        self.number.copy_(mmseq.all_sum(self.number))

    def forward(self, views, targets, emissions):
        means = self.sums / self.number.clamp(min=1)[:, None]
        far = (views["fused"][:, :, None] - means).square().mean(dim=3)
        refined = emissions - self.scale * far if self.refines else None
        if targets.tags is None:
            return mmseq.AuxOutput(emissions.new_zeros(()), refined)
        own = far.gather(2, targets.tags[..., None])[..., 0]
        return mmseq.AuxOutput(own[targets.mask].sum(), refined)


class Pairs(mmseq.AuxTask):
    """Finds each sentence's picture among those of the batch."""

    views = ("text", "image")
    lacking = {"image": "It compares words with pictures: take --fusion glance."}
    weight = 0.3
    additive = False

    def __init__(self, sizes: mmseq.Sizes, *, temperature: mmseq.Positive = 0.5) -> None:
        super().__init__()
        if sizes.views["text"] != sizes.views["image"]:
            raise mmseq.UserError("aux task 'pairs' needs views 'text' and 'image' of one width.")
        self.temperature = temperature

    def count(self, targets):
        return int(targets.has_image.sum())

    def forward(self, views, targets, emissions):
        words = targets.mask[..., None]
        number = words.sum(dim=1)
        text, image = (
            normalize(((view * words).sum(dim=1) / number)[targets.has_image], dim=1)
            for view in (views["text"], views["image"])
        )
        others, first = mmseq.gather(image)
        places = first + torch.arange(len(text), device=text.device)
        scores = text @ others.T / self.temperature
        return mmseq.AuxOutput(cross_entropy(scores, places, reduction="sum"))


class Outline(mmseq.AuxTask):
    """Where entities begin and end, whatever their type, by a CRF of its own."""

    views = ("words",)
    weight = 0.4

    def __init__(self, sizes: mmseq.Sizes, *, backend: Literal["fast", "pytorch-crf"] = "fast"):
        super().__init__()
        self.head = nn.Linear(sizes.text, 3)
        self.decoder = mmseq.CrfDecoder(mmseq.Sizes(("O", "B-X", "I-X")), backend=backend)
        places = ["OBI".index(label[0]) for label in sizes.labels]
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def count(self, targets):
        return self.decoder.count(targets)

    def forward(self, views, targets, emissions):
        tags = self.places[targets.tags]
        return mmseq.AuxOutput(self.decoder.loss(self.head(views["words"]), tags, targets.mask))


class NextLetter(mmseq.AuxTask):
    """The first letter of the next word, from a state that has not seen it."""

    views = ("forward",)
    lacking = {"forward": "Take --text-encoder letters."}

    def __init__(self, sizes: mmseq.Sizes, *, smoothing: mmseq.Share = 0.0, fitted: dict) -> None:
        super().__init__()
        self.letters = fitted["letters"]
        self.smoothing = smoothing
        self.score = nn.Linear(sizes.views["forward"], 1 + len(self.letters))

    @classmethod
    def fit(cls, examples, smoothing):
        firsts = {token[0].lower() for example in examples for token in example.tokens}
        return {"letters": "".join(sorted(firsts))}

    def count(self, targets):
        return sum(len(tokens) - 1 for tokens in targets.tokens)

    def forward(self, views, targets, emissions):
        losses = [emissions.new_zeros(()) + 0 * self.score(views["forward"][:0]).sum()]
        for row, tokens in enumerate(targets.tokens):
            nexts = [1 + self.letters.find(token[0].lower()) for token in tokens[1:]]
            wanted = torch.tensor(nexts, dtype=torch.long, device=emissions.device)
            scores = self.score(views["forward"][row, : len(nexts)])
            losses.append(
                cross_entropy(scores, wanted, reduction="sum", label_smoothing=self.smoothing)
            )
        return mmseq.AuxOutput(torch.stack(losses).sum())
