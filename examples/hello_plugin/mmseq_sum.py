import mmseq
from torch import nn


class SumFusion(mmseq.Fusion):
    """Adds the projected picture to every word."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.project, self.width = nn.Linear(sizes.image, sizes.text), sizes.text

    def forward(self, text, images):
        picture = self.project(images.pooled) * images.present[:, None]
        return mmseq.Fused(text.words + picture[:, None])


@mmseq.hookimpl
def register_components(add):
    add.fusion("sum", SumFusion)
