import math

import numpy as np
import pytest
from mmseq_mlmner.plot.silhouette import silhouette


def of(points, types):
    return silhouette(np.array(points, dtype=np.float32), types)


def test_by_hand_on_a_line():
    # 0: a = 2, b = (6 + 10) / 2; 2: a = 2, b = (4 + 8) / 2; 6: a = 4, b = (6 + 4) / 2;
    # 10: a = 4, b = (10 + 8) / 2.
    expected = (6 / 8 + 4 / 6 + 1 / 5 + 5 / 9) / 4
    assert of([[0], [6], [2], [10]], ["PER", "LOC", "PER", "LOC"]) == pytest.approx(expected)


def test_by_hand_in_the_plane_with_three_types():
    # A: (0, 0), (3, 4): a = 5. To B, (0, 4) and (0, 4): 4 and 3; to C, (3, 0): 3 and 4.
    # Nearest of (0, 0): C, 3; of (3, 4): B, 3. B: a = 0. C is alone: 0.
    points = [[0, 0], [3, 4], [0, 4], [0, 4], [3, 0]]
    assert of(points, list("AABBC")) == pytest.approx(((3 - 5) / 5 * 2 + 1 * 2 + 0) / 5)


def test_nearer_to_the_others_is_below_0():
    # Each is 10 from its own type; 0: 1 and 9 from the others', 1: 1 and 9.
    value = of([[0], [10], [1], [11]], ["PER", "PER", "LOC", "LOC"])
    # 0: b = (1 + 11) / 2 = 6; 10: b = (9 + 1) / 2 = 5; 1: b = (1 + 9) / 2 = 5; 11: b = 6.
    assert value == pytest.approx((6 - 10 + 5 - 10 + 5 - 10 + 6 - 10) / 10 / 4)


def test_two_points_a_type_that_do_not_differ():
    assert of([[1, 2]] * 4, list("AABB")) == 0
    assert of([[1, 2], [1, 2], [5, 5], [5, 5]], list("AABB")) == 1


def test_one_type_has_none():
    assert of([[0], [1]], ["PER", "PER"]) is None


def test_words_that_are_each_alone_in_their_type_have_0():
    assert of([[0], [1], [5]], list("ABC")) == 0


def test_what_all_words_share_takes_no_digit():
    # The first test's points, far out: their squares hold no difference of 2 in 64 bits.
    far = np.array([[1e9], [1e9 + 6], [1e9 + 2], [1e9 + 10]])
    expected = (6 / 8 + 4 / 6 + 1 / 5 + 5 / 9) / 4
    assert silhouette(far, ["PER", "LOC", "PER", "LOC"]) == pytest.approx(expected)


def test_a_word_at_a_time_as_rousseeuw_writes_it():
    draw = np.random.default_rng(0)
    points, types = draw.normal(size=(23, 3)), draw.choice(list("ABC"), size=23).tolist()
    parts = []
    for i, kind in enumerate(types):
        means = {}
        for other in "ABC":
            ids = [j for j in range(23) if types[j] == other and j != i]
            means[other] = sum(math.dist(points[i], points[j]) for j in ids) / len(ids)
        a = means.pop(kind)
        b = min(means.values())
        parts.append((b - a) / max(a, b))
    assert silhouette(points, types) == pytest.approx(sum(parts) / 23)
