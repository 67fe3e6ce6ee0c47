"""A run begun from one that knows other tags."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.training.setup import new_run
from mmseq.training.shared_tags import by_tags, difference


@pytest.fixture
def config(tiny_encoder, tiny_data):
    """A run on text alone, with the task that keeps a centre a type."""

    def make(**settings):
        flags = {"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
        flags["fusion"] = {"name": "none"}
        values = {"data.path": str(tiny_data), "train.epochs": 3, "train.device": "cpu"}
        return Config.from_layers(flags=flags, aux=["cluster"], settings={**values, **settings})

    return make


OWN = ("O", "B-LOC", "I-LOC", "B-NEW", "I-NEW")
GIVEN = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def test_rows_and_cells_of_shared_tags_are_put_in_their_place():
    given = {
        "head.weight": torch.arange(10.0).reshape(5, 2),
        "head.bias": torch.arange(5.0),
        "decoder.chain.crf.transitions": torch.arange(25.0).reshape(5, 5),
        "fusion.gate": torch.ones(5),
    }
    own = {name: -torch.ones_like(tensor) for name, tensor in given.items()}
    taken = by_tags(own, given, OWN, GIVEN)
    assert taken["head.weight"].tolist() == [[0, 1], [6, 7], [8, 9], [-1, -1], [-1, -1]]
    assert taken["head.bias"].tolist() == [0, 3, 4, -1, -1]
    # From O to O, B-LOC, I-LOC; from B-LOC (row 3) and I-LOC (row 4) alike.
    assert taken["decoder.chain.crf.transitions"].tolist() == [
        [0, 3, 4, -1, -1],
        [15, 18, 19, -1, -1],
        [20, 23, 24, -1, -1],
        [-1] * 5,
        [-1] * 5,
    ]
    assert taken["fusion.gate"].tolist() == [1] * 5


def test_columns_of_the_head_are_no_tags_though_they_are_as_many():
    given = {"head.weight": torch.arange(25.0).reshape(5, 5)}
    taken = by_tags({"head.weight": -torch.ones(5, 5)}, given, OWN, GIVEN)
    rows = [[0, 1, 2, 3, 4], [15, 16, 17, 18, 19], [20, 21, 22, 23, 24]]
    assert taken["head.weight"].tolist() == [*rows, [-1] * 5, [-1] * 5]


def test_fewer_and_more_tags():
    given = {"head.bias": torch.arange(5.0), "decoder.hidden": torch.ones(7)}
    own = {"head.bias": -torch.ones(3), "decoder.hidden": torch.zeros(7)}
    taken = by_tags(own, given, ("O", "B-LOC", "I-LOC"), GIVEN)
    assert taken["head.bias"].tolist() == [0, 3, 4]
    assert taken["decoder.hidden"].tolist() == [1] * 7
    back = by_tags(given, own, GIVEN, ("O", "B-LOC", "I-LOC"))
    assert back["head.bias"].tolist() == [-1, 1, 2, -1, -1]


def test_of_tasks_what_hangs_on_the_tags_is_new():
    given = {"tasks.a.centers": torch.ones(2, 8), "tasks.a.layer": torch.ones(8, 8)}
    own = {name: torch.zeros_like(tensor) for name, tensor in given.items()}
    taken = by_tags(own, given, OWN, GIVEN)
    assert not taken["tasks.a.centers"].any()
    assert taken["tasks.a.layer"].all()
    # Of three types, where there were two: the shape tells.
    more = (*OWN, "B-X", "I-X")
    own["tasks.a.centers"] = torch.zeros(3, 8)
    assert by_tags(own, given, more, GIVEN)["tasks.a.centers"].shape == (3, 8)
    # The same types in another order: all is taken.
    assert by_tags(given, given, GIVEN, GIVEN[::-1])["tasks.a.centers"].all()


def test_what_differs_is_said_by_type():
    assert difference(OWN, GIVEN) == "new: NEW; dropped: PER"
    assert difference(OWN, ("O",)) == "new: LOC, NEW"


class Lines(Reporter):
    """Keeps what it would print."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def line(self, text):
        self.lines.append(text)


def begun(config, run, folder, **settings):
    reporter = Lines()
    setup = new_run(config(**{"train.init": str(run), **settings}), folder, reporter)
    return setup.model, [line for line in reporter.lines if "knows other types" in line]


def test_a_run_with_other_types_begins_from_what_they_share(config, run_once, tmp_path):
    run = run_once(config())
    given = load_file(run / "model.safetensors")
    model, lines = begun(config, run, tmp_path / "two", **{"data.map": {"PER": "ACTOR"}})
    assert model.labels == ("O", "B-ACTOR", "I-ACTOR", "B-LOC", "I-LOC")
    assert lines == [
        f"{run} knows other types (new: ACTOR; dropped: PER): encoders and fusion are taken from "
        "it, of head and decoder what belongs to shared tags; the rest is new."
    ]
    # There: O, B-LOC, I-LOC, B-PER, I-PER.
    taken = model.state_dict()
    assert taken["head.weight"][[0, 3, 4]].equal(given["head.weight"][[0, 1, 2]])
    assert not taken["head.weight"][1].equal(given["head.weight"][3])
    for name, tensor in given.items():
        if name.startswith(("text_encoder.", "image_encoder.", "fusion.")):
            assert taken[name].equal(tensor), name


def test_the_same_tags_in_another_order_are_all_taken(config, run_once, tmp_path):
    run = shutil.copytree(run_once(config()), tmp_path / "one")
    # Of their own: below the file is written anew, in its place by older versions of the library.
    given = {name: tensor.clone() for name, tensor in load_file(run / "model.safetensors").items()}
    order = [0, 3, 4, 1, 2]
    tags = json.loads((run / "labels.json").read_text())
    (run / "labels.json").write_text(json.dumps([tags[place] for place in order]))
    turned = dict(given)
    for name, tensor in given.items():
        if name.startswith(("head.", "decoder.")):
            turned[name] = tensor[order]
            if "transitions" in name and tensor.dim() == 2:
                turned[name] = tensor[order][:, order].contiguous()
    save_file(turned, run / "model.safetensors")
    model, lines = begun(config, run, tmp_path / "two")
    assert lines == []
    for name, tensor in model.state_dict().items():
        assert tensor.equal(given[name]), name
