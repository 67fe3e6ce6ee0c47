"""The image encoder learns by itself, before the main task, what a picture stands for."""

import json
import shutil
import signal
import subprocess
from itertools import count
from pathlib import Path

import pytest
import torch
import warm
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

import mmseq
from mmseq import Sizes
from mmseq.builtins.images.timm import TimmEncoder
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.layers.probe import PENALTY, linear_probe
from mmseq.pictures import fixed
from mmseq.pictures.features import compute_features
from mmseq.pictures.fixed import LIMIT, FixedPictures
from mmseq.pictures.types import TypedPictures, typed_pictures
from mmseq.runs.identity import settings
from mmseq.training import pictures as phase
from mmseq.training.loop import Trainer
from mmseq.training.setup import new_run

TYPES = ("LOC", "PER")


class Table:
    """Files whose name begins alike have the same content; lost.png cannot be used."""

    def has(self, path):
        return path.stem != "lost"

    def content(self, path):
        return path.stem[0]


def sentence(words, tags, images):
    return Example(
        tuple(words.split()), tuple(tags.split()), tuple(Path(f"{i}.png") for i in images.split())
    )


def test_a_picture_stands_for_the_types_of_the_ambiguous_names_in_all_its_sentences():
    examples = [
        sentence("Jordan in Oslo", "B-PER O B-LOC", "a1"),
        sentence("JORDAN river", "B-LOC I-LOC", "b a2"),
        sentence("seen by Jordan", "O O B-PER", "a1 lost"),
        sentence("Oslo and Bergen", "B-LOC O B-LOC", "c"),
        sentence("nothing", "O", "d"),
        sentence("Jordan", "B-LOC", ""),
        # A type that was not learned stands for nothing.
        sentence("Cup in Oslo", "B-PRIZE O O", "e"),
        sentence("Cup Oslo", "B-PRIZE B-LOC", "c"),
    ]
    found = typed_pictures(examples, Table(), TYPES, {("jordan",)})
    assert [path.name for path in found.paths] == ["a1.png", "b.png", "c.png"]
    # a: Jordan twice a person; that "Jordan river" is a place, and Oslo, the words tell. b and c
    # have no ambiguous name, so that all their entities count.
    assert found.counts.tolist() == [[0, 2], [1, 0], [3, 0]]
    assert found.shares.tolist() == [[0, 1], [1, 0], [1, 0]]


def test_named_rightly_is_any_type_that_none_is_more_frequent_than():
    pictures = TypedPictures([Path("a")] * 3, torch.tensor([[2.0, 0, 1], [1, 1, 0], [0, 0, 3]]))
    scores = torch.tensor([[0.1, 0.2, 0.9], [0.0, 5.0, 4.0], [-3.0, -2.0, -1.0]])
    assert pictures.named(scores) == 2


def test_the_probe_is_the_minimum_of_its_loss_and_separates_what_can_be_separated():
    torch.manual_seed(0)
    vectors = torch.randn(40, 6) * torch.tensor([1.0, 5, 0.1, 1, 1, 1]) + 3
    types = (vectors[:, 1] > vectors[:, 1].mean()).long()
    shares = torch.nn.functional.one_hot(types, 2).float()
    probe = linear_probe(vectors, shares)
    assert (probe(vectors).argmax(1) == types).all()
    # In the standardised numbers the gradient of loss and penalty is zero.
    mean, deviation = vectors.mean(0), vectors.std(0, correction=0)
    weight = (probe.weight * deviation).requires_grad_()
    bias = (probe.bias + probe.weight @ mean).requires_grad_()
    scores = (vectors - mean) / deviation @ weight.T + bias
    loss = cross_entropy(scores, shares) + PENALTY * weight.square().sum()
    for gradient in torch.autograd.grad(loss, [weight, bias]):
        assert gradient.abs().max() < 1e-3
    again = linear_probe(vectors, shares)
    assert torch.equal(again.weight, probe.weight)


def test_what_is_told_of_the_pictures():
    better, worse = phase.Named(40, 30, 34), phase.Named(40, 30, 29)
    assert phase.Named(40, 30, 30).learned
    assert "85.0 % of 40 validation pictures" in better.line()
    assert "75.0 %" in better.line()
    assert (better.learned, worse.learned) == (True, False)
    assert "it stays as it was" in worse.line()
    assert "stays" not in better.line()


@pytest.fixture
def config(tiny_encoder, tiny_data):
    """Four epochs of pictures before two of sentences, with a random encoder's last stage."""

    def make(**settings):
        values = {
            "data.path": str(tiny_data),
            "train.epochs": 2,
            "train.batch_size": 8,
            "train.device": "cpu",
        }
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {
                    "name": "timm",
                    "model": "test_resnet",
                    "weights": "random",
                    "train": "last-stage",
                    "learning_rate": 1e-3,
                    "picture_epochs": 4,
                },
                "fusion": {"name": "concat"},
            },
            aux=[],
            settings={**values, **settings},
        )

    return make


def run_of(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


def image_weights(state):
    return {name: t for name, t in state.items() if name.startswith("image_encoder.")}


@pytest.fixture
def always_learned(monkeypatch):
    """A random encoder on noise may name fewer than before: what follows hangs not on that."""
    monkeypatch.setattr(phase.Named, "learned", True)


def test_what_has_been_learned_stays_as_it_is_in_the_main_task(config, tmp_path, always_learned):
    trainer = Trainer(new_run(config(), tmp_path / "run", Reporter(quiet=True)))
    first = {n: t.clone() for n, t in image_weights(trainer.model.state_dict()).items()}
    learned = {}

    def noted():
        learned.update({n: t.clone() for n, t in image_weights(trainer.model.state_dict()).items()})
        return

    run = trainer.learning.run
    trainer.learning.run = lambda pressed: (run(pressed), noted())[1]
    trainer.run()
    kept = image_weights(load_file(tmp_path / "run" / "model.safetensors"))
    changed = {name for name in first if not torch.equal(first[name], learned[name])}
    # The last stage alone learns; running statistics of batch norms do not move.
    assert changed
    assert all(".layer4." in name for name in changed)
    assert not any("running" in name for name in changed)
    assert kept.keys() == learned.keys()
    assert all(torch.equal(kept[name], learned[name]) for name in kept)


def test_an_encoder_that_names_fewer_than_before_stays_as_it_was(config, tmp_path, monkeypatch):
    monkeypatch.setattr(phase.Named, "learned", False)
    setup = new_run(config(), tmp_path / "run", Reporter(quiet=True))
    first = {n: t.clone() for n, t in image_weights(setup.model.state_dict()).items()}
    Trainer(setup).run()
    kept = image_weights(load_file(tmp_path / "run" / "model.safetensors"))
    assert all(torch.equal(kept[name], first[name]) for name in kept)


def test_metrics_tell_the_share_of_the_validation_pictures(config, tmp_path, tiny_data):
    run = run_of(config(), tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    told = metrics["pictures"]
    lines = (tiny_data / "valid.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    tagged = {
        (tiny_data / "images" / name).read_bytes()
        for entry in entries
        if set(entry["tags"]) != {"O"}
        for name in entry["images"]
    }
    assert told["pictures"] == len(tagged)
    # The last stage counts among what was trained, though it stands still in the main task.
    state = load_file(run / "model.safetensors")
    own = sum(t.numel() for n, t in state.items() if ".layer4." in n and "running" not in n)
    bare = sum(
        p.numel()
        for p in new_run(
            config(**{"image_encoder.train": "frozen"}), tmp_path / "bare", Reporter(quiet=True)
        ).model.parameters()
        if p.requires_grad
    )
    batches = sum(1 for n in state if ".layer4." in n and "num_batches" in n)
    assert metrics["parameters"]["trained"] == bare + own - batches
    assert 0 <= told["before"] <= told["pictures"]
    assert 0 <= told["after"] <= told["pictures"]


@pytest.mark.parametrize(
    "settings",
    [
        {"image_encoder.picture_epochs": 0},
        {"image_encoder.train": "frozen"},
        {"fusion.name": "none"},
    ],
)
def test_without_epochs_or_anything_that_trains_there_is_no_such_phase(config, tmp_path, settings):
    trainer = Trainer(new_run(config(**settings), tmp_path / "run", Reporter(quiet=True)))
    assert trainer.learning is None
    trains = [p for p in trainer.model.parameters() if p.requires_grad]
    optimised = [p for group in trainer.optimiser.param_groups for p in group["params"]]
    assert {id(p) for p in trains} == {id(p) for p in optimised}


def test_what_it_would_take_is_told_by_a_few_steps(config, tmp_path, monkeypatch):
    """By a clock on which every step takes a second: 4 epochs of 160 pictures in steps of 16."""
    setup = new_run(config(), tmp_path / "run", Reporter(quiet=True))
    learning = phase.picture_learning(setup)
    ticks = count()
    monkeypatch.setattr(phase.time, "perf_counter", lambda: float(next(ticks)))
    assert learning.seconds(160) == 4 * 160 / 16
    assert not any(weight.requires_grad for weight in setup.model.image_encoder.parameters())


def test_data_without_a_picture_are_trained_on_as_they_are(config, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    shutil.rmtree(data / "images")
    run = run_of(config(**{"data.path": str(data)}), tmp_path / "run")
    assert "pictures" not in json.loads((run / "metrics.json").read_text())


@pytest.mark.process
@pytest.mark.parametrize("at", [0, 3, 5], ids=["at once", "in the second epoch", "in the third"])
def test_killed_while_it_learns_and_resumed_is_the_unbroken_run(config, run_once, tmp_path, at):
    settings = {"image_encoder.picture_epochs": 3}
    whole = run_once(config(**settings))
    config(**settings).save(tmp_path / "config.toml")
    program = f"""
import os, signal, mmseq
from mmseq.training import pictures
from mmseq.console import Reporter
pictures.BATCH = {phase.BATCH}
step, done = pictures.PictureLearning._step, []
def killed(self, *arguments):
    if len(done) == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(1)
    return step(self, *arguments)
pictures.PictureLearning._step = killed
config = mmseq.Config.from_file(r"{tmp_path / "config.toml"}")
mmseq.train(config, output=r"{tmp_path / "broken"}", reporter=Reporter(quiet=True))
"""
    done = warm.run("-c", program)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = mmseq.train(output=tmp_path / "broken", resume=True, reporter=Reporter(quiet=True))
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name
    assert not (resumed / "last").exists()


@pytest.mark.process
def test_ctrl_c_while_it_learns_says_how_to_go_on(config, tmp_path):
    config(**{"image_encoder.picture_epochs": 100_000}).save(tmp_path / "config.toml")
    with warm.Process(
        *("-m", "mmseq", "train", "--config", tmp_path / "config.toml"),
        *("--output", tmp_path / "run"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        for line in process.stdout:
            if "pictures 2/" in line:
                break
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
        assert process.wait(timeout=600) == 1
    assert "Traceback" not in error
    assert "Stopped after picture epoch" in error
    assert f"mmseq train --resume --output {tmp_path / 'run'}" in error


def test_a_run_from_before_the_phase_goes_on_without_it(config, tmp_path, monkeypatch):
    """Its config does not have the option, whose default is another."""
    joint = config(**{"image_encoder.picture_epochs": 0})
    whole = run_of(joint, tmp_path / "whole")
    monkeypatch.setattr(Trainer, "run", lambda self: None)
    old = run_of(joint, tmp_path / "old")
    monkeypatch.undo()
    text = (old / "config.toml").read_text()
    assert "picture_epochs = 0\n" in text
    (old / "config.toml").write_text(text.replace("picture_epochs = 0\n", ""))
    (old / "data.json").unlink()
    resumed = mmseq.train(output=old, resume=True, reporter=Reporter(quiet=True))
    assert (resumed / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()


def test_a_record_from_before_the_phase_is_one_without_it():
    def found(**image):
        tables = {"fusion": {"name": "gate"}, "image_encoder": {"name": "timm", **image}}
        return settings(tables, seed=False)

    assert found(train="last-stage") == found(train="last-stage", picture_epochs=0)
    assert found(train="last-stage") != found(train="last-stage", picture_epochs=8)


def test_fixed_pictures_are_what_the_encoder_gives_whatever_was_asked_before(tiny_data):
    torch.manual_seed(0)
    encoder = TimmEncoder(
        Sizes(("O",)), model="test_resnet", weights="random", train="last-stage", levels=True
    )
    paths = sorted((tiny_data / "images").iterdir())[:5]
    table = compute_features(paths, encoder)
    right = encoder(table.rows(paths))
    first, later, none = (
        FixedPictures(table, encoder, torch.device("cpu"), limit=limit)
        for limit in (LIMIT, LIMIT, 0)
    )
    later.rows(paths[3:])
    for source in (first, later, none):
        for asked in (paths, paths[::-1], paths):
            given, order = source.rows(asked), [paths.index(path) for path in asked]
            torch.testing.assert_close(given.regions, right.regions[order], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(given.vector, right.vector[order], atol=1e-5, rtol=1e-5)
            for one, other in zip(given.levels, right.levels, strict=True):
                torch.testing.assert_close(one, other[order], atol=1e-5, rtol=1e-5)
    given = [source.rows(paths) for source in (first, later, none)]
    assert torch.equal(given[0].regions, given[1].regions)
    assert torch.equal(given[0].regions, given[2].regions)
    assert torch.equal(first.rows([paths[2]]).vector, given[0].vector[[2]])
    assert encoder.training is False


def test_what_is_kept_of_them_in_memory_changes_no_weight(config, run_once, tmp_path, monkeypatch):
    whole = run_once(config())
    monkeypatch.setattr(fixed.FixedPictures.__init__, "__defaults__", (0,))
    none = run_of(config(), tmp_path / "run")
    assert (none / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
