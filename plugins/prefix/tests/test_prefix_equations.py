"""Prefixes and attention against slow loops written from the equations, and worked by hand."""

import math

import pytest
import torch
from mmseq_prefix.attention import HeadShape, Prefix, attend_with_prefix, prefixed
from mmseq_prefix.prompts import VisualPrefixes
from torch import nn


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def add(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def linear(layer, vector):
    return add([dot(row, vector) for row in layer.weight.tolist()], layer.bias.tolist())


def normal(vector, epsilon):
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    return [(x - mean) / math.sqrt(variance + epsilon) for x in vector]


def layer_norm(layer, vector):
    scaled = zip(normal(vector, layer.eps), layer.weight.tolist(), strict=True)
    return add([x * w for x, w in scaled], layer.bias.tolist())


def softmax(scores):
    shares = [math.exp(s) for s in scores]
    return [share / sum(shares) for share in shares]


def weighted(shares, vectors):
    return [dot(shares, column) for column in zip(*vectors, strict=True)]


def slow_places(map_, side):
    """Mean over each of side x side blocks of a map (C, h, w); blocks may overlap by a row."""
    height, width = map_.shape[1:]
    places = []
    for i in range(side):
        for j in range(side):
            rows = range(i * height // side, -(-(i + 1) * height // side))
            columns = range(j * width // side, -(-(j + 1) * width // side))
            cells = [map_[:, r, c].tolist() for r in rows for c in columns]
            places.append([sum(channel) / len(cells) for channel in zip(*cells, strict=True)])
    return places


def slow_prefixes(visual, maps, layer):
    """Keys and values of one text layer, (p, all heads), from a sentence's maps (C, h, w)."""
    levels = [
        [linear(project, normal(place, 1e-5)) for place in slow_places(map_, visual.side)]
        for project, map_ in zip(visual.levels, maps, strict=True)
    ]
    everything = [place for level in levels for place in level]
    mean = [sum(column) / len(everything) for column in zip(*everything, strict=True)]
    leaky = [x if x > 0 else 0.01 * x for x in linear(visual.gates[layer], mean)]
    gates = softmax(leaky)
    keys, values = [], []
    for places in zip(*levels, strict=True):
        both = linear(visual.prefixes[layer], weighted(gates, places))
        keys.append(both[: len(both) // 2])
        values.append(both[len(both) // 2 :])
    return keys, values


def slow_bert_layer(layer, heads, states, prefix):
    """BERT's layer, post-norm, with keys and values in front; lists of vectors."""
    attention, size = layer.attention.self, len(states[0]) // heads
    keys = prefix[0] + [linear(attention.key, s) for s in states]
    values = prefix[1] + [linear(attention.value, s) for s in states]
    result = []
    for state in states:
        query, joined = linear(attention.query, state), []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            shares = softmax([dot(query[part], key[part]) / math.sqrt(size) for key in keys])
            joined += weighted(shares, [value[part] for value in values])
        attended = linear(layer.attention.output.dense, joined)
        middle = layer_norm(layer.attention.output.LayerNorm, add(state, attended))
        inner = [
            x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
            for x in linear(layer.intermediate.dense, middle)
        ]
        changed = add(middle, linear(layer.output.dense, inner))
        result.append(layer_norm(layer.output.LayerNorm, changed))
    return result


def slow_embeddings(bert, ids):
    tables = bert.embeddings
    vectors = []
    for place, piece in enumerate(ids):
        both = add(
            tables.word_embeddings.weight[piece].tolist(),
            tables.position_embeddings.weight[place].tolist(),
        )
        both = add(both, tables.token_type_embeddings.weight[0].tolist())
        vectors.append(layer_norm(tables.LayerNorm, both))
    return vectors


def test_states_follow_the_equations_sentence_by_sentence(build, inputs, pictures):
    encoder = build()
    sentences, present = [["a", "b", "c"], ["d"], ["e", "f"]], [True, False, True]
    images = pictures(present)
    with torch.no_grad():
        got = encoder(inputs(encoder, sentences), images)
    for i, sentence in enumerate(sentences):
        states = slow_embeddings(encoder.model, encoder.encode(sentence).windows[0])
        for number, layer in enumerate(encoder.model.encoder.layer):
            prefix = ([], [])
            if present[i]:
                prefix = slow_prefixes(encoder.visual, [m[i] for m in images.levels], number)
            states = slow_bert_layer(layer, 2, states, prefix)
        expected = torch.tensor(states[1:-1])  # a word is one sub-word between [CLS] and [SEP]
        torch.testing.assert_close(got.words[i, : len(sentence)], expected, atol=2e-5, rtol=1e-4)


def one_of_everything(present):
    """One query 1 against one key 0 (value 8), behind a prefix key log 3 (value 4); width 1."""
    ones = torch.ones(1, 1, 1, 1)
    prefix = Prefix(math.log(3) * ones, 4 * ones, torch.tensor([present]))
    everything = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    with prefixed([prefix]):
        return attend_with_prefix(nn.Identity(), ones, 0 * ones, 8 * ones, everything)[0].item()


def test_attention_by_hand():
    # Scores log 3 and 0: shares 3/4 and 1/4, and 3/4 * 4 + 1/4 * 8 = 5.
    assert one_of_everything(True) == pytest.approx(5, abs=1e-6)
    assert one_of_everything(False) == 8


def test_a_mask_that_is_added_means_the_same():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 2, 3, 4)
    allowed = torch.tensor([[True, True, False], [True, False, True]])[:, None, None].expand(
        -1, 1, 3, -1
    )
    added = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float).min)
    prefix = Prefix(*torch.randn(2, 2, 2, 2, 4), torch.tensor([True, False]))
    found = []
    for mask in (allowed, added):
        with prefixed([prefix]):
            found.append(attend_with_prefix(nn.Identity(), query, key, value, mask)[0])
    torch.testing.assert_close(found[0], found[1])
    assert (found[0] != 0).all()


def test_gates_by_hand(pictures):
    visual = VisualPrefixes((3, 5), [HeadShape(1, 1, 1)], width=1, side=1)
    for level, constant in zip(visual.levels, (4.0, 8.0), strict=True):
        nn.init.zeros_(level.weight)
        nn.init.constant_(level.bias, constant)
    nn.init.zeros_(visual.gates[0].weight)
    visual.prefixes[0].weight.data = torch.tensor([[1.0], [10.0]])
    maps = pictures([True]).levels
    # V is 4 in the first level and 8 in the second. Gate scores (0, -100 log 3): LeakyReLU makes
    # -100 log 3 into -log 3, so the shares are 3/4 and 1/4 and Vg = 3/4 * 4 + 1/4 * 8 = 5.
    visual.gates[0].bias.data = torch.tensor([0.0, -100 * math.log(3)])
    (prefix,) = visual(maps, torch.tensor([True]))
    assert prefix.keys.item() == pytest.approx(5, abs=1e-5)
    assert prefix.values.item() == pytest.approx(50, abs=1e-4)


def test_heads_take_their_own_parts_of_the_prefix():
    visual = VisualPrefixes((3,), [HeadShape(2, 1, 2)], width=1, side=1)
    nn.init.zeros_(visual.prefixes[0].weight)
    # Keys of head 0 and 1, then two values of head 0 and two of head 1.
    visual.prefixes[0].bias.data = torch.arange(6.0)
    (prefix,) = visual([torch.randn(1, 3, 2, 2)], torch.tensor([True]))
    assert prefix.keys.tolist() == [[[[0.0]], [[1.0]]]]
    assert prefix.values.tolist() == [[[[2.0, 3.0]], [[4.0, 5.0]]]]


def test_prefixes_do_not_depend_on_the_scale_of_a_level():
    torch.manual_seed(0)
    visual = VisualPrefixes((6,), [HeadShape(1, 2, 2)], width=3, side=2)
    map_ = 10 * torch.randn(1, 6, 4, 4)
    one, other = (visual([m], torch.tensor([True]))[0].keys for m in (map_, 50 * map_))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
