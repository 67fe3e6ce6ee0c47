"""How long a run is, and when it is validated."""

import json
import re

import pytest

import mmseq
from mmseq.config.config import Config, TrainConfig
from mmseq.console import Reporter
from mmseq.model.order import epoch_steps, steps_in_epoch
from mmseq.training.interruption import Interrupted
from mmseq.training.loop import Trainer
from mmseq.training.rounds import rounds_of, with_length


def rounds(sentences, **train):
    return rounds_of(TrainConfig(**train), sentences)


def test_a_length_in_epochs_has_a_round_an_epoch():
    """100 sentences in batches of 32: 4 steps."""
    found = rounds(100, epochs=3)
    assert (found.each, found.ends, found.total, found.epochs) == (4, (4, 8, 12), 12, 3)
    assert [list(found.steps(i)) for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert found.name(2, preparing=False) == "epoch 2/3"
    assert found.name(1, preparing=True) == "epoch 1/3 (main task alone)"


def test_the_last_epoch_of_a_length_in_steps_is_cut_short():
    found = rounds(100, steps=18)
    assert found.ends == (4, 8, 12, 16, 18)
    assert (found.total, found.epochs) == (18, 5)
    assert found.name(5, preparing=False) == "epoch 5/5"


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        (10, (2, 5, 8, 10)),  # 2.5 epochs: 4 rounds of 2.5 steps
        (4, (1, 2, 3, 4)),
        (3, (1, 2, 3)),  # no more rounds than steps
        (1, (1,)),
    ],
)
def test_less_than_four_epochs_are_validated_four_times(steps, ends):
    found = rounds(100, steps=steps)
    assert found.ends == ends
    assert found.name(1, preparing=False).startswith("part 1/" if len(ends) > 1 else "epoch 1/1")


def test_more_than_forty_epochs_are_validated_forty_times():
    found = rounds(100, steps=1000)
    assert found.epochs == 250
    assert found.ends == tuple(range(25, 1001, 25))


@pytest.mark.parametrize("sentences", [1, 2, 3, 31, 32, 33, 63, 64, 65, 1599, 1600, 1601, 3201])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_an_epoch_has_as_many_steps_in_every_epoch(sentences, processes, accumulate):
    train = TrainConfig(accumulate=accumulate)
    for epoch in range(3):
        for process in range(processes):
            made = epoch_steps([5] * sentences, train, epoch, process, processes)
            assert len(made) == steps_in_epoch(sentences, train, processes)


def lengths(sentences, **train):
    settings = {"data.path": "elsewhere", **{f"train.{key}": v for key, v in train.items()}}
    found = with_length(Config.from_layers(settings=settings), sentences).train
    return 0 if found.epochs == "auto" else found.epochs, found.steps


def test_the_length_left_open_follows_the_number_of_sentences():
    """The transformer's 8 epochs, of 50 to 500 steps each: 1,600 to 16,000 sentences."""
    assert lengths(1600) == lengths(3373) == lengths(16_000) == (8, 0)
    assert lengths(600) == (0, 400)  # 19 steps an epoch count as 50
    assert lengths(60_000) == (0, 4000)  # 1875 count as 500
    assert lengths(40) == (0, 80)  # two steps an epoch: 40 epochs at most
    assert lengths(600, epochs=3) == (3, 0)
    assert lengths(600, steps=70) == (0, 70)


def test_a_text_encoder_that_sets_its_epochs_has_as_many_whatever_the_data():
    config = Config.from_layers(
        flags={"text_encoder": {"name": "bilstm"}}, settings={"data.path": "elsewhere"}
    )
    for sentences in (40, 1600, 60_000):
        found = with_length(config, sentences).train
        assert (found.epochs, found.steps) == (30, 0)


def test_the_sample_has_its_own_length():
    assert with_length(Config.from_layers(), 1200).train.epochs == 5


def test_two_lengths_are_refused():
    with pytest.raises(
        mmseq.UserError, match="train.steps = 70 and train.epochs = 3.*leave one out"
    ):
        lengths(600, epochs=3, steps=70)


@pytest.fixture
def config(tiny_encoder, tiny_data):
    """24 sentences in batches of 8: 3 steps an epoch."""

    def make(**settings):
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
            },
            aux=[],
            settings={
                "data.path": str(tiny_data),
                "train.batch_size": 8,
                "train.device": "cpu",
                "callbacks.history.steps": 1,
                **settings,
            },
        )

    return make


def history(run):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_a_run_in_steps_is_that_long_and_says_so(config, tmp_path):
    lines = []
    reporter = Reporter(quiet=True)
    reporter.line = lines.append
    run = mmseq.train(config(**{"train.steps": 7}), output=tmp_path / "run", reporter=reporter)
    told = history(run)
    steps = [record for record in told if record["kind"] == "step"]
    assert [record["step"] for record in steps] == list(range(1, 8))
    epochs = [record for record in told if record["kind"] == "epoch"]
    # 7 steps are 3 epochs, so that they are cut in four: after 2, 4, 5 and 7 (1.75 each).
    assert [record["step"] for record in epochs] == [2, 4, 5, 7]
    assert [line.split()[1] for line in lines if line.startswith("part ")] == [
        "1/4", "2/4", "3/4", "4/4",
    ]  # fmt: skip
    kept = Config.from_file(run / "config.toml").train
    assert (kept.steps, kept.epochs) == (7, "auto")


def test_steps_as_many_as_epochs_have_are_the_same_run(config, tmp_path):
    """Five epochs of three steps."""
    one = mmseq.train(
        config(**{"train.epochs": 5}), output=tmp_path / "a", reporter=Reporter(quiet=True)
    )
    two = mmseq.train(
        config(**{"train.steps": 15}), output=tmp_path / "b", reporter=Reporter(quiet=True)
    )
    for name in ("history.jsonl", "model.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.parametrize("stop", [1, 4, 5])
def test_a_run_in_steps_stopped_and_resumed_is_the_unbroken_one(
    config, tmp_path, monkeypatch, stop
):
    """Within a part, and at the end of one."""
    made = config(**{"train.steps": 7, "train.checkpoint_steps": 1})
    whole = mmseq.train(made, output=tmp_path / "whole", reporter=Reporter(quiet=True))
    step = Trainer._train_step

    def stopped(trainer, group):
        step(trainer, group)
        trainer.ctrl_c.pressed = trainer.progress.step == stop

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", stopped)
        with pytest.raises(Interrupted):
            mmseq.train(made, output=tmp_path / "broken", reporter=Reporter(quiet=True))
    resumed = mmseq.train(output=tmp_path / "broken", resume=True, reporter=Reporter(quiet=True))
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name


def test_dry_run_tells_epochs_and_steps(run_cli, config, tmp_path):
    config(**{"train.steps": 7}).save(tmp_path / "config.toml")
    told = run_cli("train", "--config", tmp_path / "config.toml", "--dry-run").out
    assert "3 epochs: 3 steps each, 7 in all" in told
    assert re.search(r"It would take about \d+ (s|min) here", told)
    assert not (tmp_path / "runs").exists()
