"""The total loss of the systems, through a real model and a real training step, by hand.

The last layer norms of the fusion and the weights of the heads are set to 0, so that every fused
vector and every emission is the bias that a test writes down.
"""

import json
import math
from dataclasses import replace

import pytest
import torch
from PIL import Image

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.model.prediction import predict
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run

TRAIN = [("Anna in Oslo", "B-PER O B-LOC", 1), ("so tired", "O O", 1), ("Jordan", "B-PER", 0)]
LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
MLMNER = ("boundary", "contrastive", "cluster")
LOG2 = math.log(2)


@pytest.fixture
def trainer(tiny_encoder, tmp_path):
    """A trainer on the three sentences, past its preparation."""
    lines = []
    for number, (words, tags, images) in enumerate(TRAIN):
        names = [f"{number}.png"] * images
        for name in names:
            Image.new("RGB", (40, 32), (40 * number, 90, 200)).save(tmp_path / name)
        record = {"tokens": words.split(), "tags": tags.split(), "images": names}
        lines.append(json.dumps(record))
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def make(aux=MLMNER, **settings):
        config = Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
                "fusion": {"name": "cross-transformer", "heads": 4},
            },
            aux=list(aux),
            settings={
                "data.path": str(tmp_path),
                "data.image_folder": str(tmp_path),
                "aux.boundary.heads": 4,
                "callbacks.history.steps": 1,
                "train.device": "cpu",
                "train.epochs": 2,
                **settings,
            },
        )
        made = Trainer(new_run(config, tmp_path / "run", Reporter(quiet=True)))
        assert made.model.labels == LABELS
        made.progress.prepared = True
        return made

    return make


def constant(layer, values):
    """A layer that gives `values`, then zeros, whatever it is given."""
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layer.bias.data[: len(values)] = torch.tensor(values)


def set_emissions(model, main, boundary):
    """The scores of every word, with CRFs whose transitions are all 0."""
    constant(model.head, main)
    constant(model.task("boundary").emissions, boundary)
    for decoder in (model.decoder, model.task("boundary").crf):
        for parameter in decoder.parameters():
            torch.nn.init.zeros_(parameter)


def by_hand(model):
    """T = (1, 0, …), A = (6, 0, …), the gate is 1/2: F = (1, 0, …; 3, 0, …), or (1, 0, …; 0, …)."""
    constant(model.fusion.text_to_text.layers[-1].norm, [1.0])
    constant(model.fusion.text_to_image.layers[-1].norm, [6.0])
    constant(model.fusion.gate, [])
    # Probabilities: O 1/2, every other tag 1/8; O 1/2, B and I 1/4.
    set_emissions(model, [2 * LOG2], [LOG2])
    cluster = model.task("cluster")
    assert cluster.types == ("LOC", "PER")
    cluster.seen.fill_(1)
    # PER: where the words without picture lie; LOC: 4 beyond those with one.
    cluster.centers.data.zero_()
    cluster.centers.data[:, 0] = 1
    cluster.centers.data[0, 32] = 7


def step(trainer, group, hidden=(False,) * 3):
    """One training step; its total, and its line in the history."""
    totals = []
    backward = trainer.accelerator.backward

    def noted(total):
        totals.append(total.item())
        backward(total)

    trainer.accelerator.backward = noted
    for callback in trainer.callbacks.values():
        callback.on_start(trainer.folder, 0)
    trainer.model.train()
    trainer._train_step([trainer.batches.batch(indexes, hidden) for indexes in group])
    (line,) = (trainer.folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(totals), json.loads(line)


SHOWN, HIDDEN = [False] * 3, [True] * 3
# Anna lies between the centres (3 from PER, 4 from LOC; cosine -1), Oslo too, Jordan on his own.
CASES = {
    "all": ([[0, 1, 2]], SHOWN, 12 / 3, 9 / 3, {"contrastive": 2 / 2, "cluster": (4 + 5 + 0) / 3}),
    # Each micro-batch holds one pair, which has nothing to be told from; means are the step's.
    "accumulated": ([[0], [1, 2]], SHOWN, 12 / 3, 9 / 3, {"contrastive": 0, "cluster": 3}),
    # Every word lies on PER's centre: Oslo 7 from its own, without direction to the other.
    "no picture": ([[0, 1, 2]], HIDDEN, 12 / 3, 9 / 3, {"cluster": (0 + 7 + 0) / 3}),
    "one sentence": ([[0]], SHOWN, 7, 5, {"contrastive": 0, "cluster": (4 + 5) / 2}),
    "no entity": ([[1]], SHOWN, 2, 2, {"contrastive": 0}),
    "no entity, no picture": ([[1]], HIDDEN, 2, 2, {}),
    "one word, one class, on its centre": ([[2]], SHOWN, 3, 2, {"cluster": 0}),
}


@pytest.mark.parametrize(
    ("group", "hidden", "main", "boundary", "others"), CASES.values(), ids=CASES
)
def test_the_total_is_the_weighted_sum_of_means(trainer, group, hidden, main, boundary, others):
    made = trainer()
    by_hand(made.model)
    total, line = step(made, group, hidden)
    losses = {"main": main * LOG2, "boundary": boundary * LOG2, **others}
    if others.get("contrastive"):
        losses["contrastive"] *= LOG2
    assert line["losses"] == {n: pytest.approx(x, abs=1e-5) for n, x in losses.items()}
    weights = {"main": 1.0, "boundary": 0.4, "contrastive": 0.5, "cluster": 0.01}
    assert line["weights"] == {name: weights[name] for name in losses}
    expected = sum(weights[name] * loss for name, loss in losses.items())
    assert total == pytest.approx(expected, abs=1e-5)
    assert 0 < line["gradient_norm"] < math.inf


UMT = {"aux": ("boundary",), "aux.boundary.refine": True, "aux.boundary.weight": 0.5}


def test_the_main_loss_is_of_refined_emissions_and_the_boundary_loss_weighs_a_half(trainer):
    made = trainer(**UMT)
    # Main scores (2, 0, 0, 0, 0) log 2; O, B, I (1, 2, 0) log 2, through W^c (1, 1, 0, 1, 0) log 2.
    # Half of each added: probabilities as 2^1.5 to 2^0.5, 1, 2^0.5, 1.
    set_emissions(made.model, [2 * LOG2], [LOG2, 2 * LOG2])
    total, line = step(made, [[0, 1, 2]])
    outside, begin = 2**1.5, 2**0.5
    every = outside + 2 * begin + 2
    # Three O, three B over three sentences; of the boundaries, 2, 4, 1 of 7.
    main = -(3 * math.log(outside / every) + 3 * math.log(begin / every)) / 3
    boundary = -(3 * math.log(2 / 7) + 3 * math.log(4 / 7)) / 3
    assert line["losses"] == {
        "main": pytest.approx(main, abs=1e-5),
        "boundary": pytest.approx(boundary, abs=1e-5),
    }
    assert total == pytest.approx(main + 0.5 * boundary, abs=1e-5)


SCORES = [
    # Refined, O has 6/2, B-PER 4/2 + 3/4; with 5 for B it has 4/2 + 5/4.
    ([0.0, 0, 0, 4, 0], [6.0, 3, 0], "B-PER", "O"),
    ([0.0, 0, 0, 4, 0], [6.0, 5, 0], "B-PER", "B-PER"),
    # O has 4/2 - 1/2, B-LOC 1/2 + 6/4.
    ([4.0, 1, 0, 0, 0], [-1.0, 6, 0], "O", "B-LOC"),
]


@pytest.mark.parametrize(("settings", "refined"), [({}, False), (UMT, True)], ids=["bare", "umt"])
def test_only_a_refining_task_changes_the_predicted_tags(trainer, settings, refined):
    made = trainer(**settings)
    for main, boundary, own, mixed in SCORES:
        set_emissions(made.model, main, boundary)
        found = predict(
            made.model,
            made.setup.collator,
            made.batches.sentences,
            device=made.model.head.bias.device,
        )
        tag = mixed if refined else own
        assert [list(one.tags) for one in found] == [[tag] * 3, [tag] * 2, [tag]]


def test_gradient_of_the_total_is_its_slope(trainer):
    made = trainer()
    model = made.model.double().eval()
    batch = made.batches.batch([0, 1, 2], SHOWN)
    batch = replace(batch, pictures={n: t.double() for n, t in batch.pictures.items()})
    model.task("cluster").seen.fill_(1)
    counts = model.counts(batch, made.tasks)
    assert counts == {"main": 3, "boundary": 3, "contrastive": 2, "cluster": 3}

    def total(*_):
        output = model(batch, made.tasks)
        means = {name: loss / counts[name] for name, loss in output.losses.items()}
        return model.weighting(means, output.shared, 0.0).total

    # One of what all tasks share, and one of what belongs to the main and to the boundary task.
    biases = model.fusion.gate.bias, model.head.bias, model.task("boundary").emissions.bias
    assert torch.autograd.gradcheck(total, biases)
