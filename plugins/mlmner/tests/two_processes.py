"""Run as one of two processes: `two_processes.py RANK FOLDER`; exits 0 where all is as alone."""

import sys
from pathlib import Path

import torch
from mmseq_mlmner.cluster import ClusterTask
from mmseq_mlmner.contrastive import ContrastiveTask
from torch import distributed

from mmseq import Sizes, Targets

SIZES = Sizes(
    labels=("O", "B-PER", "I-PER", "B-LOC", "I-LOC"), views={"text": 3, "image": 3, "fused": 3}
)


def batch(sentences):
    """`sentences` of the global batch, whose first four have pictures."""
    torch.manual_seed(0)
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0], [1, 1], [1, 1]]).bool()
    tags = torch.tensor([[1, 2], [3, 0], [1, 0], [0, 0], [3, 4], [0, 1]])
    has_image = torch.tensor([1, 1, 1, 1, 0, 0]).bool()
    views = {
        name: torch.randn(6, 2, 3, dtype=torch.double)[sentences].requires_grad_()
        for name in ("text", "image", "fused")
    }
    return views, Targets(mask[sentences], has_image[sentences], tags[sentences])


def run(task, sentences):
    """Loss of the task on `sentences`, and its gradient on each view it reads."""
    views, targets = batch(sentences)
    loss = task(views, targets, torch.zeros(1)).loss
    loss.backward()
    return loss.detach(), [views[name].grad for name in task.views]


def clustering(sentences):
    task = ClusterTask(SIZES, centers="ema", momentum=0.5).double().train()
    task.observe(*batch(sentences))
    task.finish()
    return task


def check(alone, task, sentences):
    """The processes' losses add to the whole batch's, their gradients are its parts."""
    loss, gradients = run(task, sentences)
    distributed.all_reduce(loss)
    torch.testing.assert_close(loss, alone[0])
    for part, whole in zip(gradients, alone[1], strict=True):
        torch.testing.assert_close(part, whole[sentences])


def main(rank, folder):
    everything = slice(0, 6)
    pairs_alone = run(ContrastiveTask(SIZES), everything)
    cluster_alone = clustering(everything)
    alone = run(cluster_alone, everything)
    store = distributed.FileStore(str(Path(folder) / "store"), 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    for first in (slice(0, 1), slice(0, 4)):  # in the second split one process has no pair
        sentences = first if rank == 0 else slice(first.stop, 6)
        check(pairs_alone, ContrastiveTask(SIZES), sentences)
        together = clustering(sentences)
        check(alone, together, sentences)
        torch.testing.assert_close(together.centers, cluster_alone.centers)
    distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), sys.argv[2])
