"""Settings that do nothing are named before training; devices and precisions are what they say."""

import re

import pytest

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.runs.identity import settings
from mmseq.training.idle import _asked_for
from mmseq.training.setup import assemble


class Lines(Reporter):
    def __init__(self):
        super().__init__(quiet=True)
        self.said = []

    def line(self, text):
        self.said.append(text)


@pytest.fixture
def said(tiny_encoder, tiny_data, tmp_path):
    """The lines on what does nothing, of a run of 24 sentences: 1 step in each of 3 epochs."""

    def of(fusion="none", aux=(), **changes):
        given = {
            "data.path": str(tiny_data),
            "train.device": "cpu",
            "train.epochs": 3,
            **{key.replace("__", "."): value for key, value in changes.items()},
        }
        config = Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": fusion},
            },
            aux=list(aux),
            settings=given,
        )
        lines = Lines()
        assemble(config, tmp_path / "run", lines)
        return [line for line in lines.said if " nothing: " in line or " nothing on " in line]

    return of


def test_a_plain_run_is_told_nothing(said):
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train.precision": "fp16"}, "fp16 does nothing on a CPU"),
        ({"train.warmup": 0.3}, "warmup = 0.3 does nothing: of 3 steps"),
        ({"train.checkpoint_steps": 1}, "checkpoint_steps = 1 does nothing: an epoch has 1 step,"),
        ({"data.images": "strict"}, "data.images does nothing: no part"),
        (
            {"data.image_folder": "x", "data.image_dropout": 0.5},
            "data.image_folder, data.image_dropout do nothing",
        ),
        ({"data.features": "off"}, "data.features does nothing: no part"),
        ({"weighting.name": "gradnorm"}, "weighting 'gradnorm' does nothing: .*one loss"),
        ({"callbacks.conflict.steps": 3}, "callbacks.conflict does nothing: .*no auxiliary task"),
        (
            {"callbacks.early-stopping.patience": 3},
            "early-stopping does nothing: its patience of 3 epochs .* in 3",
        ),
        (
            {"callbacks.early-stopping.patience": 1, "data.splits": ["train"]},
            "early-stopping does nothing: .*no validation split",
        ),
    ],
)
def test_a_setting_that_does_nothing_is_named(changes, told, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (line,) = said(**changes)

    assert re.search(told, line)


@pytest.mark.parametrize(
    "changes",
    [
        {"train.warmup": 0.34},
        {"train.warmup": 0.0},
        {"train.precision": "no"},
        {"callbacks.early-stopping.patience": 2},
    ],
)
def test_one_that_does_something_is_not(changes, said):
    assert said(**changes) == []


def test_options_of_an_image_encoder_that_nothing_looks_with_are_named(said):
    (line,) = said(**{"image_encoder.picture_epochs": 77, "image_encoder.learning_rate": 0.7})

    assert line.startswith(
        "image_encoder.learning_rate, image_encoder.picture_epochs do nothing: no part"
    )


def test_what_a_preset_says_of_a_part_that_it_freezes_is_no_request():
    """`quick` gives the frozen image encoder a rate, 1e-4; somebody may ask for another."""
    preset = Config.from_preset("quick")
    own = preset.replaced({"image_encoder.learning_rate": 0.5})

    assert _asked_for("image_encoder", preset.component("image_encoder")) == []
    assert _asked_for("image_encoder", own.component("image_encoder")) == ["learning_rate"]


def test_a_device_in_capitals_is_that_device():
    assert Config.from_layers(settings={"train.device": "CUDA:1"}).train.device == "cuda:1"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "^train.device: 'gpu': .*cuda:1"),
        ("cuda:", "^train.device: 'cuda:': "),
        ("cuda:-1", "^train.device: "),
        (0, "^train.device: '?0'?: "),
    ],
)
def test_a_device_that_torch_has_no_name_for(device, message):
    with pytest.raises(mmseq.UserError, match=message):
        Config.from_layers(settings={"train.device": device})


def test_a_device_that_is_not_here(said, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    for device in ("cuda", "cuda:0", "mps"):
        with pytest.raises(mmseq.UserError, match=f"^train.device = {device}: .*auto or cpu"):
            said(train__device=device)


def test_which_gpu_of_a_machine_makes_no_other_experiment():
    first, second, cpu = (
        settings(Config.from_layers(settings={"train.device": name}).tables(), seed=True)
        for name in ("cuda:0", "cuda:1", "cpu")
    )
    assert first == second != cpu


def test_a_second_training_of_a_process_is_as_the_first(tiny_encoder, tiny_data, tmp_path):
    """Whatever precision and accumulation those before it had, which a library keeps."""
    flags = {
        "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
        "fusion": {"name": "none"},
    }
    asked = [("no", 1), ("bf16", 2), ("fp16", 1), ("no", 2), ("bf16", 2), ("no", 1)]
    weights = []
    for number, (precision, accumulate) in enumerate(asked):
        config = Config.from_layers(
            flags=flags,
            settings={
                "data.path": str(tiny_data),
                "train.epochs": 1,
                "train.batch_size": 4,
                "train.accumulate": accumulate,
                "train.device": "cpu",
                "train.precision": precision,
            },
        )
        run = mmseq.train(config, output=tmp_path / str(number), reporter=Reporter(quiet=True))
        used = "bf16" if precision == "bf16" else "no"
        assert f'"precision": "{used}"' in (run / "metrics.json").read_text()
        weights.append((run / "model.safetensors").read_bytes())
    # A CPU has no fp16: the third is in full precision, too.
    assert weights[0] == weights[5] == weights[2]
    assert weights[1] == weights[4]
    assert len(set(weights)) == 3
