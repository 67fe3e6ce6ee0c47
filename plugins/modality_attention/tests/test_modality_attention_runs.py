"""The fusion in whole runs, and the preset."""

import json
import tomllib
from pathlib import Path

import mmseq_modality_attention
import pytest
from PIL import Image

import mmseq
from mmseq.__main__ import run
from mmseq.console import Reporter

PRESET = "modality-attention-bilstm-crf"
PRESET_FILE = Path(mmseq_modality_attention.__file__).parent / "presets" / f"{PRESET}.toml"
COLOURS = {"B-PER": "red", "B-LOC": "blue"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Sentences on Jordan, whose type only the picture's colour tells; one has no picture."""
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    lines = [json.dumps({"tokens": ["so", "tired"], "tags": ["O", "O"], "images": []})]
    for tag, colour in COLOURS.items():
        Image.new("RGB", (40, 40), colour).save(folder / "images" / f"{colour}.png")
        for words in ("hello Jordan", "love Jordan", "oh Jordan"):
            sentence = {"tokens": words.split(), "tags": ["O", tag], "images": [f"{colour}.png"]}
            lines.append(json.dumps(sentence))
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def config(data):
    return mmseq.Config.from_layers(
        flags={
            "text_encoder": {
                "name": "bilstm",
                "vectors": "",
                "word_width": 8,
                "chars": "cnn",
                "layers": 0,
                "learning_rate": 1e-2,
            },
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "modality-attention", "width": 16, "hidden": 16, "dropout": 0.1},
        },
        settings={
            "data.path": str(data),
            "train.device": "cpu",
            "train.epochs": 25,
            "train.batch_size": 4,
            "train.learning_rate": 1e-2,
        },
    )


def test_a_run_learns_from_the_picture_and_predicts_with_and_without(data, tmp_path):
    folder = mmseq.train(config(data), output=tmp_path / "run", reporter=Reporter(quiet=True))
    # Text alone is right in half of the names at best.
    assert json.loads((folder / "metrics.json").read_text())["valid"]["f1"] == 100
    tagger = mmseq.load(folder)
    words = ["hello", "Jordan"]
    pictures = [data / "images" / "red.png", data / "images" / "blue.png", None]
    found = tagger.predict([words] * 3, images=pictures)
    assert [[span.type for span in sentence.spans] for sentence in found[:2]] == [["PER"], ["LOC"]]
    (alone,) = tagger.predict([words])
    assert alone.tags == found[2].tags
    assert alone.scores == pytest.approx(found[2].scores)


def test_an_encoder_without_words_before_context_is_refused(data, tmp_path, capsys):
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abc"]
    bert = tmp_path / "bert"
    BertTokenizer(vocab={p: i for i, p in enumerate(pieces)}).save_pretrained(bert)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    model = BertModel(BertConfig(vocab_size=len(pieces), num_hidden_layers=1, **sizes))
    model.save_pretrained(bert)
    capsys.readouterr()
    line = ["train", str(data), "--fusion", "modality-attention", "--text-encoder", "transformer"]
    line += ["--set", f"text_encoder.model={bert}", "--output", str(tmp_path / "run")]
    line += ["--set", "image_encoder.model=test_vit", "--set", "image_encoder.weights=random"]
    assert run(line) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert "fusion 'modality-attention'" in message
    assert "--text-encoder bilstm" in message
    assert not (tmp_path / "run").exists()


def test_the_preset_puts_no_lstm_before_the_attention_and_one_after_it():
    made = mmseq.Config.from_preset(PRESET)
    text, fusion = made.component("text_encoder"), made.component("fusion")
    assert (text.name, text.options["layers"], text.options["chars"]) == ("bilstm", 0, "lstm")
    assert (fusion.name, fusion.options["layers"]) == ("modality-attention", 1)
    assert made.component("image_encoder").options["model"] == "inception_v3"
    assert made.component("image_encoder").options["train"] == "frozen"
    assert made.component("decoder").name == "crf"
    assert not made.aux


def test_each_setting_of_the_preset_has_its_reason():
    lines = PRESET_FILE.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert len(lines[0]) <= 100
    settings = [line for line in lines if " = " in line and not line.startswith("name")]
    assert all("#" in line for line in settings)
    tables = tomllib.loads(PRESET_FILE.read_text())
    assert len(settings) == sum(len(t) - ("name" in t) for t in tables.values())
