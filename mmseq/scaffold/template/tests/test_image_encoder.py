import torch
from mmseq import Sizes
from mmseq.testing import check_image_encoder
from PIL import Image

from mmseq_example.image_encoder import ExampleImageEncoder


def test_it_keeps_the_contract():
    check_image_encoder(ExampleImageEncoder, cells=3, width=8)


def test_colours_and_places_by_hand():
    encoder = ExampleImageEncoder(Sizes(("O",)), cells=2, width=1)
    with torch.no_grad():
        encoder.project.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        encoder.project.bias.fill_(0.5)
    # Left half red, right half blue, but for a white quarter at the bottom right.
    picture = Image.new("RGB", (4, 4), "red")
    picture.paste("blue", (2, 0, 4, 2))
    picture.paste("white", (2, 2, 4, 4))
    found = encoder(encoder.precompute(encoder.transform(picture)[None]))
    # Red 1 + 0.5, blue 100 + 0.5; red again, and white 1 + 10 + 100 + 0.5.
    assert found.regions[0, :, 0].tolist() == [1.5, 100.5, 1.5, 111.5]
    assert found.vector[0].item() == (1.5 + 100.5 + 1.5 + 111.5) / 4
    assert found.grid[1].tolist() == [0.5, 0.0, 1.0, 0.5]
