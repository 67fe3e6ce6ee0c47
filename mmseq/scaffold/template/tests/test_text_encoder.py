from zlib import crc32

import torch
from mmseq import Sizes, TextInputs
from mmseq.testing import check_text_encoder

from mmseq_example.text_encoder import ExampleTextEncoder


def test_it_keeps_the_contract():
    check_text_encoder(ExampleTextEncoder, width=12, rows=500)


def test_words_and_half_their_neighbours_by_hand():
    encoder = ExampleTextEncoder(Sizes(("O",)), width=1, rows=4)
    with torch.no_grad():
        encoder.matrix.copy_(torch.tensor([[1.0], [2.0], [4.0], [8.0]]))
    rows = torch.tensor([[0, 1, 2], [3, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    words = encoder(TextInputs({"rows": rows}, mask), None).words[..., 0]
    # 1 + 2/2, 2 + (1 + 4)/2/2 and 4 + 2/2; a word alone has no neighbour.
    assert words[0].tolist() == [2.0, 3.25, 5.0]
    assert words[1, 0].item() == 8.0


def test_a_word_has_the_row_of_its_checksum():
    # The check value of CRC-32: that of the digits 1 to 9.
    assert crc32(b"123456789") == 0xCBF43926
    encoder = ExampleTextEncoder(Sizes(("O",)), width=1, rows=1000)
    assert encoder.encode(["123456789"]).tolist() == [0xCBF43926 % 1000]
