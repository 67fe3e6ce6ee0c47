import torch

import mmseq


class Echo(mmseq.AuxTask):
    """The main task's loss once more (decoder softmax)."""

    factor = 1.0

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.decoder = mmseq.SoftmaxDecoder(sizes)

    def count(self, targets):
        return self.decoder.count(targets)

    def forward(self, views, targets, emissions):
        loss = self.decoder.loss(emissions, targets.tags, targets.mask)
        return mmseq.AuxOutput(self.factor * loss)


class Mirror(Echo):
    """The negative of the main task's loss."""

    factor = -1.0


class Apart(Echo):
    """A loss of its own weight, which no view has a share in."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__(sizes)
        self.own = torch.nn.Parameter(torch.ones(()))

    def forward(self, views, targets, emissions):
        return mmseq.AuxOutput(self.own**2 * self.count(targets))


class Long(mmseq.AuxTask):
    """Draws the states of sentences of 7 words or more to 0; many batches have none."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()

    def count(self, targets):
        return int((targets.mask.sum(dim=1) >= 7).sum())

    def forward(self, views, targets, emissions):
        chosen = (targets.mask.sum(dim=1) >= 7)[:, None] & targets.mask
        return mmseq.AuxOutput(views["fused"][chosen].square().sum() / 100)
