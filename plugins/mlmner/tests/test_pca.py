import numpy as np
import pytest
from mmseq_mlmner.plot.pca import principal_plane


def test_points_on_a_line_in_space():
    # From the mean (1, 2, 2): -2, 0, 1, 1 times (1, 2, 2), whose length is 3.
    points = np.array([[-1, -2, -2], [1, 2, 2], [2, 4, 4], [2, 4, 4]], dtype=np.float32)
    plane = principal_plane(points)
    np.testing.assert_allclose(plane.origin, [1, 2, 2])
    np.testing.assert_allclose(plane.axes[0], [1 / 3, 2 / 3, 2 / 3], atol=1e-7)
    assert plane.shares == pytest.approx((1, 0))
    np.testing.assert_allclose(plane.project(points)[:, 0], [-6, 0, 3, 3], atol=1e-6)


def test_axes_are_the_directions_of_greatest_variance_with_their_shares():
    # Sums of squares about (5, 0, 0): 2 along x, 32 along y, 8 along z; 42 in all.
    points = np.array(
        [[4, 0, 0], [6, 0, 0], [5, 4, 0], [5, -4, 0], [5, 0, 2], [5, 0, -2]], dtype=np.float32
    )
    plane = principal_plane(points)
    np.testing.assert_allclose(plane.axes, [[0, 1, 0], [0, 0, 1]], atol=1e-12)
    assert plane.shares == pytest.approx((32 / 42, 8 / 42))
    expected = [[0, 0], [0, 0], [4, 0], [-4, 0], [0, 2], [0, -2]]
    np.testing.assert_allclose(plane.project(points), expected, atol=1e-12)
    # Any other vector goes the same way: (5, 1, 7) is 1 along y and 7 along z.
    np.testing.assert_allclose(plane.project(np.array([5, 1, 7])), [1, 7], atol=1e-12)


def test_the_sign_does_not_depend_on_the_order_of_the_points():
    points = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    plane, other = principal_plane(points), principal_plane(points[::-1])
    np.testing.assert_allclose(plane.axes, other.axes, atol=1e-10)
    largest = np.abs(plane.axes).argmax(axis=1)
    assert (plane.axes[[0, 1], largest] > 0).all()


@pytest.mark.parametrize("points", [[[3.0, 4.0, 5.0]], [[3.0, 4.0, 5.0]] * 4, [[7.0], [7.0]]])
def test_points_that_do_not_differ_lie_in_the_origin(points):
    plane = principal_plane(np.array(points, dtype=np.float32))
    assert plane.shares == (0, 0)
    assert (plane.project(np.array(points)) == 0).all()


def test_one_dimension_has_no_second_axis():
    plane = principal_plane(np.array([[1.0], [3.0]]))
    assert plane.axes.tolist() == [[1], [0]]
    assert plane.shares == (1, 0)
    assert plane.project(np.array([[1.0], [3.0]])).tolist() == [[-1, 0], [1, 0]]
