"""Box embedding, distances, regions under boxes and layers against slow loops and by hand."""

import math

import pytest
import torch
from mmseq_layout.boxes import STEPS, BoxEmbedding, RelativeBias, distance_bucket
from mmseq_layout.fusion import LayoutFusion, LayoutRegionsFusion
from mmseq_layout.regions import under_boxes
from mmseq_layout.transformer import LayoutLayer

from mmseq import ImageStates, Sizes, TextStates

# Four cells of a page, row by row; x0 y0 x1 y1 as shares.
QUARTERS = [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
# Their region vectors: one number each, in powers of ten, so that a sum says what is in it.
VALUES = [1.0, 10.0, 100.0, 1000.0]


def page(pictures=1, values=VALUES, real=True):
    """One sentence with so many pictures of four regions each."""
    regions = torch.tensor(values).view(1, -1, 1)
    return ImageStates(
        regions,
        torch.full((1, 4 * pictures), real),
        grid=torch.tensor(QUARTERS * pictures)[None],
        image_index=torch.arange(pictures).repeat_interleave(4)[None],
    )


def seen(box, images=None):
    return under_boxes(images or page(), torch.tensor([[box]], dtype=torch.float)).item()


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([100, 100, 300, 200], 1),  # within the first cell
        ([0, 0, 1000, 1000], 277.75),  # the page: (1 + 10 + 100 + 1000) / 4
        # 400..800 wide: 100 of it left of the middle, 300 right: 1/4 * 1 + 3/4 * 10.
        ([400, 100, 800, 300], 7.75),
        # 400..600 x 450..650: shares 1/2 and 1/2 across, 50 and 150 of 200 down, 1/4 and 3/4:
        # 1/8 * 1 + 1/8 * 10 + 3/8 * 100 + 3/8 * 1000.
        ([400, 450, 600, 650], 413.875),
        ([700, 200, 700, 200], 10),  # a point
        ([500, 500, 500, 500], 1000),  # on a corner of four: the cell that begins there
        ([1000, 1000, 1000, 1000], 1000),  # the last corner of the page
        ([1000, 0, 1000, 0], 10),
        ([400, 100, 800, 100], 7.75),  # a line across
        ([200, 450, 200, 650], 75.25),  # a line down: 1/4 * 1 + 3/4 * 100
    ],
)
def test_a_word_sees_the_regions_under_its_box_by_area(box, expected):
    assert seen(box) == pytest.approx(expected, rel=1e-5)


def test_with_several_pictures_a_word_sees_their_mean():
    images = page(2, [1.0, 10.0, 100.0, 1000.0, 3.0, 30.0, 300.0, 3000.0])
    assert seen([100, 100, 300, 200], images) == pytest.approx(2)
    assert seen([0, 0, 1000, 1000], images) == pytest.approx(2 * 277.75)


def test_a_region_that_is_not_real_counts_for_nothing():
    images = page(2, [*VALUES, 7.0, 7.0, 7.0, 7.0])
    mask = torch.tensor([[True] * 4 + [False] * 4])
    images = ImageStates(images.regions, mask, grid=images.grid)
    assert seen([0, 0, 1000, 1000], images) == pytest.approx(277.75)


def test_without_a_picture_nothing_is_seen():
    assert seen([0, 0, 1000, 1000], page(real=False)) == 0


def slow_mean(regions, grid, box):
    """By definition, over a fine lattice of points in the box."""
    x0, y0, x1, y1 = (c / 1000 for c in box)
    total, steps = [0.0] * len(regions[0]), 200
    for i in range(steps):
        for j in range(steps):
            x, y = x0 + (x1 - x0) * (i + 0.5) / steps, y0 + (y1 - y0) * (j + 0.5) / steps
            for region, (a, b, c, d) in zip(regions, grid, strict=True):
                if a <= x < c and b <= y < d:
                    total = [t + r / steps**2 for t, r in zip(total, region, strict=True)]
    return total


def test_it_is_the_mean_over_the_points_of_the_box():
    torch.manual_seed(0)
    cells = [[x / 3, y / 2, (x + 1) / 3, (y + 1) / 2] for y in range(2) for x in range(3)]
    regions = torch.randn(1, 6, 2)
    images = ImageStates(regions, torch.ones(1, 6, dtype=torch.bool), grid=torch.tensor([cells]))
    boxes = [[120, 330, 870, 730], [10, 480, 400, 990]]
    got = under_boxes(images, torch.tensor([boxes], dtype=torch.float))[0]
    for row, box in zip(got.tolist(), boxes, strict=True):
        # The lattice misses a border by half a step at most, on each of three borders.
        assert row == pytest.approx(slow_mean(regions[0].tolist(), cells, box), abs=0.02)


def test_distances_by_hand():
    # Buckets begin at 8, 8 sqrt(2) = 11.3, 16, 22.6, 32 … thousandths; below 8 is no distance.
    distances = [0, 7.9, -7.9, 8, 11, 12, 16, -16, 32, 1000, -1000]
    steps = [0, 0, 0, 1, 1, 2, 3, -3, 5, 14, -14]
    found = distance_bucket(torch.tensor(distances, dtype=torch.float))
    assert (found - STEPS).tolist() == steps


def test_no_distance_on_a_page_is_further_than_the_last_bucket_begins():
    # 8 * sqrt(2)^(14 - 1) = 724: the last bucket holds what is further.
    found = distance_bucket(torch.tensor([724.0, 725.0])) - STEPS
    assert found.tolist() == [STEPS - 1, STEPS]


def test_bias_adds_a_table_for_each_direction_between_centres():
    bias = RelativeBias(2)
    torch.manual_seed(0)
    for table in (bias.x, bias.y):
        torch.nn.init.normal_(table)
    # Centres (100, 50), (120, 50) and (100, 90).
    boxes = torch.tensor([[[90, 40, 110, 60], [100, 45, 140, 55], [80, 80, 120, 100]]]).float()
    centres = [(100, 50), (120, 50), (100, 90)]
    step = {0: 0, 20: 3, 40: 5}
    got = bias(boxes)
    assert got.shape == (1, 2, 3, 3)
    for i, (x, y) in enumerate(centres):
        for j, (x_of_j, y_of_j) in enumerate(centres):
            across, down = x_of_j - x, y_of_j - y
            a = bias.x[STEPS + int(math.copysign(step[abs(across)], across))]
            b = bias.y[STEPS + int(math.copysign(step[abs(down)], down))]
            torch.testing.assert_close(got[0, :, i, j], a + b)


def test_heads_begin_by_looking_left_right_up_down_and_everywhere():
    bias = RelativeBias(5)
    words = {"left": (100, 500), "right": (900, 500), "above": (500, 100), "below": (500, 900)}
    places = [(500, 500), *words.values()]
    boxes = torch.tensor([[[x - 5, y - 5, x + 5, y + 5] for x, y in places]]).float()
    shares = bias(boxes)[0, :, 0].softmax(dim=-1)  # of the word in the middle, for each head
    for head, direction in enumerate(words):
        elsewhere = [1 + i for i, name in enumerate(words) if name != direction]
        assert shares[head, 1 + head] > 20 * shares[head, elsewhere].max(), direction
    torch.testing.assert_close(shares[4], torch.full((5,), 0.2))


def test_boxes_are_embedded_by_their_edges_and_sides():
    embedding = BoxEmbedding(4, bins=10)
    torch.manual_seed(0)
    for table in (embedding.x, embedding.y, embedding.across, embedding.down):
        torch.nn.init.normal_(table.weight)
    torch.nn.init.normal_(embedding.norm.weight)
    # Ten bins of 100: 99 is in bin 0, 100 in bin 1, 1000 in the last. Sides 901 and 150.
    got = embedding(torch.tensor([[[99.0, 100.0, 1000.0, 250.0]]]))[0, 0].tolist()
    parts = [
        embedding.x.weight[0], embedding.x.weight[9], embedding.y.weight[1],
        embedding.y.weight[2], embedding.across.weight[9], embedding.down.weight[1],
    ]  # fmt: skip
    summed = [sum(values) for values in zip(*(p.tolist() for p in parts), strict=True)]
    mean = sum(summed) / 4
    variance = sum((s - mean) ** 2 for s in summed) / 4
    gains = embedding.norm.weight.tolist()
    expected = [
        g * (s - mean) / math.sqrt(variance + 1e-5) for g, s in zip(gains, summed, strict=True)
    ]
    assert got == pytest.approx(expected, abs=1e-5)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def add(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def linear(layer, vector):
    return add([dot(row, vector) for row in layer.weight.tolist()], layer.bias.tolist())


def layer_norm(layer, vector):
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    normal = [(x - mean) / math.sqrt(variance + 1e-5) for x in vector]
    return add([n * w for n, w in zip(normal, layer.weight.tolist(), strict=True)],
               layer.bias.tolist())  # fmt: skip


def slow_layer(layer, states, bias):
    """One sentence: lists of vectors; `bias[head][i][j]`."""
    width = len(states[0])
    size = width // layer.heads
    joint = [linear(layer.query_key_value, layer_norm(layer.attention_norm, s)) for s in states]
    result = []
    for i, state in enumerate(states):
        joined = []
        for head in range(layer.heads):
            start = head * size
            query = joint[i][start : start + size]
            scores = [
                dot(query, other[width + start : width + start + size]) / math.sqrt(size)
                + bias[head][i][j]
                for j, other in enumerate(joint)
            ]
            shares = [math.exp(score) for score in scores]
            for column in range(2 * width + start, 2 * width + start + size):
                joined.append(dot(shares, [other[column] for other in joint]) / sum(shares))
        middle = add(state, linear(layer.output, joined))
        inner = linear(layer.change[0], layer_norm(layer.norm, middle))
        inner = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in inner]
        result.append(add(middle, linear(layer.change[2], inner)))
    return result


def test_a_layer_follows_its_equations():
    torch.manual_seed(0)
    layer = LayoutLayer(6, heads=2, dropout=0.1, expansion=2).double().eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    states, bias = torch.randn(1, 4, 6).double(), torch.randn(1, 2, 4, 4).double()
    expected = slow_layer(layer, states[0].tolist(), bias[0].tolist())
    torch.testing.assert_close(
        layer(states, bias)[0], torch.tensor(expected, dtype=torch.double), atol=1e-9, rtol=0
    )


def test_a_new_layer_leaves_the_words_as_they_are():
    layer, states = LayoutLayer(6, heads=2, dropout=0.1, expansion=2), torch.randn(1, 4, 6)
    assert torch.equal(layer(states, torch.randn(1, 2, 4, 4)), states)


def slow_bucket(distance):
    """0 below 8, then one more for each factor of sqrt(2), signed; an entry of a table."""
    steps, end = 0, 8.0
    while abs(distance) >= end and steps < STEPS:
        steps, end = steps + 1, end * math.sqrt(2)
    return STEPS + (steps if distance > 0 else -steps)


def slow_position(embedding, box):
    """s = LayerNorm(E_x(x0) + E_x(x1) + E_y(y0) + E_y(y1) + E_w(x1 - x0) + E_h(y1 - y0))."""
    x0, y0, x1, y1 = box
    rows = [
        (embedding.x, x0), (embedding.x, x1), (embedding.y, y0), (embedding.y, y1),
        (embedding.across, x1 - x0), (embedding.down, y1 - y0),
    ]  # fmt: skip
    total = [0.0] * embedding.norm.weight.shape[0]
    for table, value in rows:
        entry = min(int(value * embedding.bins / 1000), embedding.bins - 1)
        total = add(total, table.weight[entry].tolist())
    return layer_norm(embedding.norm, total)


def slow_under(regions, grid, box):
    """r = sum_i a_i v_i / sum_i a_i, a_i the area that cell i shares with the box; 0 of nothing."""
    x0, y0, x1, y1 = (c / 1000 for c in box)
    areas = [
        max(0.0, min(c, x1) - max(a, x0)) * max(0.0, min(d, y1) - max(b, y0)) for a, b, c, d in grid
    ]
    if not sum(areas):
        return [0.0] * 3
    columns = zip(*regions, strict=True)
    return [dot(areas, column) / sum(areas) for column in columns]


def slow_fusion(fusion, words, boxes, regions):
    """One sentence, step by step as the docstring of `LayoutFusion` has it; `regions`: real ones,
    four to a picture, or None for words and boxes alone.
    """
    states = []
    for word, box in zip(words, boxes, strict=True):
        state = add(word, slow_position(fusion.position, box))
        if regions is not None:
            seen_there = slow_under(regions, QUARTERS * (len(regions) // 4), box)
            weights = fusion.regions.project.weight.tolist()
            state = add(state, [dot(row, seen_there) for row in weights])
        states.append(state)
    centres = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]
    bias = [
        [
            [
                fusion.bias.x[slow_bucket(xj - xi), head].item()
                + fusion.bias.y[slow_bucket(yj - yi), head].item()
                for xj, yj in centres
            ]
            for xi, yi in centres
        ]
        for head in range(2)
    ]
    for layer in fusion.layers:
        states = slow_layer(layer, states, bias)
    return [[*w, *layer_norm(fusion.norm, s)] for w, s in zip(words, states, strict=True)]


@pytest.mark.parametrize("kind", [LayoutFusion, LayoutRegionsFusion])
def test_the_fusions_follow_their_equations_in_a_padded_batch(kind):
    """Sentences of 4, 2 and 3 words with one picture, none and two."""
    torch.manual_seed(3)
    sizes = Sizes(labels=("O",), text=6, image=3, whole_page=True)
    built = kind(sizes, heads=2, layers=2, bins=20, expansion=2).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    lengths, pictures = (4, 2, 3), (1, 0, 2)
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    boxes = torch.randint(0, 1001, (3, 4, 2, 2)).sort(dim=2).values.flatten(2).double()
    words, regions = torch.randn(3, 4, 6).double(), torch.randn(3, 8, 3).double()
    real = torch.arange(8) < 4 * torch.tensor(pictures)[:, None]
    grid = torch.tensor(QUARTERS * 2).double().expand(3, -1, -1)
    text = TextStates(words, mask, extras={"boxes": boxes})
    got = built(text, ImageStates(regions, real, grid=grid)).states
    for i, (count, number) in enumerate(zip(lengths, pictures, strict=True)):
        shown = regions[i, : 4 * number].tolist() if kind is LayoutRegionsFusion else None
        rows = (words[i, :count].tolist(), boxes[i, :count].tolist())
        expected = torch.tensor(slow_fusion(built, *rows, shown), dtype=torch.double)
        torch.testing.assert_close(got[i, :count], expected, atol=1e-6, rtol=0)
