import math

import pytest
import torch

from mmseq import attend, masked_softmax


def test_masked_softmax_against_a_loop():
    torch.manual_seed(0)
    scores = torch.randn(3, 4)
    mask = torch.tensor([[True] * 4, [True, False, True, False], [False] * 4])
    found = masked_softmax(scores, mask)
    for row in range(3):
        total = sum(math.exp(scores[row, k]) for k in range(4) if mask[row, k])
        for k in range(4):
            expected = math.exp(scores[row, k]) / total if mask[row, k] else 0.0
            assert found[row, k].item() == pytest.approx(expected, abs=1e-6)


def test_masked_softmax_broadcasts_the_mask_and_takes_another_dimension():
    scores, mask = torch.zeros(2, 3, 4), torch.tensor([[True], [True], [False]])
    found = masked_softmax(scores, mask, dim=1)
    assert found[:, :2].eq(0.5).all()
    assert not found[:, 2].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_masked_softmax_over_nothing_is_zero_with_finite_gradients(dtype):
    scores = torch.tensor([[9.0, -9.0], [1e4, -1e4]], dtype=dtype, requires_grad=True)
    mask = torch.tensor([[False, False], [True, False]])
    found = masked_softmax(scores, mask)
    assert found.tolist() == [[0, 0], [1, 0]]
    assert found.dtype == dtype
    (found * torch.tensor([3.0, 5.0], dtype=dtype)).sum().backward()
    assert scores.grad.isfinite().all()


def test_masked_out_values_do_not_matter_however_wild():
    mask = torch.tensor([[True, True, False]])
    wild = masked_softmax(torch.tensor([[0.0, 1.0, float("inf")]]), mask)
    assert wild.equal(masked_softmax(torch.tensor([[0.0, 1.0, 0.0]]), mask))


MASK = torch.tensor([[True, True, True], [True, False, True], [False, False, False]])


def states():
    draw = torch.Generator().manual_seed(1)
    sizes = {"query": (3, 2, 2, 4), "key": (3, 2, 3, 4), "value": (3, 2, 3, 4)}
    return {
        name: torch.randn(size, generator=draw).requires_grad_() for name, size in sizes.items()
    }


def attend_by_loops(query, key, value, mask):
    result = torch.zeros(query.shape)
    for b in range(3):
        keys = [k for k in range(3) if mask[b, k]]
        for m in range(2):
            for q in range(2):
                weights = [math.exp(query[b, m, q] @ key[b, m, k] / math.sqrt(4)) for k in keys]
                for weight, k in zip(weights, keys, strict=True):
                    result[b, m, q] += weight / sum(weights) * value[b, m, k]
    return result


def test_attend_against_loops():
    given = states()
    found = attend(**given, mask=MASK)
    expected = attend_by_loops(*(t.detach() for t in given.values()), MASK)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert not found[2].any()
    everything = torch.ones_like(MASK)
    torch.testing.assert_close(
        attend(**given),
        attend_by_loops(*(t.detach() for t in given.values()), everything),
        atol=1e-6,
        rtol=1e-5,
    )


def test_attend_has_finite_gradients_and_none_from_masked_keys():
    given = states()
    attend(**given, mask=MASK).square().sum().backward()
    for name, tensor in given.items():
        assert tensor.grad.isfinite().all(), name
        assert not tensor.grad[2].any(), name
    assert not given["key"].grad[1, :, 1].any()
    assert not given["value"].grad[1, :, 1].any()


def test_a_row_without_keys_gives_the_same_alone_and_in_a_mixed_batch():
    given = states()
    together = attend(**given, mask=MASK)
    for row in range(3):
        alone = {name: tensor[row : row + 1] for name, tensor in given.items()}
        torch.testing.assert_close(
            attend(**alone, mask=MASK[row : row + 1])[0], together[row], atol=1e-6, rtol=0
        )
