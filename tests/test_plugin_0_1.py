"""A plugin as strangers wrote them for mmseq 0.1 is known, checked and trained with as before.

`plugin_0_1/` is never edited, and neither are the figures here. With ``-s`` each training prints
the SHA-256 of its weights and predictions, to be compared on one machine.
"""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import mmseq
from mmseq.testing import tiny_bert

FOLDER = Path(__file__).parent / "plugin_0_1"
COMPONENTS = {
    "text encoder": ["letters", "tinted"],
    "image encoder": ["tiles"],
    "fusion": ["glance", "leaky", "plain"],
    "aux task": ["anchors", "next-letter", "outline", "pairs"],
    "decoder": ["each-word", "focal", "tempered"],
    "weighting": ["late", "noise-scaled"],
    "reader": ["cols"],
    "callback": ["logbook"],
    "preset": ["settled"],
    "plan": ["settled"],
    "published figures": ["settled"],
}
BROKEN = {("fusion", "leaky"): "mask (padding words changed)"}
WORDS = ("{} waves , says Rosa", "snow in {}", "{} was seen near Oslo today", "Rosa is so tired")


@pytest.fixture
def settled(site, monkeypatch):
    """The plugin, installed; a strict loader shows whatever is wrong with it."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    shutil.copytree(FOLDER / "mmseq_settled", site.folder / "mmseq_settled")
    points = project["entry-points"]["mmseq"]
    site.describe(project["name"], project["version"], points, project["dependencies"])
    monkeypatch.setenv("MMSEQ_STRICT_PLUGINS", "1")


@pytest.fixture
def notes(tmp_path):
    """Folder with 24, 8 and 8 sentences: on a dark picture Jordan is a person, else a place."""
    folder = tmp_path / "notes"
    (folder / "images").mkdir(parents=True)
    for split, size in (("train", 24), ("valid", 8), ("test", 8)):
        blocks = []
        for index in range(size):
            dark = index // 4 % 2 == 0
            names = [f"{split}-{index}-{i}.png" for i in range((1, 2, 1, 0)[index % 4])]
            for name in names:
                shade = 10 + index if dark else 245 - index
                Image.new("RGB", (24, 16), (shade, 90, shade)).save(folder / "images" / name)
            blocks.append("\n".join([" ".join(["@", *names]), *lines(WORDS[index % 4], dark), ""]))
        (folder / f"{split}.cols").write_text("\n".join(blocks), encoding="utf-8")
    return folder


def lines(text, dark):
    """The lines of a sentence's words, which stand side by side on the page."""
    tags = {"{}": "B-PER" if dark else "B-LOC", "Rosa": "B-PER", "Oslo": "B-LOC"}
    for place, word in enumerate(text.split()):
        shown = word.format("Jordan")
        yield f"{shown} {100 * place} 0 {100 * place + 90} 50 {tags.get(word, 'O')}"


def test_every_component_is_listed(settled, run_cli):
    listed = json.loads(run_cli("list", "--json").out)
    own = [(r["kind"], r["name"]) for r in listed if r["distribution"] == "mmseq-settled"]
    (plugin,) = [p for p in json.loads(run_cli("plugins", "--json").out) if p["name"] == "settled"]
    assert (plugin["version"], plugin["error"]) == ("1.0.0", "")
    assert sorted((r["kind"], r["name"]) for r in plugin["components"]) == sorted(own)
    kinds = [kind.removesuffix(" figures").replace(" ", "_") for kind in COMPONENTS]
    names = zip(kinds, COMPONENTS.values(), strict=True)
    assert sorted(own) == sorted((kind, name) for kind, some in names for name in some)
    assert "settled" in run_cli("--help").out


def test_options_are_its_own_and_those_of_the_class_it_derives_from(settled, run_cli):
    shown = {
        (kind, name): json.loads(run_cli("show", kind, name, "--json").out)["options"].keys()
        for kind, name in (("text-encoder", "tinted"), ("decoder", "tempered"))
    }
    inherited = {"model", "pool", "layer", "freeze", "window", "word_dropout", "case"}
    own = {"share", "picture_factor", "learning_rate"}
    assert shown["text-encoder", "tinted"] >= inherited | own
    assert shown["decoder", "tempered"] >= {"temperature", "constrain", "backend"}


def test_the_contracts_hold_of_what_they_held_of(settled, run_cli):
    done = run_cli("check", "mmseq-settled")
    told = {}
    for line in done.out.splitlines():
        result, component = line.split(maxsplit=1)
        kind, name, fault = component.split("'", maxsplit=2)
        told[kind.strip(), name] = (result, fault)
    assert {component for component, (result, _) in told.items() if result == "ok"} == {
        (kind, name)
        for kind, names in COMPONENTS.items()
        for name in names
        if (kind, name) not in BROKEN
    }
    for component, contract in BROKEN.items():
        assert told[component][0] == "BROKEN"
        assert contract in told[component][1]
    assert done.code == 1


RUNS = {
    "every task": ["--preset=settled"],
    "transformer": [
        "--text-encoder=tinted",
        "--image-encoder=tiles",
        "--fusion=plain",
        "--aux=anchors,outline",
        "--decoder=focal",
        "--weighting=late",
        "--set=text_encoder.learning_rate=0.003",
        "--set=text_encoder.layer=mix",
        "--set=decoder.constrain=false",
        "--set=callbacks.logbook.enough=2",
    ],
    "text alone": [
        "--text-encoder=letters",
        "--image-encoder=none",
        "--fusion=plain",
        "--aux=next-letter",
        "--decoder=each-word",
        "--set=callbacks.logbook.every=3",
    ],
}
FIGURES = {
    "every task": {
        "main": [5.576723, 1.522501, 0.3383536, 0.1478822, 0.09658862],
        "score": 0.6866120,
        "last": {
            "main": 0.09658862,
            "anchors": 1.314688,
            "pairs": 1.314792,
            "outline": 0.7728212,
            "next-letter": 1.784762,
        },
        "tags": [
            "B-PER O O O B-PER",
            "O O B-PER",
            "B-PER O O O B-LOC O",
            "B-PER O O O",
            "B-LOC O O O B-PER",
            "O O B-LOC",
            "B-LOC O O O B-LOC O",
            "B-PER O O O",
        ],
    },
    "transformer": {
        "main": [0.7034961, 0.08465981, 0.04737079],
        "score": 0.8435936,
        "last": {"main": 0.04737079, "anchors": 0.07584759, "outline": 3.886217},
        "tags": [
            "B-PER O O O B-PER",
            "O O B-PER",
            "B-PER O O O B-LOC O",
            "B-PER O O O",
            "B-LOC O O O B-PER",
            "O O B-LOC",
            "B-LOC O O O B-LOC O",
            "B-PER O O O",
        ],
    },
    "text alone": {
        "main": [1.374537, 0.8530792, 0.6416185, 0.4817081, 0.4033036],
        "score": 0.4266331,
        "last": {"main": 0.4033036, "next-letter": 1.070675},
        "tags": [
            "B-LOC O O O B-PER",
            "O O B-LOC",
            "B-LOC O O O O O",
            "B-PER O O O",
            "B-LOC O O O B-PER",
            "O O B-LOC",
            "B-LOC O O O O O",
            "B-PER O O O",
        ],
    },
}
"""Mean main loss of each epoch, every loss of the last, predicted tags of the test split, and the
score of the only entity of its second sentence
"""


@pytest.mark.parametrize("name", RUNS)
def test_it_trains_as_before(settled, notes, run_cli, tmp_path, name):
    run, expected = tmp_path / "run", FIGURES[name]
    own = ["--set=train.device=cpu", "--set=train.batch_size=4", "--set=train.learning_rate=0.02"]
    if name == "transformer":
        own.append(f"--set=text_encoder.model={tiny_bert()}")
    done = run_cli("train", notes, *RUNS[name], *own, "--output", run)
    assert done.code == 0, done.err
    log = json_lines(run / "logbook.jsonl")
    epochs = [record["losses"] for record in log if record["kind"] == "epoch"]
    assert [losses["main"] for losses in epochs] == pytest.approx(expected["main"], rel=1e-4)
    assert epochs[-1] == pytest.approx(expected["last"], rel=1e-4)
    last = [record for record in log if record["kind"] == "step"][-1]
    assert last["told"][:2] == [sorted(epochs[-1])] * 2
    assert last["cosines"] == sorted(set(epochs[-1]) - {"main"})
    predicted = [record["tags"] for record in json_lines(run / "predictions" / "test.jsonl")]
    assert [" ".join(tags) for tags in predicted] == expected["tags"]
    steps = f"{6 * len(epochs)} steps, {len(epochs)} epochs, 1 end"
    assert run_cli("settled", run).out == f"{steps}\nLOC 5\nPER 7\n"
    # Rebuilt from its folder it tags as it did, the first of two ways.
    words = [line.split() for line in lines(WORDS[1], dark=True)]
    tagger = mmseq.load(run)
    (tagged,) = tagger.predict(
        [[columns[0] for columns in words]],
        images=[[notes / "images" / f"test-1-{i}.png" for i in range(2)]],
        extras=[{"boxes": [[int(place) for place in columns[1:5]] for columns in words]}],
        best=2,
    )
    assert list(tagged.tags) == predicted[1] == list(tagged.alternatives[0].tags)
    assert [span.score for span in tagged.spans] == pytest.approx([expected["score"]], rel=1e-4)
    assert tagged.alternatives[1].tags != tagged.tags
    for file in ("model.safetensors", "predictions/test.jsonl"):
        print(f"{name}, {file}: {hashlib.sha256((run / file).read_bytes()).hexdigest()}")


def json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
