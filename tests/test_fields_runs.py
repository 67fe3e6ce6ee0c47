"""Runs with tasks that read fields of their own: what training, validation and prediction need."""

import json
import shutil

import pytest

import mmseq

PLUGIN = """
import mmseq

@mmseq.hookimpl
def register_components(add):
    add.aux_task("mood", "mmseq_mood.tasks:Mood")
    add.aux_task("shift", "mmseq_mood.tasks:Shift")
    add.aux_task("wide-mood", "mmseq_mood.tasks:WideMood")
"""
TASKS = '''
import torch
from torch import nn

import mmseq


class Mood(mmseq.AuxTask):
    """The sentence's mood and its caption's first letter, from the mean word."""

    extras = {
        "mood": mmseq.PerSentence(1, 0, 2, training_only=True),
        "caption": mmseq.Text(training_only=True),
    }

    @classmethod
    def fit(cls, examples):
        return sorted({example.extras["caption"][:1] for example in examples} | {""})

    def __init__(self, sizes: mmseq.Sizes, *, fitted=()) -> None:
        super().__init__()
        self.letters = {letter: number for number, letter in enumerate(fitted)}
        self.head = nn.Linear(sizes.views["fused"], 3 + len(fitted))

    def count(self, targets):
        return len(targets.texts["caption"])

    def forward(self, views, targets, emissions):
        words = views["fused"] * targets.mask[..., None]
        scores = self.head(words.sum(dim=1) / targets.mask.sum(dim=1)[:, None])
        known = [self.letters.get(c[:1], 0) for c in targets.texts["caption"]]
        letters = torch.tensor(known, device=scores.device)
        moods = targets.extras["mood"][:, 0].long()
        return mmseq.AuxOutput(
            nn.functional.cross_entropy(scores[:, :3], moods, reduction="sum")
            + nn.functional.cross_entropy(scores[:, 3:], letters, reduction="sum")
        )


class Shift(mmseq.AuxTask):
    """Adds what the data say of a sentence to the emissions of O."""

    extras = {"shift": mmseq.PerSentence()}
    refines = True

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()

    def count(self, targets):
        return 0

    def forward(self, views, targets, emissions):
        refined = emissions.clone()
        refined[..., 0] += targets.extras["shift"]
        return mmseq.AuxOutput(emissions.new_zeros(()), refined)


class WideMood(Mood):
    """The same, with more moods."""

    extras = {**Mood.extras, "mood": mmseq.PerSentence(1, 0, 9, training_only=True)}
'''


@pytest.fixture
def plugin(site):
    site.add("mood", PLUGIN, tasks=TASKS)


@pytest.fixture
def data(tiny_data, tmp_path):
    """`data(valid={"mood": 1})`: the tiny data, whose training sentences have a mood, a caption and
    a shift, and whose others have what is given.
    """

    def make(**others):
        folder = tmp_path / "data"
        shutil.copytree(tiny_data, folder)
        own = {"train": {"caption": "a cat", "shift": 0.5}, **others}
        for name in ("train", "valid", "test"):
            file = folder / f"{name}.jsonl"
            records = [json.loads(line) for line in file.read_text().splitlines()]
            for number, record in enumerate(records):
                record |= own.get(name, {})
                if name == "train":
                    record["mood"] = number % 3
            file.write_text("".join(json.dumps(record) + "\n" for record in records))
        return folder

    return make


@pytest.fixture
def train(run_cli, tiny_encoder, tmp_path):
    """`train(folder, "mood")`: what `mmseq train` says."""

    def call(folder, aux, *more):
        chosen = (f"--set=text_encoder.model={tiny_encoder}", "--fusion=none", "--decoder=softmax")
        tiny = ("--set=train.epochs=1", "--set=train.device=cpu", "--output", tmp_path / "run")
        return run_cli("train", folder, *chosen, f"--aux={aux}", *tiny, *more)

    return call


@pytest.mark.parametrize("cache", ["off", "on disk"])
def test_only_the_training_data_need_what_training_alone_reads(
    plugin, data, train, tmp_path, cache
):
    place = cache if cache == "off" else tmp_path / "cache"
    done = train(data(), "mood", f"--set=data.cache={place}")
    assert done.code == 0, done.err
    steps = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert all("mood" in json.loads(line)["losses"] for line in steps)
    (found,) = mmseq.load(tmp_path / "run").predict(["Jordan was seen"])
    assert len(found.tags) == 3


def test_training_data_without_the_field_are_refused_before_anything_is_learned(
    plugin, data, train
):
    """`fit` too would read it: it is looked for before."""
    folder = data()
    file = folder / "train.jsonl"
    lines = file.read_text().splitlines()
    lines[4] = lines[4].replace('"caption": "a cat", ', "")
    file.write_text("\n".join(lines) + "\n")
    done = train(folder, "mood", "--dry-run")
    assert done.code == 2
    assert f"{file}:5: field 'caption' is missing; aux task 'mood' of mmseq-mood 1.0" in done.err


def test_a_task_that_refines_needs_its_field_everywhere(plugin, data, train, run_cli, tmp_path):
    done = train(data(valid={"shift": 1}), "shift")
    assert done.code == 2
    assert "test.jsonl:1: field 'shift' is missing" in done.err
    for split in ("valid", "test"):
        file = tmp_path / "data" / f"{split}.jsonl"
        records = [json.loads(line) | {"shift": 0} for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert train(tmp_path / "data", "shift").code == 0
    tagger = mmseq.load(tmp_path / "run")
    words = ["Jordan", "was", "seen"]
    far, near = tagger.predict([words] * 2, extras=[{"shift": 1000}, {"shift": -1000}])
    assert set(far.tags) == {"O"}
    assert "O" not in near.tags
    with pytest.raises(mmseq.UserError, match="'shift' is missing.*in Python `extras`"):
        tagger.predict([words])
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "Jordan was seen", "shift": 1000}\n{"text": "Jordan"}\n')
    done = run_cli("predict", tmp_path / "run", "--input", file)
    assert done.code == 2
    assert f"{file}:2: field 'shift' is missing" in done.err
    file.write_text('{"text": "Jordan was seen", "shift": 1000}\n')
    done = run_cli("predict", tmp_path / "run", "--input", file, "--output", tmp_path / "out")
    assert json.loads((tmp_path / "out").read_text())["tags"] == ["O"] * 3


def test_two_tasks_that_read_a_field_in_two_ways_are_refused_naming_both(plugin, data, train):
    done = train(data(), "mood,wide-mood")
    assert done.code == 2
    assert "Field 'mood' is read in two ways: aux task 'mood' of mmseq-mood 1.0 reads" in done.err
    assert "aux task 'wide-mood' of mmseq-mood 1.0 as 1 number a sentence, 0 to 9" in done.err


def test_show_says_what_must_be_in_the_data(plugin, run_cli):
    told = run_cli("show", "aux-task", "mood").out
    assert (
        "It reads of the data: mood, 1 number a sentence, 0 to 2 (in training alone); caption, "
        "text (in training alone).\n"
    ) in told
    record = json.loads(run_cli("show", "aux-task", "shift", "--json").out)
    assert record["fields"] == {
        "shift": {
            "kind": "PerSentence",
            "size": 1,
            "low": None,
            "high": None,
            "training_only": False,
        }
    }
    assert "reads of the data" not in run_cli("show", "fusion", "gate").out
    contract = run_cli("show", "aux-task").out
    assert "class PerSentence:" in contract
    assert "class Text:" in contract
