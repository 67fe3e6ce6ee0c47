"""Gradients on the shared states, and how the trainer gives their cosines to callbacks."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

import mmseq
from mmseq.console import Reporter
from mmseq.layers.gradients import Cosines, shared_gradients
from mmseq.runs.weights import load_weights
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run


def states(*values):
    return torch.tensor(values).view(1, -1, 2).requires_grad_()


def test_gradients_by_hand_and_the_graph_stays():
    shared = states(1.0, 2.0, 3.0, 4.0)
    losses = {"main": (shared**2).sum(), "aux": 3 * shared[0, 0, 0], "none": torch.tensor(5.0)}
    losses["elsewhere"] = torch.tensor(2.0, requires_grad=True) * 2
    found = shared_gradients(losses, shared, "a test")
    assert found["main"].flatten().tolist() == [2, 4, 6, 8]
    assert found["aux"].flatten().tolist() == [3, 0, 0, 0]
    assert found["none"].flatten().tolist() == [0] * 4
    assert found["elsewhere"].flatten().tolist() == [0] * 4
    assert shared.grad is None
    losses["main"].backward()
    assert shared.grad.flatten().tolist() == [2, 4, 6, 8]


def test_frozen_states_are_a_users_error():
    shared = torch.ones(1, 2, 2)
    loss = torch.ones((), requires_grad=True) * 2
    with pytest.raises(mmseq.UserError, match="callback 'x' .*text encoder"):
        Cosines("callback 'x'").add({"main": loss}, shared)


def test_cosines_over_two_micro_batches_by_hand():
    cosines = Cosines("a test")
    # Gradients of main (1, 0 | 2, 2), of a (1, 1 | 0, 1): product 3, squares 9 and 3.
    # Of b (-1, 0 | -2, -2); of c twice main; of d (0, 1 | 0, 0), at a right angle; of e none.
    rows = [
        {"main": (1, 0), "a": (1, 1), "b": (-1, 0), "c": (2, 0), "d": (0, 1), "e": (0, 0)},
        {"main": (2, 2), "a": (0, 1), "b": (-2, -2), "c": (4, 4), "d": (0, 0), "e": (0, 0)},
    ]
    for row in rows:
        shared = states(0.5, -0.5)
        losses = {n: (shared * torch.tensor(g, dtype=torch.float)).sum() for n, g in row.items()}
        cosines.add(losses, shared)
    found = cosines.values()
    assert found.keys() == {"a", "b", "c", "d"}
    assert found["a"] == pytest.approx(3 / math.sqrt(9 * 3))
    assert (found["b"], found["c"], found["d"]) == (-1.0, 1.0, 0.0)


def test_small_gradients_have_directions_too_and_rounding_stays_within_1():
    cosines, shared = Cosines("a test"), states(1.0, 1.0)
    main = (shared * torch.tensor([1e-3, 3e-3])).sum()
    cosines.add({"main": main, "same": main * 7, "against": -main / 9}, shared)
    found = cosines.values()
    assert found == {"same": pytest.approx(1), "against": pytest.approx(-1)}
    assert max(map(abs, found.values())) <= 1


def test_the_main_task_alone_has_no_cosine():
    cosines, shared = Cosines("a test"), states(1.0, 1.0)
    cosines.add({"main": shared.sum()}, shared)
    assert cosines.values() == {}


def test_half_precision_gradients_are_compared_in_full():
    shared = torch.full((1, 4, 512), 1.0, dtype=torch.bfloat16, requires_grad=True)
    cosines = Cosines("a test")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cosines.add({"main": shared.sum(), "half": shared[:, :2].sum()}, shared)
    # 1024 of 2048 equal numbers: the cosine is sqrt(1/2).
    assert cosines.values() == {"half": pytest.approx(math.sqrt(0.5), abs=1e-6)}


class Listener(mmseq.Callback):
    """Wants the cosines of every third step, and keeps all events."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def wants_cosines(self, step):
        return step % 3 == 0

    def on_step(self, event):
        self.steps.append(event)

    def on_epoch(self, event):
        self.epochs.append(event)


class Learned(mmseq.Weighting):
    """The plain sum, and a weight of its own with a gradient of 1000; keeps the epochs' means."""

    learning_rate = 0.5

    def __init__(self):
        super().__init__()
        self.own = torch.nn.Parameter(torch.zeros(()))
        self.epochs = []

    def forward(self, losses, shared, progress):
        total = torch.stack(list(losses.values())).sum()
        return mmseq.Weighted(total + 1000 * self.own, dict.fromkeys(losses, 1.0))

    def end_epoch(self, means):
        self.epochs.append(dict(means))


def trained(config, folder, *, listening=True, weighting=None):
    """The listener and the model of a run."""
    setup = new_run(config, folder, Reporter(quiet=True))
    if listening:
        setup.callbacks["listener"] = Listener()
    if weighting is not None:
        setup.model.weighting = weighting
    Trainer(setup).run()
    return setup.callbacks.get("listener"), setup.model


@pytest.mark.parametrize("accumulate", [1, 2])
def test_cosines_are_given_where_they_are_wanted_and_training_is_the_same(
    echo_config, tmp_path, accumulate
):
    config = echo_config(**{"train.accumulate": accumulate})
    listener, model = trained(config, tmp_path / "with")
    assert len(listener.steps) == 24 // accumulate
    for event in listener.steps:
        expected = {"echo": 1.0, "mirror": -1.0} if event.step % 3 == 0 else {}
        assert event.cosines == expected
        assert set(event.losses) == {"main", "echo", "mirror", "apart"}
    _, other = trained(config, tmp_path / "without", listening=False)
    assert all(torch.equal(other.state_dict()[n], t) for n, t in model.state_dict().items())
    histories = [(tmp_path / run / "history.jsonl").read_bytes() for run in ("with", "without")]
    assert histories[0] == histories[1]


def test_a_frozen_encoder_is_told_when_cosines_are_wanted(echo_config, tmp_path):
    config = echo_config(**{"text_encoder.freeze": -1})
    with pytest.raises(mmseq.UserError, match=r"callback 'listener' .*text_encoder\.freeze"):
        trained(config, tmp_path / "run")


def test_a_weighting_hears_the_means_of_every_epoch(echo_config, tmp_path):
    weighting = Learned()
    listener, _ = trained(echo_config(), tmp_path / "run", weighting=weighting)
    assert len(weighting.epochs) == 4
    assert weighting.epochs == [event.losses for event in listener.epochs]


def test_a_weightings_own_gradient_is_not_in_the_norm_and_its_rate_is_its_own(
    echo_config, tmp_path
):
    plain, _ = trained(echo_config(), tmp_path / "plain")
    listener, model = trained(echo_config(), tmp_path / "learned", weighting=Learned())
    norms = [[event.gradient_norm for event in run.steps] for run in (plain, listener)]
    assert norms[0] == norms[1]
    # 24 steps, two of them warm-up: Adam goes down by the rate at each, since the gradient stays.
    factors = [0.5, 1.0, *[(24 - step) / 22 for step in range(2, 24)]]
    rates = [event.learning_rates["weighting"] for event in listener.steps]
    assert rates == pytest.approx([0.5 * factor for factor in factors])
    # The best epoch's weights are taken up again at the end.
    best = json.loads((tmp_path / "learned" / "metrics.json").read_text())["best_epoch"]
    assert model.weighting.own.item() == pytest.approx(-sum(rates[: 6 * best]), rel=1e-4)


def test_init_leaves_the_weighting_its_own_state(echo_config, tmp_path):
    trained(echo_config(), tmp_path / "first", weighting=Learned())
    trained(echo_config(), tmp_path / "plain")
    for run in ("first", "plain"):
        model = new_run(echo_config(), tmp_path / f"{run}-two", Reporter(quiet=True)).model
        model.weighting = Learned()
        load_weights(model, tmp_path / run / "model.safetensors", weighting=False)
        saved = load_file(tmp_path / run / "model.safetensors")
        assert torch.equal(model.head.weight, saved["head.weight"])
        assert model.weighting.own.item() == 0.0
