"""`train.adversarial`: what a step learns beside its own gradient."""

import pytest
import torch
from accelerate import Accelerator
from torch import nn

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.errors import UserError
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run
from mmseq.training.step import Stepper


@pytest.fixture
def config(tiny_encoder, tiny_data):
    def make(aux=(), **settings):
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
                "fusion": {"name": "cross-transformer", "heads": 4},
            },
            aux=list(aux),
            settings={
                "data.path": str(tiny_data),
                "train.device": "cpu",
                "train.epochs": 2,
                **settings,
            },
        )

    return make


@pytest.fixture
def taken(config, tmp_path):
    """`taken(size, aux=…)`: model, three batches, and a stepper of plain gradient descent.

    Everything is in evaluation mode: without dropout both passes are the functions they stand for.
    """

    def make(size, aux=(), **settings):
        chosen = config(aux, **settings)
        trainer = Trainer(new_run(chosen, tmp_path / f"run-{size}", Reporter(quiet=True)))
        model = trainer.model.eval()
        batches = [trainer.batches.batch(range(i, i + 4)) for i in (0, 4, 8)]
        optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
        stepper = Stepper(model, optimiser, Accelerator(cpu=True), clip=0.0, adversarial=size)
        return model, batches, stepper

    return make


def weights_of(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def gradients(model, loss):
    """By name; 0 where the loss does not reach."""
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    pairs = zip(named.items(), found, strict=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in pairs}


MATRIX = "text_encoder.model.embeddings.word_embeddings.weight"


def expected_step(model, batch, size):
    """Of a loss L(E): the gradient at E and that at E + size g / |g|, straight from the formula."""
    count = model.decoder.count(batch.targets)
    own = gradients(model, model(batch, []).losses["main"] / count)
    matrix = dict(model.named_parameters())[MATRIX]
    start = matrix.detach().clone()
    g = own[MATRIX]
    matrix.data = start + size * g / (g**2).sum().sqrt()
    moved = gradients(model, model(batch, []).losses["main"] / count)
    matrix.data = start
    return {name: own[name] + moved[name] for name in own}


@pytest.mark.parametrize("size", [0.3, 2.0])
def test_a_step_adds_the_gradient_at_the_moved_embeddings(taken, size):
    model, batches, stepper = taken(size)
    before = weights_of(model)
    expected = expected_step(model, batches[0], size)
    stepper.step(batches[:1], [], 0.0)
    for name, after in weights_of(model).items():
        torch.testing.assert_close(before[name] - after, expected[name], atol=2e-6, rtol=1e-4)


def test_the_second_gradient_is_another(taken):
    """Else the test above would pass with twice the first."""
    model, batches, _ = taken(2.0)
    count = model.decoder.count(batches[0].targets)
    own = gradients(model, model(batches[0], []).losses["main"] / count)
    expected = expected_step(model, batches[0], 2.0)
    assert (expected[MATRIX] - 2 * own[MATRIX]).norm() > 0.1 * own[MATRIX].norm()


def test_micro_batches_are_moved_together_by_the_gradient_of_the_step(taken):
    """Accumulated or at once, the same: the loss is a sum over sentences divided by their number.

    The batches have one length, so that padding does not differ.
    """
    model, batches, stepper = taken(1.0)
    start = {n: t.clone() for n, t in model.state_dict().items()}
    stepper.step(batches, [], 0.0)
    apart = weights_of(model)
    model.load_state_dict(start)
    count = sum(model.decoder.count(batch.targets) for batch in batches)

    def loss():
        return sum(model(batch, []).losses["main"] for batch in batches) / count

    own = gradients(model, loss())
    matrix = dict(model.named_parameters())[MATRIX]
    kept = matrix.detach().clone()
    matrix.data = kept + own[MATRIX] / own[MATRIX].norm()
    moved = gradients(model, loss())
    matrix.data = kept
    for name, weight in apart.items():
        step = start[name] - weight
        torch.testing.assert_close(step, own[name] + moved[name], atol=2e-6, rtol=1e-4)


def test_the_tasks_learn_once_and_the_main_task_twice(taken):
    """What belongs to a task alone has its own gradient, as without the second pass."""
    aux = ["boundary"]
    settings = {"aux.boundary.heads": 4}
    model, batches, stepper = taken(1.0, aux, **settings)
    before = weights_of(model)
    task = model.task("boundary")
    loss = model(batches[0], aux).losses["boundary"] / task.count(batches[0].targets)
    own = gradients(model, loss * 0.4)
    stepper.step(batches[:1], aux, 0.0)
    after = weights_of(model)
    named = [name for name in before if name.startswith("tasks.boundary.")]
    assert named
    for name in named:
        torch.testing.assert_close(before[name] - after[name], own[name], atol=2e-6, rtol=1e-4)


class Doubled(nn.Module):
    """A weighting under which the main loss counts twice and every other one three times."""

    learning_rate = None

    def forward(self, losses, shared, progress):
        weights = {name: 2.0 if name == "main" else 3.0 for name in losses}
        total = sum(weights[name] * loss for name, loss in losses.items())
        return mmseq.Weighted(total, weights)


def test_the_second_pass_has_the_main_losss_weight_and_refined_emissions(taken):
    """L2 = 2 main of refined emissions, at E + r; r along the gradient of 2 main + 3 boundary."""
    aux = ["boundary"]
    settings = {"aux.boundary.heads": 4, "aux.boundary.refine": True}
    model, batches, stepper = taken(1.5, aux, **settings)
    model.weighting = Doubled()
    batch = batches[0]
    count, items = model.decoder.count(batch.targets), model.task("boundary").count(batch.targets)

    def losses():
        found = model(batch, aux).losses
        return 2 * found["main"] / count, 3 * found["boundary"] / items

    own = gradients(model, sum(losses()))
    matrix = dict(model.named_parameters())[MATRIX]
    kept = matrix.detach().clone()
    matrix.data = kept + 1.5 * own[MATRIX] / own[MATRIX].norm()
    moved = gradients(model, losses()[0])
    matrix.data = kept
    before = weights_of(model)
    stepper.step([batch], aux, 0.0)
    for name, after in weights_of(model).items():
        step = before[name] - after
        torch.testing.assert_close(step, own[name] + moved[name], atol=1e-5, rtol=1e-4)


def test_the_losses_told_are_those_of_the_words_as_they_are(taken):
    model, batches, stepper = taken(5.0)
    told = model(batches[0], []).losses["main"].item()
    assert stepper.step(batches[:1], [], 0.0).losses["main"] == pytest.approx(told)


def test_embeddings_that_nothing_moves_are_restored_exactly(taken):
    """Rows of words not in the batch have no gradient, and keep their numbers bit by bit."""
    model, batches, stepper = taken(1.0)
    matrix = model.text_encoder.embeddings()
    absent = torch.ones(len(matrix), dtype=torch.bool)
    absent[batches[0].text.tensors["input_ids"].unique()] = False
    assert absent.any()
    before = matrix.detach().clone()
    stepper.step(batches[:1], [], 0.0)
    assert matrix[absent].equal(before[absent])
    assert not matrix[~absent].equal(before[~absent])


@pytest.mark.parametrize("freeze", [1, -1])
def test_frozen_embeddings_are_a_users_error(config, tmp_path, freeze):
    made = config(**{"train.adversarial": 1.0, "text_encoder.freeze": freeze})
    message = (
        r"^train.adversarial = 1.0 moves embeddings that train, and text encoder 'transformer' "
        r"keeps its embeddings as they are; let them train, or give 0.$"
    )
    with pytest.raises(UserError, match=message):
        new_run(made, tmp_path / "run", Reporter(quiet=True))


def test_an_encoder_without_embeddings_is_a_users_error(config, tmp_path, monkeypatch):
    from mmseq.builtins.text.transformer import TransformerEncoder

    monkeypatch.setattr(TransformerEncoder, "embeddings", lambda self: None)
    with pytest.raises(UserError, match="'transformer' .*embeddings"):
        new_run(config(**{"train.adversarial": 1.0}), tmp_path / "run", Reporter(quiet=True))


def test_bilstm_moves_its_word_vectors(tiny_data, tmp_path):
    made = Config.from_layers(
        flags={"text_encoder": {"name": "bilstm", "vectors": "", "hidden": 8}},
        settings={
            "data.path": str(tiny_data),
            "fusion.name": "none",
            "image_encoder.name": "none",
            "train.device": "cpu",
        },
    )
    trainer = Trainer(new_run(made, tmp_path / "run", Reporter(quiet=True)))
    model, batch = trainer.model.eval(), trainer.batches.batch(range(6))
    vectors = model.text_encoder.known.weight
    count = model.decoder.count(batch.targets)

    def gradient():
        loss = model(batch, []).losses["main"] / count
        return torch.autograd.grad(loss, vectors)[0]

    before, own = vectors.detach().clone(), gradient()
    vectors.data = before + own / own.norm()
    moved = gradient()
    vectors.data = before.clone()
    optimiser = torch.optim.SGD([vectors], lr=1.0)
    Stepper(model, optimiser, Accelerator(cpu=True), clip=0.0, adversarial=1.0).step([batch], [], 0)
    torch.testing.assert_close(before - vectors, own + moved, atol=2e-6, rtol=1e-4)


def test_a_negative_size_is_a_users_error(config):
    with pytest.raises(UserError, match=r"train\.adversarial"):
        config(**{"train.adversarial": -1.0})
