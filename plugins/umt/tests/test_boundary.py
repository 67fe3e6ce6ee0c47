import itertools

import pytest
import torch
from mmseq_umt.boundary import BoundaryTask, conversion_matrix

from mmseq import Sizes, Targets, UserError

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SIZES = Sizes(labels=LABELS, text=6)


def task(**options):
    torch.manual_seed(0)
    built = BoundaryTask(SIZES, **{"heads": 2, **options}).double().eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return built


def batch(lengths=(3, 1), tags=True):
    torch.manual_seed(1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    words = torch.randn(*mask.shape, 6, dtype=torch.double)
    emissions = torch.randn(*mask.shape, len(LABELS), dtype=torch.double)
    ids = torch.randint(len(LABELS), mask.shape) * mask if tags else None
    targets = Targets(mask, torch.ones(len(lengths), dtype=torch.bool), ids)
    return {"words": words}, targets, emissions


def slow_loss(built, words, kinds):
    """-log of the given path's share of all 3^n paths; `kinds` in 0, 1, 2 for O, B, I."""
    mask = torch.ones(1, len(words), dtype=torch.bool)
    emissions = built.emissions(built.text(words[None], mask))[0]
    weights = dict(built.crf.named_parameters())
    start, end, step = (
        next(value for name, value in weights.items() if name.rpartition(".")[2] == key)
        for key in ("start_transitions", "end_transitions", "transitions")
    )

    def score(path):
        inside = sum(emissions[i, k] for i, k in enumerate(path))
        steps = sum(step[a, b] for a, b in itertools.pairwise(path))
        return start[path[0]] + inside + steps + end[path[-1]]

    every = torch.stack([score(path) for path in itertools.product(range(3), repeat=len(words))])
    return every.logsumexp(0) - score(kinds)


def test_loss_is_the_crfs_over_tags_without_types():
    built = task()
    views, targets, emissions = batch()
    targets.tags[0] = torch.tensor([3, 4, 0])  # B-LOC I-LOC O
    targets.tags[1, 0] = 1  # B-PER
    got = built(views, targets, emissions).loss
    first = slow_loss(built, views["words"][0], [1, 2, 0])
    second = slow_loss(built, views["words"][1, :1], [1])
    torch.testing.assert_close(got, first + second)


def test_the_type_does_not_matter():
    built = task()
    views, targets, emissions = batch()
    targets.tags[0] = torch.tensor([1, 2, 0])
    person = built(views, targets, emissions).loss
    targets.tags[0] = torch.tensor([3, 4, 0])
    assert torch.equal(built(views, targets, emissions).loss, person)


def test_count_is_the_number_of_sentences():
    assert task().count(batch((3, 1, 2))[1]) == 3


def test_padding_words_do_not_matter():
    built = task()
    views, targets, emissions = batch()
    before = built(views, targets, emissions).loss
    views["words"][~targets.mask] = 70.0
    torch.testing.assert_close(built(views, targets, emissions).loss, before)


def test_each_boundary_tag_is_spread_evenly_over_the_types():
    assert conversion_matrix(LABELS).tolist() == [
        [1, 0, 0, 0, 0],
        [0, 0.5, 0, 0.5, 0],
        [0, 0, 0.5, 0, 0.5],
    ]


def test_a_boundary_tag_that_no_label_begins_with_gives_nothing():
    assert conversion_matrix(("O", "B-PER")).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_bare_task_does_not_refine():
    built = task()
    assert not built.refines
    assert built(*batch()).emissions is None


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("tags", [True, False])
def test_refined_emissions_mix_both_in_training_and_prediction(share, tags):
    built = task(refine=True, refine_share=share)
    views, targets, emissions = batch(tags=tags)
    got = built(views, targets, emissions)
    boundaries = built.emissions(built.text(views["words"], targets.mask))
    o, b, i = boundaries.unbind(-1)
    spread = torch.stack([o, b / 2, i / 2, b / 2, i / 2], dim=-1)
    assert built.refines
    torch.testing.assert_close(got.emissions, (1 - share) * emissions + share * spread)


def test_without_tags_the_loss_is_0():
    assert task()(*batch(tags=False)).loss.item() == 0


@pytest.mark.parametrize("lengths", [(1,), (3, 1), (4, 4)])
def test_gradients_are_finite(lengths):
    built = task().train()
    views, targets, emissions = batch(lengths)
    views["words"].requires_grad_()
    built(views, targets, emissions).loss.backward()
    missing = {name for name, p in built.named_parameters() if p.grad is None}
    gradients = [p.grad for p in built.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in [views["words"].grad, *gradients])
    # Only sentences of one word take no step between tags.
    assert not missing or (lengths == (1,) and all("transitions" in name for name in missing))


def test_gradient_is_the_losss_slope():
    built = task()
    views, targets, emissions = batch()
    words = views["words"].requires_grad_()
    assert torch.autograd.gradcheck(
        lambda words: built({"words": words}, targets, emissions).loss, (words,)
    )


def test_refinement_teaches_the_boundary_layers_through_the_main_loss():
    built = task(refine=True)
    built(*batch()).emissions.sum().backward()
    assert built.emissions.weight.grad.abs().sum() > 0


def test_weights_survive_saving():
    one, other = task(refine=True), task(refine=True, dropout=0.0)
    torch.nn.init.zeros_(other.emissions.weight)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(*batch()).loss, other(*batch()).loss)
    assert torch.equal(one(*batch()).emissions, other(*batch()).emissions)


@pytest.mark.parametrize(
    ("option", "value"), [("heads", 4), ("layers", 0), ("refine_share", 1.5), ("dropout", 2.0)]
)
def test_impossible_options_are_errors(option, value):
    with pytest.raises(UserError, match=f"aux task 'boundary': {option} = {value}"):
        task(**{option: value})
