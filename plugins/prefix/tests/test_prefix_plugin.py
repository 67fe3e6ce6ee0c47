"""The plugin's names, its preset, and a whole run."""

import json

import pytest
from PIL import Image

import mmseq
from mmseq.console import Reporter


def test_the_preset_has_the_authors_settings():
    config = mmseq.Config.from_preset("prefix-bert-crf")
    text, images = config.component("text_encoder"), config.component("image_encoder")
    assert (text.name, text.options["side"], text.options["learning_rate"]) == ("prefix", 2, 3e-5)
    assert (images.options["model"], images.options["levels"]) == ("resnet50", True)
    assert config.component("fusion").name == "none"
    train = config.train
    assert (train.batch_size, train.epochs, train.warmup) == (8, 30, 0.01)


def test_packaged_weights_keep_the_pyramid():
    config, _ = mmseq.Config.from_preset("prefix-bert-crf").offline()
    assert config.component("text_encoder").options["model"].startswith("pkg:")
    assert config.component("image_encoder").options["levels"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The type of a name is told by the picture's colour alone; one sentence has no picture."""
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    lines = [json.dumps({"tokens": ["f", "g"], "tags": ["O", "O"], "images": []})]
    for tag, colour in (("B-PER", "red"), ("B-LOC", "blue")):
        Image.new("RGB", (40, 40), colour).save(folder / "images" / f"{colour}.png")
        for words in ("a h", "b h", "c h"):
            sentence = {"tokens": words.split(), "tags": ["O", tag], "images": [f"{colour}.png"]}
            lines.append(json.dumps(sentence))
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def config(data, model, **settings):
    return mmseq.Config.from_layers(
        flags={
            "text_encoder": {"name": "prefix", "model": str(model), "learning_rate": 5e-3},
            "image_encoder": {
                "name": "timm", "model": "test_resnet", "weights": "random", "levels": True,
            },
            "fusion": {"name": "none"},
        },
        settings={
            "data.path": str(data),
            "train.device": "cpu",
            "train.epochs": 20,
            "train.batch_size": 4,
            "train.learning_rate": 1e-2,
            **settings,
        },
    )  # fmt: skip


def test_a_run_learns_from_the_picture_and_predicts_with_and_without(
    data, tmp_path, encoder_folder
):
    model = encoder_folder("bert", hidden_size=16, initializer_range=0.2)
    made = config(data, model)
    folder = mmseq.train(made, output=tmp_path / "run", reporter=Reporter(quiet=True))
    # Text alone is right in half of the names at best: fusion `none` sees no picture.
    assert json.loads((folder / "metrics.json").read_text())["valid"]["f1"] == 100
    tagger = mmseq.load(folder)
    pictures = [data / "images" / "red.png", data / "images" / "blue.png", None]
    found = tagger.predict([["a", "h"]] * 3, images=pictures)
    assert [[span.type for span in sentence.spans] for sentence in found[:2]] == [["PER"], ["LOC"]]
    assert tagger.predict([["a", "h"]]) == found[2:]


def test_a_run_without_levels_is_told(data, tmp_path, encoder_folder):
    made = config(data, encoder_folder("bert"), **{"image_encoder.levels": False})
    with pytest.raises(mmseq.UserError, match=r"--set image_encoder\.levels=true"):
        mmseq.train(made, output=tmp_path / "run", reporter=Reporter(quiet=True))
