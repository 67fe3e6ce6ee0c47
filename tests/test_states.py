"""The fused states of a run's entity words, after training and before."""

import json
import shutil

import numpy as np
import pytest
import torch
from accelerate.utils import set_seed

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.data.splits import load_folder
from mmseq.model.assembly import build_model


def trained(tiny_encoder, tiny_data, folder, settings=()):
    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "gate"},
        },
        settings={
            "data.path": str(tiny_data),
            "text_encoder.learning_rate": 1e-2,
            "train.epochs": 2,
            "train.batch_size": 4,
            "train.seed": 7,
            "train.device": "cpu",
            **dict(settings),
        },
    )
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


@pytest.fixture(scope="module")
def run(tiny_encoder, tiny_data, tmp_path_factory):
    return trained(tiny_encoder, tiny_data, tmp_path_factory.mktemp("runs") / "run")


def still(settings=()):
    """Settings with which no weight moves: 1e-30 is nothing beside any float32 weight."""
    return {"text_encoder.learning_rate": 0.0, "train.learning_rate": 1e-30, **dict(settings)}


@torch.no_grad()
def states_one_by_one(tagger, examples):
    """The model's own view of each sentence alone, at the words whose tag is not O."""
    rows = []
    for example in examples:
        collator = tagger.collator([example])
        views, _ = tagger.model.views(collator.batch([collator.prepare(example)]))
        rows += [views["fused"][0, i].numpy() for i, tag in enumerate(example.tags) if tag != "O"]
    return np.stack(rows)


@pytest.mark.parametrize("split", ["train", "test"])
def test_states_are_those_of_each_sentence_alone(run, tiny_data, split):
    tagger = mmseq.load(run)
    states = mmseq.entity_states(run, split=split)
    examples = load_folder(tiny_data)[split].examples
    expected = states_one_by_one(tagger, examples)
    assert states.vectors.shape == expected.shape
    assert states.vectors.dtype == np.float32
    np.testing.assert_allclose(states.vectors, expected, atol=1e-5)


def test_words_and_types_stand_in_the_order_of_the_data(run, tmp_path):
    (tmp_path / "test.txt").write_text(
        "so\tO\ntired\tO\n\n"
        "Omar\tB-PER\nSaid\tI-PER\nin\tO\nOslo\tB-LOC\ntoday\tO\nand\tO\nOMG\tB-WORK\n\n"
        "Lima\tB-LOC\n"
    )
    states = mmseq.entity_states(mmseq.load(run), data=tmp_path)
    assert states.words == ("Omar", "Said", "Oslo", "OMG", "Lima")
    assert states.types == ("PER", "PER", "LOC", "WORK", "LOC")
    assert states.vectors.shape == (5, 64)  # the gate: 32 of the word beside 32 of the picture
    of_file = mmseq.entity_states(run, data=tmp_path / "test.txt")
    np.testing.assert_array_equal(of_file.vectors, states.vectors)


def test_other_pictures_give_other_states(run, tiny_data, tmp_path):
    own = mmseq.entity_states(run)
    moved = shutil.copytree(tiny_data / "images", tmp_path / "images")
    same = mmseq.entity_states(run, images=moved)
    np.testing.assert_array_equal(same.vectors, own.vectors)
    (tmp_path / "none").mkdir()
    without = mmseq.entity_states(run, images=tmp_path / "none")
    assert np.abs(without.vectors - own.vectors).max() > 1e-3


def test_untrained_states_are_those_of_a_new_model_of_the_seed(run, tiny_data):
    config = Config.from_file(run / "config.toml")
    tagger = mmseq.load(run)
    after = mmseq.entity_states(tagger)
    before = mmseq.entity_states(tagger, trained=False)
    assert (before.words, before.types) == (after.words, after.types)
    assert np.abs(before.vectors - after.vectors).max() > 1e-2
    set_seed(7)
    examples = load_folder(tiny_data)["train"].examples
    new, _ = build_model(config, tagger.labels, examples=examples)
    tagger.model = new.eval()
    expected = states_one_by_one(tagger, load_folder(tiny_data)["test"].examples)
    np.testing.assert_allclose(before.vectors, expected, atol=1e-5)


def test_untrained_states_are_where_training_began(tiny_encoder, tiny_data, tmp_path):
    folder = trained(tiny_encoder, tiny_data, tmp_path / "still", still())
    np.testing.assert_array_equal(
        mmseq.entity_states(folder, trained=False).vectors, mmseq.entity_states(folder).vectors
    )


def test_a_run_that_started_from_another_began_with_its_weights(
    run, tiny_encoder, tiny_data, tmp_path
):
    settings = still({"train.init": str(run)})
    folder = trained(tiny_encoder, tiny_data, tmp_path / "still", settings)
    before = mmseq.entity_states(folder, trained=False)
    np.testing.assert_array_equal(before.vectors, mmseq.entity_states(run).vectors)


def test_what_training_began_with_must_still_be_there(run, tmp_path):
    moved = shutil.copytree(run, tmp_path / "moved")
    config = Config.from_file(run / "config.toml", {"text_encoder.model": "/nowhere/at/all"})
    config.save(moved / "config.toml")
    assert len(mmseq.entity_states(moved).words) > 0
    with pytest.raises(mmseq.UserError, match="moved: .*before training: .*/now"):
        mmseq.entity_states(moved, trained=False)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("test.txt", "so\tO\ntired\tO\n", "test.txt: .*split 'test'"),
        ("test.jsonl", '{"tokens": ["so"]}\n', "test.jsonl: .*split 'test'"),
        ("valid.txt", "Oslo\tB-LOC\n", "no data file"),
        (
            "test.jsonl",
            '{"tokens": ["Oslo"], "tags": ["B-LOC"]}\n{"tokens": ["so"]}\n',
            "test.jsonl:2: .*no tags",
        ),
    ],
)
def test_a_split_without_states_is_one_line(run, tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(mmseq.UserError, match=words):
        mmseq.entity_states(run, data=tmp_path)


def test_the_run_must_be_finished(run, tmp_path):
    broken = shutil.copytree(run, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    (broken / "metrics.json").unlink()
    with pytest.raises(mmseq.UserError, match="unfinished"):
        mmseq.entity_states(broken)


def test_types_are_those_of_the_file_in_order(run, tiny_data):
    records = [json.loads(line) for line in (tiny_data / "test.jsonl").read_text().splitlines()]
    tags = [tag for record in records for tag in record["tags"] if tag != "O"]
    assert mmseq.entity_states(run).types == tuple(tag[2:] for tag in tags)
    assert {"PER", "LOC"} == {tag[2:] for tag in tags}
