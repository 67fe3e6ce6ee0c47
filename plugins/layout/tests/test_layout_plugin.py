"""The plugin's names, its presets, and whole runs."""

import json
import re

import pytest
from PIL import Image, ImageDraw
from transformers import BertConfig, BertModel, BertTokenizer

import mmseq
from mmseq.__main__ import run
from mmseq.console import Reporter

QUIET = Reporter(quiet=True)


def test_the_presets_differ_by_the_picture_alone():
    boxes, regions = (
        mmseq.Config.from_preset(name).tables()
        for name in ("layout-bert-crf", "layout-regions-bert-crf")
    )
    assert boxes.pop("image_encoder") == {"name": "none"}
    assert regions.pop("image_encoder")["fit"] == "page"
    assert (boxes["fusion"].pop("name"), regions["fusion"].pop("name")) == (
        "layout", "layout-regions",
    )  # fmt: skip
    assert boxes == regions


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Folder of a random BERT of 20 dimensions that knows letters."""
    folder = tmp_path_factory.mktemp("bert")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    BertTokenizer(vocab={p: i for i, p in enumerate(pieces)}).save_pretrained(folder)
    sizes = {"hidden_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(pieces), intermediate_size=20, **sizes)
    BertModel(config).save_pretrained(folder)
    return folder


def box(x, y):
    return [x, y, x + 60, y + 30]


def write(folder, sentences):
    """Train and valid files of (tokens, tags, boxes, picture name or None)."""
    lines = [
        json.dumps({"tokens": t, "tags": g, "boxes": b, "images": [i] if i else []})
        for t, g, b, i in sentences
    ]
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / "images").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def receipts(folder):
    """Of two numbers h, the total is the one on the line of word a; words are in random order."""
    sentences = []
    for y in (100, 250, 400, 550, 700):
        for line in (y, y + 120):
            # Both orders of words and of lines: text alone can only guess.
            words = [("a", "O", box(100, line)), ("b", "O", box(100, 2 * y + 120 - line))]
            for first, second in ((y, y + 120), (y + 120, y)):
                numbers = [
                    ("h", "B-TOTAL" if at == line else "O", box(600, at)) for at in (first, second)
                ]
                tokens, tags, boxes = zip(*words, *numbers, strict=True)
                sentences.append((tokens, tags, boxes, None))
    return write(folder, sentences)


@pytest.fixture
def stamps(folder):
    """The word over a black stamp is a SEAL; words and boxes are the same in every sentence."""
    sentences = []
    for name, place in (("one", 0), ("two", 1)):
        page = Image.new("RGB", (100, 100), "white")
        ImageDraw.Draw(page).rectangle([0, 50 * place, 99, 50 * place + 49], fill="black")
        page.save(folder / "images" / f"{name}.png")
        tags = ["B-SEAL" if place == i else "O" for i in (0, 1)]
        sentences += [(["a", "b"], tags, [box(100, 200), box(100, 700)], f"{name}.png")] * 3
    return write(folder, sentences)


def config(data, encoder, fusion, **settings):
    return mmseq.Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(encoder), "learning_rate": 1e-3},
            "image_encoder": {
                "name": "timm", "model": "test_resnet", "weights": "random", "fit": "page",
            },
            "fusion": {"name": fusion, "heads": 5, "layers": 1},
        },
        settings={
            "data.path": str(data),
            "train.device": "cpu",
            "train.epochs": 25,
            "train.batch_size": 4,
            "train.learning_rate": 1e-2,
            **settings,
        },
    )  # fmt: skip


def valid_f1(run):
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))["valid"]["f1"]


def test_a_run_learns_what_only_boxes_tell_and_predicts_from_its_folder(
    receipts, encoder, tmp_path
):
    run = mmseq.train(config(receipts, encoder, "layout"), output=tmp_path / "run", reporter=QUIET)
    assert valid_f1(run) == 100
    words = ["a", "b", "h", "h"]
    lines = [[box(100, 300), box(100, 450)], [box(600, 450), box(600, 300)]]
    (found,) = mmseq.load(run).predict([words], extras=[{"boxes": [*lines[0], *lines[1]]}])
    assert [(span.type, span.start) for span in found.spans] == [("TOTAL", 3)]


def test_a_run_learns_what_only_the_picture_under_a_box_tells(stamps, encoder, tmp_path):
    made = config(stamps, encoder, "layout-regions")
    run = mmseq.train(made, output=tmp_path / "run", reporter=QUIET)
    assert valid_f1(run) == 100
    tagger = mmseq.load(run)
    boxes = {"boxes": [box(100, 200), box(100, 700)]}
    pictures = [stamps / "images" / f"{name}.png" for name in ("one", "two")]
    found = tagger.predict([["a", "b"]] * 2, images=pictures, extras=[boxes] * 2)
    assert [[span.start for span in sentence.spans] for sentence in found] == [[0], [1]]
    # Without a picture it still answers.
    (blind,) = tagger.predict([["a", "b"]], extras=[boxes])
    assert len(blind.tags) == 2


def test_an_image_encoder_that_crops_is_refused(stamps, encoder, tmp_path):
    made = config(stamps, encoder, "layout-regions", **{"image_encoder.fit": "crop"})
    with pytest.raises(mmseq.UserError, match=r"--set image_encoder\.fit=page"):
        mmseq.train(made, output=tmp_path / "run", reporter=QUIET)


def test_a_sentence_without_boxes_is_told_with_its_place_or_name(
    receipts, encoder, tmp_path, capsys
):
    made = config(receipts, encoder, "layout", **{"train.epochs": 1})
    folder = str(mmseq.train(made, output=tmp_path / "run", reporter=QUIET))
    needs = "'boxes' .*missing.*fusion 'layout' of mmseq-layout 0.1.0"
    assert run(["predict", folder, "--text", "a b"]) == 2
    assert re.match(f"Error: the sentence: .*{needs}.*--input FILE.jsonl", capsys.readouterr().err)
    path = tmp_path / "pages.jsonl"
    path.write_text('\n{"tokens": ["a"]}\n')
    assert run(["predict", folder, "--input", str(path)]) == 2
    assert re.match(f"Error: {path}:2: .*{needs}.*add it", capsys.readouterr().err)


def test_data_without_boxes_are_told_with_file_and_line(receipts, encoder, tmp_path, capsys):
    path = receipts / "train.jsonl"
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(first)
    del record["boxes"]
    path.write_text("\n".join([json.dumps(record), *rest]) + "\n", encoding="utf-8")
    made = config(receipts, encoder, "layout")
    with pytest.raises(mmseq.UserError, match=r"train\.jsonl:1: .*'boxes'"):
        mmseq.train(made, output=tmp_path / "run", reporter=QUIET)
    # A dry run says so too.
    made.save(tmp_path / "config.toml")
    assert run(["train", "--config", str(tmp_path / "config.toml"), "--dry-run"]) == 2
    assert "train.jsonl:1: field 'boxes' is missing" in capsys.readouterr().err
