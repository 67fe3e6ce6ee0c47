import itertools
import math
from dataclasses import replace

import pytest
import torch
from mmseq_umt.boundary import BoundaryTask, conversion_matrix

from mmseq import Config, Sizes, Targets, UserError

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


def path_loss(emissions, start, step, end, path):
    """-log of the path's share of all 3^n paths, over lists of numbers; 0, 1, 2 are O, B, I."""

    def score(path):
        inside = sum(row[kind] for row, kind in zip(emissions, path, strict=True))
        steps = sum(step[a][b] for a, b in itertools.pairwise(path))
        return start[path[0]] + inside + steps + end[path[-1]]

    every = itertools.product(range(3), repeat=len(emissions))
    return -math.log(math.exp(score(path)) / sum(math.exp(score(other)) for other in every))


def transitions(built):
    crf = built.crf.chain.crf
    return crf.start_transitions, crf.transitions, crf.end_transitions


def test_loss_is_the_crfs_over_tags_without_types():
    built = task()
    views, targets, emissions = batch()
    targets.tags[0] = torch.tensor([3, 4, 0])  # B-LOC I-LOC O
    targets.tags[1, 0] = 1  # B-PER
    got = built(views, targets, emissions).loss
    learned = [part.tolist() for part in transitions(built)]
    expected = 0.0
    for row, path in enumerate([(1, 2, 0), (1,)]):
        words = views["words"][row : row + 1, : len(path)]
        hidden = built.text(words, torch.ones(1, len(path), dtype=torch.bool))
        expected += path_loss(built.emissions(hidden)[0].tolist(), *learned, path)
    assert got.item() == pytest.approx(expected)


def test_an_open_word_may_be_whatever_bio_allows():
    built = task()
    views, targets, emissions = batch((3,))
    targets = replace(targets, known=torch.tensor([[True, False, False]]))
    targets.tags[0] = torch.tensor([3, 0, 0])  # B-LOC ? ?
    got = built(views, targets, emissions).loss
    learned = [part.tolist() for part in transitions(built)]
    words = built.emissions(built.text(views["words"], targets.mask))[0].tolist()
    # What follows B: after O no I.
    ways = [(1, *rest) for rest in itertools.product(range(3), repeat=2) if rest != (0, 2)]
    share = sum(math.exp(-path_loss(words, *learned, way)) for way in ways)
    assert got.item() == pytest.approx(-math.log(share))
    assert built.count(targets) == 1


START, STEP, END = [1, 0, -2], [[1, 0, -3], [0, -1, 2], [-1, 1, 0]], [0, -1, 1]


def plain_task():
    """No layer, the words are the scores of O, B, I; transitions are small whole numbers."""
    built = BoundaryTask(replace(SIZES, text=3), heads=1, dropout=0.0).double()
    built.text.layers = torch.nn.ModuleList()
    torch.nn.init.eye_(built.emissions.weight)
    for parameter, values in zip(transitions(built), (START, STEP, END), strict=True):
        parameter.data = torch.tensor(values).double()
    return built


def scored(rows, tags):
    """Views and targets of sentences whose words are these scores, padded with 9s."""
    mask = torch.arange(max(map(len, rows))) < torch.tensor([len(row) for row in rows])[:, None]
    words = torch.full((*mask.shape, 3), 9.0, dtype=torch.double)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    words[mask] = torch.tensor([word for row in rows for word in row]).double()
    ids[mask] = torch.tensor([tag for row in tags for tag in row])
    return {"words": words}, Targets(mask, torch.zeros(len(rows), dtype=torch.bool), ids)


def test_loss_of_small_scores_is_the_enumerated_likelihood_summed_over_sentences():
    long, short = [[0, 2, 1], [1, 0, 3], [2, 1, 0]], [[1, 1, 0], [0, 2, -1]]
    # B-LOC I-LOC O and O B-PER.
    views, targets = scored([long, short], [[3, 4, 0], [0, 1]])
    built = plain_task()
    first = path_loss(long, START, STEP, END, (1, 2, 0))
    second = path_loss(short, START, STEP, END, (0, 1))
    assert built.count(targets) == 2
    assert built(views, targets, torch.zeros(1)).loss.item() == pytest.approx(first + second)


@pytest.mark.parametrize("length", [1, 3])
def test_sentences_without_any_entity_have_the_loss_of_os(length):
    rows = [[0, 2, 1], [1, 0, 3], [2, 1, 0]][:length]
    # The second sentence has no word: it counts for nothing.
    views, targets = scored([rows, []], [[0] * length, []])
    built = plain_task()
    expected = path_loss(rows, START, STEP, END, (0,) * length)
    assert built.count(targets) == 1
    assert built(views, targets, torch.zeros(1)).loss.item() == pytest.approx(expected)


def test_refined_emissions_by_hand():
    built = plain_task()
    built.refines = True
    views, targets = scored([[[4, 2, 8]]], [[0]])
    main = torch.tensor([[[6, 1, 2, 3, 5]]]).double()
    # Halves of the main scores, and of O = 4, B = 2 / 2, I = 8 / 2.
    expected = [[[3 + 2, 0.5 + 0.5, 1 + 2, 1.5 + 0.5, 2.5 + 2]]]
    assert built(views, targets, main).emissions.tolist() == expected


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


def test_gradients_are_the_slopes_of_loss_and_refined_emissions():
    built = task(refine=True)
    views, targets, emissions = batch()

    def both(words, emissions):
        output = built({"words": words}, targets, emissions)
        return output.loss, output.emissions[targets.mask]

    given = (views["words"].requires_grad_(), emissions.requires_grad_())
    assert torch.autograd.gradcheck(both, given)


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
    # Nothing but what is learned: the label set may not stand in a run twice.
    assert set(one.state_dict()) == {name for name, _ in one.named_parameters()}


@pytest.mark.parametrize(
    ("option", "value"), [("heads", 0), ("layers", 0), ("refine_share", 1.5), ("dropout", 2.0)]
)
def test_impossible_options_are_errors(option, value):
    with pytest.raises(UserError, match=f"aux task 'boundary': {option} = {value}"):
        Config.from_layers(aux=["boundary"], settings={f"aux.boundary.{option}": value})


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(UserError, match="aux task 'boundary': heads = 4"):
        task(heads=4)


def test_it_starts_as_bert_does_with_the_papers_structure():
    torch.manual_seed(0)
    built = BoundaryTask(replace(SIZES, text=96))
    assert BoundaryTask.weight == 0.4
    (layer,) = built.text.layers
    assert (layer.heads, layer.inner.out_features, layer.dropout.p) == (12, 4 * 96, 0.1)
    assert built.refine_share == 0.5
    for part in (layer.inner, layer.query, built.emissions):
        assert part.weight.std().item() == pytest.approx(0.02, rel=0.15)
        assert not part.bias.any()
