"""The task in whole runs: what is kept, what is refused, and prediction without it."""

import json
import math
import shutil

import mmseq_language_model.task
import pytest

import mmseq
from mmseq.__main__ import run
from mmseq.console import Reporter

SENTENCES = [
    ("Anna Kowalski was seen in Lima", "B-PER I-PER O O O B-LOC"),
    ("great evening in Oslo !", "O O O B-LOC O"),
    ("so tired", "O O"),
    ("anna loves lima", "B-PER O B-LOC"),
]


@pytest.fixture
def data(tmp_path):
    """Train and valid.jsonl of four sentences twice."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        json.dumps({"tokens": words.split(), "tags": tags.split()}) for words, tags in SENTENCES * 2
    ]
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def config(data, **settings):
    return mmseq.Config.from_layers(
        flags={
            "text_encoder": {"name": "bilstm", "vectors": "", "word_width": 8, "hidden": 8},
            "fusion": {"name": "none"},
        },
        aux=["language-model"],
        settings={
            "data.path": str(data),
            "train.device": "cpu",
            "train.epochs": 3,
            "train.batch_size": 4,
            "aux.language-model.vocabulary": 3,
            **settings,
        },
    )


def trained(config, folder):
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


def losses(folder):
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = [line for line in map(json.loads, lines) if line["kind"] == "epoch"]
    return [epoch["losses"] for epoch in epochs]


def vocabulary(folder):
    return json.loads((folder / "assets" / "aux.language-model" / "fitted.json").read_text())


def test_a_run_learns_its_loss_and_keeps_its_vocabulary(data, tmp_path):
    names = ("text_encoder.learning_rate", "train.learning_rate")
    settings = {"train.epochs": 60, **dict.fromkeys(names, 1e-2)}
    settings |= {"text_encoder.dropout": 0.0, "text_encoder.unknown_rate": 0.0}
    folder = trained(config(data, **settings), tmp_path / "run")
    # In the four sentences anna, in and lima come twice, all others once.
    assert vocabulary(folder) == {"words": ["anna", "in", "lima"]}
    # 16 words in four sentences, two directions, five classes: 8 log 5 a sentence without knowing
    # anything; by heart, as every first and every last word tells the rest, nearly 0.
    assert losses(folder)[-1]["language-model"] < 8 * math.log(5) / 4


class Killed(BaseException):
    """Ends a run at once: nothing more is saved."""


def test_a_killed_run_goes_on_with_its_vocabulary(data, tmp_path, monkeypatch):
    whole = trained(config(data), tmp_path / "whole")
    forward, calls = mmseq_language_model.task.LanguageModelTask.forward, []

    def killed(*arguments):
        calls.append(1)
        # Two steps an epoch: in the second one of the second epoch.
        if len(calls) == 4:
            raise Killed
        return forward(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(mmseq_language_model.task.LanguageModelTask, "forward", killed)
        with pytest.raises(Killed):
            trained(config(data), tmp_path / "broken")
    kept = vocabulary(tmp_path / "broken")
    resumed = mmseq.train(output=tmp_path / "broken", resume=True, reporter=Reporter(quiet=True))
    assert vocabulary(resumed) == kept == vocabulary(whole)
    for name in ("metrics.json", "history.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name


def test_a_copied_run_predicts_without_its_data_and_without_the_tasks_loss(
    data, tmp_path, monkeypatch
):
    folder = trained(config(data), tmp_path / "run")
    words = ["Anna", "was", "seen", "in", "Quito"]
    before = mmseq.load(folder).predict([words])
    shutil.copytree(folder, tmp_path / "elsewhere")
    shutil.rmtree(folder)
    shutil.rmtree(data)

    def called(*_):
        raise AssertionError("the task was asked in prediction")

    monkeypatch.setattr("mmseq_language_model.task.LanguageModelTask.forward", called)
    copied = mmseq.load(tmp_path / "elsewhere")
    assert copied.predict([words]) == before
    assert len(copied.model.task("language-model").ids) == 3


@pytest.fixture
def tiny_bert(tmp_path):
    """Folder of a random BERT with a vocabulary of letters."""
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abc"]
    folder = tmp_path / "bert"
    BertTokenizer(vocab={p: i for i, p in enumerate(pieces)}).save_pretrained(folder)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(pieces), num_hidden_layers=1, **sizes)).save_pretrained(
        folder
    )
    return folder


def refused(capsys, data, folder, *arguments):
    """The one line a training command ends with."""
    capsys.readouterr()
    line = ["train", data, "--fusion", "none", "--aux", "language-model", "--output", folder]
    assert run([str(argument) for argument in (*line, *arguments)]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert not folder.exists()
    return message


def test_an_encoder_that_sees_the_whole_sentence_is_refused(data, tmp_path, tiny_bert, capsys):
    options = ("--text-encoder", "transformer", "--set", f"text_encoder.model={tiny_bert}")
    message = refused(capsys, data, tmp_path / "run", *options)
    assert "aux task 'language-model'" in message
    assert "'transformer'" in message
    assert "copy the word" in message
    assert "--text-encoder bilstm" in message
    assert "text_encoder.layers=1" in message


@pytest.mark.parametrize("layers", [0, 2])
def test_an_encoder_without_one_layer_each_way_is_refused(data, tmp_path, capsys, layers):
    options = ("--text-encoder", "bilstm", "--set", "text_encoder.vectors=")
    options += ("--set", f"text_encoder.layers={layers}")
    message = refused(capsys, data, tmp_path / "run", *options)
    assert "'bilstm'" in message
    assert "text_encoder.layers=1" in message


def test_a_vocabulary_of_no_words_is_refused(data, tmp_path, capsys):
    options = ("--text-encoder", "bilstm", "--set", "text_encoder.vectors=")
    options += ("--set", "aux.language-model.vocabulary=0")
    message = refused(capsys, data, tmp_path / "run", *options)
    assert "vocabulary = 0" in message
