from dataclasses import replace

import pytest
import torch
from mmseq_mlmner.cluster import ClusterTask

from mmseq import Config, Sizes, Targets, UserError

# Tags: O, B-PER, I-PER, B-LOC, I-LOC, B-ORG; types: PER, LOC, ORG.
SIZES = Sizes(labels=("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"), views={"fused": 2})


def batch(tags, vectors, mask=None):
    tags = torch.tensor(tags)
    mask = torch.ones_like(tags, dtype=torch.bool) if mask is None else torch.tensor(mask)
    fused = torch.tensor(vectors, dtype=torch.double, requires_grad=True)
    return {"fused": fused}, Targets(mask, torch.ones(len(tags)).bool(), tags)


FIRST = batch(
    [[1, 2, 0], [3, 0, 0]],
    [[[0, 0], [2, 0], [50, 50]], [[4, 6], [50, 50], [70, 70]]],
    [[True, True, True], [True, True, False]],
)
SECOND = batch([[1], [4]], [[[4, 0]], [[6, 6]]])
# PER: (0,0), (2,0), (4,0) -> (2,0); LOC: (4,6), (6,6) -> (5,6); ORG: none.


def prepared(**options):
    task = ClusterTask(SIZES, **options).double()
    for views, targets in (FIRST, SECOND):
        task.observe(views, targets)
    task.finish()
    return task


def loss(task, views, targets):
    return task(views, targets, torch.zeros(*targets.mask.shape, 6)).loss


@pytest.mark.parametrize("centers", ["pretrained", "ema", "learned"])
def test_centres_are_the_means_of_all_training_words_of_a_type(centers):
    task = prepared(centers=centers)
    assert task.types == ("PER", "LOC", "ORG")
    assert task.centers.tolist() == [[2, 0], [5, 6], [0, 0]]
    assert task.valid.tolist() == [True, True, False]


def test_loss_is_summed_over_entity_words():
    # From PER (2,0): (5,4) is (3,4), from LOC (5,6): (0,-2); cos = -8 / (5 * 2).
    # From LOC: (5,0) is (0,-6), from PER: (3,0); cos = 0.
    views, targets = batch([[2, 0, 3]], [[[5, 4], [9, 9], [5, 0]]])
    task = prepared()
    assert task.count(targets) == 2
    assert loss(task, views, targets).item() == pytest.approx((5 + 0.8) + (6 - 0))


def test_an_open_word_is_in_no_loss_and_in_no_centre():
    views, targets = batch([[2, 0, 3]], [[[5, 4], [9, 9], [5, 0]]])
    # Whatever stands at it: the engine writes O.
    partly = replace(targets, known=torch.tensor([[True, True, False]]))
    task = prepared()
    assert task.count(partly) == 1
    assert loss(task, views, partly).item() == pytest.approx(5 + 0.8)
    fresh = ClusterTask(SIZES).double()
    fresh.observe(views, partly)
    fresh.finish()
    assert fresh.seen.tolist() == [1, 0, 0]
    assert fresh.centers.tolist() == [[5, 4], [0, 0], [0, 0]]


def test_margin_separation():
    # Distances to the own centre 5 and 6, to the other 2 and 3; margin 2.5.
    views, targets = batch([[2, 0, 3]], [[[5, 4], [9, 9], [5, 0]]])
    task = prepared(separation="margin", margin=2.5)
    assert loss(task, views, targets).item() == pytest.approx(5 + 0.5 + 6 + 0)


def test_a_type_that_training_never_shows_is_left_out():
    views, targets = batch([[5, 1]], [[[9, 9], [2, 3]]])
    task = prepared()
    got = loss(task, views, targets)
    got.backward()
    assert task.count(targets) == 1
    # From PER (0,3), from LOC (-3,-3): cos = -9 / (3 * sqrt(18)).
    assert got.item() == pytest.approx(3 + 0.5**0.5)
    assert (views["fused"].grad[0, 0] == 0).all()


def test_padding_is_no_word():
    views, targets = batch([[1, 1]], [[[2, 1], [9, 9]]], [[True, False]])
    task = prepared()
    assert task.count(targets) == 1
    # From PER (0,1), from LOC (-3,-5): cos = -5 / sqrt(34).
    assert loss(task, views, targets).item() == pytest.approx(1 + 5 / 34**0.5)


def test_a_batch_without_entities_counts_0():
    views, targets = batch([[0, 0]], [[[1, 1], [2, 2]]])
    task = prepared()
    got = loss(task, views, targets)
    got.backward()
    assert task.count(targets) == 0
    assert got.item() == 0
    assert (views["fused"].grad == 0).all()


def test_before_the_preparation_nothing_counts():
    task = ClusterTask(SIZES).double()
    assert task.count(FIRST[1]) == 0
    assert loss(task, *FIRST).item() == 0


def test_a_word_on_its_centre_costs_nothing_and_stays_finite():
    views, targets = batch([[1]], [[[2, 0]]])
    got = loss(prepared(), views, targets)
    got.backward()
    assert got.item() == 0
    assert views["fused"].grad.isfinite().all()


@pytest.mark.parametrize("labels", [("O", "B-PER", "I-PER"), ("O",)])
def test_one_type_or_none(labels):
    task = ClusterTask(Sizes(labels=labels, views={"fused": 2})).double()
    tag = 1 if len(labels) > 1 else 0
    task.observe(*batch([[tag]], [[[0, 0]]]))
    task.finish()
    views, targets = batch([[tag]], [[[3, 4]]])
    assert task.count(targets) == tag
    assert loss(task, views, targets).item() == pytest.approx(5.0 * tag)


def test_pretrained_centres_stay():
    task = prepared(centers="pretrained").train()
    loss(task, *batch([[1]], [[[8, 8]]])).backward()
    assert not task.centers.requires_grad
    assert task.centers.tolist() == [[2, 0], [5, 6], [0, 0]]


def test_ema_centres_follow_the_means_of_training_batches():
    task = prepared(centers="ema", momentum=0.75).train()
    views, targets = batch([[1, 2, 0]], [[[8, 4], [12, 12], [99, 99]]])
    loss(task, views, targets).backward()
    # PER: 0.75 * (2,0) + 0.25 * (10,8); LOC has no word in the batch.
    assert task.centers.tolist() == [[4, 2], [5, 6], [0, 0]]
    loss(task.eval(), views, targets)
    assert task.centers.tolist() == [[4, 2], [5, 6], [0, 0]]


def test_learned_centres_are_drawn_to_their_words():
    task = prepared(centers="learned", separation="margin", margin=0.0)
    loss(task, *batch([[1]], [[[5, 4]]])).backward()
    # Down the gradient by one: the unit step from (2,0) towards (5,4).
    expected = torch.tensor([[-0.6, -0.8], [0, 0], [0, 0]], dtype=torch.double)
    torch.testing.assert_close(task.centers.grad, expected)


def test_observing_takes_no_gradient():
    task = ClusterTask(SIZES, centers="learned").double()
    task.observe(*FIRST)
    assert task.centers.requires_grad
    assert task.centers.grad_fn is None


@pytest.mark.parametrize("centers", ["pretrained", "ema", "learned"])
def test_centres_survive_saving_midway_and_after(centers):
    task = ClusterTask(SIZES, centers=centers).double()
    task.observe(*FIRST)
    resumed = ClusterTask(SIZES, centers=centers).double()
    resumed.load_state_dict(task.state_dict())
    resumed.observe(*SECOND)
    resumed.finish()
    loaded = ClusterTask(SIZES, centers=centers).double()
    loaded.load_state_dict(resumed.state_dict())
    assert torch.equal(loaded.centers, prepared().centers)
    assert torch.equal(loaded.valid, prepared().valid)
    assert set(loaded.state_dict()) == {"centers", "seen"}


def test_many_batches_keep_the_precision_of_the_mean():
    task = ClusterTask(Sizes(labels=("O", "B-PER"), views={"fused": 1}))
    views = {"fused": torch.full((1, 64, 1), 1000.1)}
    targets = Targets(torch.ones(1, 64).bool(), torch.tensor([True]), torch.ones(1, 64).long())
    for _ in range(500):
        task.observe(views, targets)
    task.finish()
    assert task.centers.item() == pytest.approx(1000.1, rel=1e-6)


def test_words_are_counted_exactly_beyond_what_a_float_tells_apart():
    task = ClusterTask(SIZES)
    task.seen.fill_(2**24)
    task.observe(*batch([[1]], [[[0, 0]]]))
    assert task.seen.tolist() == [2**24 + 1, 2**24, 2**24]


def test_without_tags_the_loss_is_0():
    views, targets = FIRST
    hidden = Targets(targets.mask, targets.has_image)
    task = prepared()
    assert task.count(hidden) == 0
    assert task(views, hidden, torch.zeros(2, 3, 6)).loss.item() == 0


@pytest.mark.parametrize("options", [{"preparation": 0}, {"momentum": 1.5}, {"margin": -1.0}])
def test_impossible_options_are_errors(options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"aux task 'cluster': {name} = {value}"):
        Config.from_layers(aux=["cluster"], settings={f"aux.cluster.{name}": value})


def test_options_unless_told_otherwise():
    task = ClusterTask(SIZES)
    assert ClusterTask.weight == 0.01
    assert (task.preparation, task.momentum, task.margin) == (1, 0.99, 10.0)
    assert (task.kind, task.separation) == ("learned", "cosine")


@pytest.mark.parametrize("centers", ["pretrained", "learned"])
def test_named_centres_are_of_the_types_that_have_one_and_have_no_graph(centers):
    found = prepared(centers=centers).named_centers()
    assert {name: center.tolist() for name, center in found.items()} == {
        "PER": [2, 0],
        "LOC": [5, 6],
    }
    assert not any(center.requires_grad for center in found.values())


def test_ema_centres_follow_a_single_word_too():
    task = prepared(centers="ema", momentum=0.75).train()
    loss(task, *batch([[3]], [[[9, 2]]]))
    # LOC: 0.75 * (5,6) + 0.25 * (9,2).
    assert task.centers.tolist() == [[2, 0], [6, 5], [0, 0]]


def test_outside_words_are_in_no_type_when_every_type_has_a_centre():
    task = ClusterTask(SIZES).double()
    task.observe(*batch([[1, 3, 5, 0]], [[[0, 0], [1, 1], [2, 2], [9, 9]]]))
    task.finish()
    assert task.valid.all()
    assert task.centers.tolist() == [[0, 0], [1, 1], [2, 2]]
    _, targets = batch([[0, 5, 0]], [[[1, 1], [2, 2], [3, 3]]])
    assert task.count(targets) == 1
