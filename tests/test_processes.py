import json
import subprocess
from contextlib import ExitStack

import pytest
import torch
import warm
from torch import nn

from mmseq import all_sum, gather
from mmseq.processes import process_count, sum_gradients

PROGRAM = '''
import json, sys, warnings
from datetime import timedelta
warnings.simplefilter("error")
import torch
from torch import distributed, nn
torch.set_num_threads(1)
from mmseq import all_sum, gather
from mmseq.processes import process_count, sum_gradients

rank, store, target = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2,
                               timeout=timedelta(seconds=30))
found = {"count": process_count()}

def pair_loss(own, every, first):
    """Not symmetric in the processes, and uses every vector for every own one."""
    weights = torch.arange(1.0, len(every) + 1)
    places = torch.arange(first, first + len(own)) + 2.0
    return (places[:, None] * weights[None, :] * (own @ every.T).tanh()).sum()

for name, counts in {"equal": (2, 2), "uneven": (3, 1), "one": (0, 3), "none": (0, 0)}.items():
    start = sum(counts[:rank])
    vectors = torch.arange(8.0).view(4, 2)[start : start + counts[rank]].div(10)
    # A process without items may come with vectors that need no gradient.
    vectors.requires_grad_(bool(counts[rank]) or name == "none")
    every, first = gather(vectors)
    pair_loss(vectors, every, first).backward()
    gradient = [] if vectors.grad is None else vectors.grad.tolist()
    found[name] = {"every": every.tolist(), "first": first, "gradient": gradient}

with torch.no_grad():
    found["quiet"] = gather(torch.full((rank + 1, 1), float(rank)))[0].tolist()
whole, first = gather(torch.tensor([[rank + 1]]))
found["whole"] = [whole.tolist(), str(whole.dtype)]

own = torch.tensor([1.0, 10.0]) * (rank + 1)
found["sum"] = all_sum(own).tolist()
found["own"] = own.tolist()
found["sum_whole"] = all_sum(torch.tensor(2**40 + rank)).item()

module = nn.ModuleDict({name: nn.Linear(1, 2, bias=False) for name in ("both", "one", "no", "off")})
module["off"].requires_grad_(False)
module["both"].weight.grad = torch.full((2, 1), 1.0 + rank)
if rank == 0:
    module["one"].weight.grad = torch.tensor([[5.0], [7.0]])
sum_gradients(module)
found["gradients"] = {
    name: None if part.weight.grad is None else part.weight.grad.flatten().tolist()
    for name, part in module.items()
}
open(f"{target}/{rank}.json", "w").write(json.dumps(found))
distributed.destroy_process_group()
'''


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                warm.Process(
                    *("-c", PROGRAM, rank, folder / "store", folder), stderr=subprocess.PIPE
                )
            )
            for rank in range(2)
        ]
        errors = [process.stderr.read() for process in running]
        assert [process.wait(timeout=600) for process in running] == [0, 0], "\n".join(errors)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def joined_gradient(count):
    """Of the same loss in one process that holds every vector."""
    vectors = torch.arange(8.0).view(4, 2)[:count].div(10).requires_grad_()
    weights = torch.arange(1.0, count + 1)
    ((weights[:, None] + 1) * weights[None, :] * (vectors @ vectors.T).tanh()).sum().backward()
    return vectors.grad


@pytest.mark.parametrize(
    ("case", "counts"), [("equal", (2, 2)), ("uneven", (3, 1)), ("one", (0, 3)), ("none", (0, 0))]
)
def test_gather_joins_vectors_and_its_gradient_is_that_of_the_joined_computation(two, case, counts):
    every = torch.arange(8.0).view(4, 2)[: sum(counts)].div(10).tolist()
    assert [found[case]["every"] for found in two] == [every, every]
    assert [found[case]["first"] for found in two] == [0, counts[0]]
    gradients = two[0][case]["gradient"] + two[1][case]["gradient"]
    torch.testing.assert_close(
        torch.tensor(gradients).view(-1, 2), joined_gradient(sum(counts)).view(-1, 2)
    )


def test_gather_without_gradient_and_of_whole_numbers(two):
    for found in two:
        assert found["quiet"] == [[0.0], [1.0], [1.0]]
        assert found["whole"] == [[[1], [2]], "torch.int64"]


def test_all_sum_adds_over_processes_and_leaves_its_argument_alone(two):
    for rank, found in enumerate(two):
        assert found["count"] == 2
        assert found["sum"] == [3.0, 30.0]
        assert found["own"] == [1.0 + rank, 10.0 * (rank + 1)]
        assert found["sum_whole"] == 2**41 + 1


def test_gradients_are_summed_and_a_weight_unused_in_one_process_counts_zero_there(two):
    expected = {"both": [3.0, 3.0], "one": [5.0, 7.0], "no": None, "off": None}
    assert [found["gradients"] for found in two] == [expected, expected]


def test_one_process_alone():
    vectors = torch.ones(2, 3, requires_grad=True)
    assert gather(vectors) == (vectors, 0)
    assert all_sum(vectors).equal(vectors)
    # As with several processes.
    assert not all_sum(vectors).requires_grad
    assert process_count() == 1
    layer = nn.Linear(1, 1)
    layer.weight.grad = torch.tensor([[2.0]])
    sum_gradients(layer)
    assert layer.weight.grad.item() == 2.0
    assert layer.bias.grad is None
