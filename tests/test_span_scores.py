"""The probability of an entity from those of its words, by hand."""

import torch

from mmseq.builtins.decoding.span_scores import continuations, going_on, span_products


def test_an_entity_goes_on_with_the_inside_tag_of_its_type_if_there_is_one():
    labels = ("O", "B-X", "I-X", "B-Y", "I-Z")
    assert continuations(labels).tolist() == [-1, 2, 2, -1, 4]


def test_a_word_goes_on_with_the_share_of_that_tag():
    shares = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.5, 0.2, 0.3], [0.2, 0.2, 0.6]])
    # The second has no tag to go on with; the last is padding.
    onward, real = torch.tensor([2, -1, 0, 1]), torch.tensor([True, True, True, False])
    torch.testing.assert_close(going_on(shares, onward, real), torch.tensor([0.7, 0, 0.5, 0]))


def test_a_span_is_the_product_of_its_words_that_does_not_go_on():
    first = torch.tensor([[0.5, 0.9, 0.9, 0.25], [0.9, 0.8, 0.9, 0.9]])
    steps = torch.tensor([[0.9, 0.4, 0.2, 0.9], [0.9, 0.7, 0.9, 0.9]])
    further = torch.tensor([[0.9, 0.9, 0.75], [0.9, 0.6, 0.9]])
    spans = torch.tensor([[0, 0, 3], [0, 3, 4], [1, 1, 2], [1, 0, 2]])
    # Behind the last word nothing goes on.
    right = [0.5 * 0.4 * 0.2 * 0.25, 0.25, 0.8 * 0.4, 0.9 * 0.7 * 0.4]
    torch.testing.assert_close(span_products(first, steps, further, spans), torch.tensor(right))
    assert span_products(first, steps, further, spans[:0]).shape == (0,)
