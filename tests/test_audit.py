"""`mmseq audit` on tiny trained models whose data, by their making, need the pictures or do not."""

import json
import os
import shutil
from itertools import cycle
from pathlib import Path

import pytest
from PIL import Image

import mmseq
from mmseq.audit import audit
from mmseq.audit.conditions import tag_all
from mmseq.audit.standins import blank, look_at, noise
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.data.splits import load_file

NAMES = ("Jordan", "Chelsea", "Phoenix", "Sydney", "Paris")
TEXTS = ("{} was seen today", "the great {}", "friends and {}")
COLOURS = {"PER": "red", "LOC": "blue"}


def sentences(shares, colours=None):
    """Every text with every name, of each type as often as `shares` says.

    The picture has its type's colour, or, with `colours`, those in turn.
    """
    turn = cycle(colours or ())
    for text in TEXTS:
        for name in NAMES:
            for kind in (kind for kind, share in shares.items() for _ in range(share)):
                tokens = text.format(name).split()
                yield {
                    "tokens": tokens,
                    "tags": [f"B-{kind}" if token == name else "O" for token in tokens],
                    "images": [f"{next(turn) if colours else COLOURS[kind]}.png"],
                }


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def make_data(folder, train):
    """`train`, and a test file where the colour tells the type, in two of three sentences PER."""
    (folder / "images").mkdir(parents=True)
    for name, colour in {"red": (220, 30, 30), "blue": (30, 30, 220)}.items():
        Image.new("RGB", (40, 32), colour).save(folder / "images" / f"{name}.png")
    write(folder / "train.jsonl", train)
    write(folder / "test.jsonl", sentences({"PER": 2, "LOC": 1}))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The colour of the picture alone tells the type of a name."""
    return make_data(tmp_path_factory.mktemp("lit") / "data", sentences({"PER": 2, "LOC": 1}))


def train(encoder, data, folder, **flags):
    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(encoder), "learning_rate": 1e-3},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "gate"},
            **flags,
        },
        settings={
            "data.path": str(data),
            "train.epochs": 8,
            "train.batch_size": 10,
            "train.learning_rate": 1e-2,
            "train.device": "cpu",
        },
    )
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


@pytest.fixture(scope="module")
def run(tiny_encoder, data, tmp_path_factory):
    """It learns from the pictures, since nothing else tells the types apart."""
    return train(tiny_encoder, data, tmp_path_factory.mktemp("runs") / "lit")


@pytest.fixture(scope="module")
def text_run(tiny_encoder, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "text"
    return train(tiny_encoder, data, folder, fusion={"name": "none"})


@pytest.fixture(scope="module")
def dealt_run(tiny_encoder, tmp_path_factory):
    """Trained with pictures dealt without regard to the type: each type has each colour alike.

    Of the types PER is the more frequent, so that a model does best that always says PER.
    """
    folder = tmp_path_factory.mktemp("dealt")
    records = sentences({"PER": 4, "LOC": 2}, ["red", "blue"])
    return train(tiny_encoder, make_data(folder / "data", records), folder / "run")


@pytest.fixture(scope="module")
def report(run):
    return audit(run)


def test_pictures_matter_to_a_model_that_needs_them(report):
    assert report.verdict.kind == "matter"
    assert report.verdict.sentence.startswith("The pictures matter: ")
    scores = report.conditions
    assert list(scores) == ["true", "shuffled", "blank", "noise", "none"]
    # There are two colours, and every sentence gets the other one, or, of the 30 with red that the
    # 15 with blue cannot serve, 15 the same: of 45 sentences 15 stay right.
    assert scores["true"].f1 == 100
    assert scores["shuffled"].f1 == pytest.approx(100 / 3)
    assert scores["shuffled"].per_type["LOC"] == 0
    assert scores["true"].ambiguous_recall == 100
    assert scores["shuffled"].ambiguous_recall == pytest.approx(100 / 3)
    assert report.comparisons["shuffled"].effect == pytest.approx(200 / 3)
    assert report.comparisons["shuffled"].p_adjusted < 0.05
    assert report.parts["ambiguous names"].effect == pytest.approx(200 / 3)
    assert all(part.shown(0.05) == 1 for part in report.parts.values())
    assert list(report.parts) == ["LOC", "PER", "ambiguous names"]
    assert report.ambiguous.entities == 45
    assert report.ambiguous.source == "training data"
    assert report.changes.tallies["shuffled"].helped == 30
    assert report.changes.tallies["shuffled"].hurt == 0
    assert report.notes == [
        "Shuffled: up to 15 of 45 sentences with pictures keep a picture like their own, since too "
        "many have it."
    ]


def test_pictures_do_not_matter_to_a_model_trained_with_dealt_ones(dealt_run, data):
    for place in (None, data):  # its own test file, and that of the other run
        report = audit(dealt_run, place)
        assert report.verdict.kind == "none"
        assert report.verdict.sentence.startswith("No help from the pictures is shown: ")
        assert report.comparisons["shuffled"].p_adjusted >= 0.05
        # Always PER: right in two of three.
        assert report.conditions["true"].f1 == pytest.approx(200 / 3)


def test_a_text_only_run_is_one_more_comparison(run, text_run, report):
    found = audit(run, text_only=text_run)
    assert found.conditions["text-only"].f1 < 90
    assert "; the text-only run scores " in found.verdict.sentence
    assert "which is less" in found.verdict.sentence
    assert found.notes == report.notes
    # One more test in the family makes each one's p no smaller.
    assert found.comparisons["shuffled"].p_adjusted >= report.comparisons["shuffled"].p_adjusted


def test_a_text_only_run_of_other_data_is_noted(run, tiny_encoder, tmp_path):
    other = make_data(tmp_path / "data", sentences({"PER": 1, "LOC": 1}))
    text = train(tiny_encoder, other, tmp_path / "text", fusion={"name": "none"})
    notes = audit(run, text_only=text).notes
    assert f"{text} was trained on other data than {run}." in notes


def test_it_says_whether_scores_with_the_true_pictures_are_what_they_say(run, data, report):
    found = report.calibration
    # All 45 are right, so that what is missing to 1 is the error.
    assert (found.entities, found.unscored) == (45, 0)
    assert {part.right for part in found.bins} == {1.0}
    texts = [json.loads(line) for line in (data / "test.jsonl").read_text().splitlines()]
    pictures = [data / "images" / text["images"][0] for text in texts]
    tagged = mmseq.load(run).predict([text["tokens"] for text in texts], images=pictures)
    missing = [1 - span.score for sentence in tagged for span in sentence.spans]
    assert len(missing) == 45
    assert found.expected_error == pytest.approx(sum(missing) / 45, abs=1e-4)
    assert found.brier == pytest.approx(sum(m * m for m in missing) / 45, abs=1e-4)
    assert report.to_json()["calibration"]["bins"][-1]["right"] == 1.0


def test_the_same_seed_gives_the_same_report(run, report):
    assert audit(run).to_json() == report.to_json()
    assert audit(run, seed=1).conditions["true"] == report.conditions["true"]


@pytest.fixture
def mixed(data, tmp_path):
    """Eight sentences with one, two or no picture, some of which cannot be used."""
    folder = tmp_path / "mixed"
    (folder / "images").mkdir(parents=True)
    for number in range(6):
        size = (40 + number, 32)
        Image.new("RGB", size, (40 * number,) * 3).save(folder / "images" / f"{number}.png")
    (folder / "images" / "broken.png").write_bytes(b"not a picture")
    pictures = [["0"], ["1", "2"], [], ["3"], ["absent"], ["broken", "4"], ["5"], ["absent"]]
    records = list(sentences({"PER": 2, "LOC": 1}))[:8]
    for record, names in zip(records, pictures, strict=True):
        record["images"] = [f"{name}.png" for name in names]
    write(folder / "test.jsonl", records)
    return load_file(folder / "test.jsonl", name="test")


def tagged_of(run, split, **options):
    tagger = mmseq.load(run)
    found = tag_all(tagger, tagger.model.image_encoder, split, **options)
    words = [list(example.tokens) for example in split.examples]

    def tags(pictures):
        return [sentence.tags for sentence in tagger.predict(words, pictures)]

    return found, tags


def test_only_sentences_with_usable_pictures_trade_them_together(run, mixed):
    found, tags = tagged_of(run, mixed, permutations=3, seed=0)
    names = [[path.stem for path in paths] for paths in found.own]
    assert names == [["0"], ["1", "2"], [], ["3"], [], ["4"], ["5"], []]
    assert sorted(found.dealt) == sorted(found.own)
    assert len(found.tags["shuffled"]) == 3
    assert found.clashes == 0
    for own, other in zip(found.own, found.dealt, strict=True):
        assert bool(own) == bool(other)
        assert not set(own) & set(other)
    assert found.tags["true"] == [tags([list(paths) for paths in found.own])]
    assert found.tags["shuffled"][0] == tags([list(paths) for paths in found.dealt])
    assert found.tags["none"] == [tags(None)]


def test_blank_and_noise_tag_as_such_pictures_in_files_do(run, mixed, tmp_path):
    found, tags = tagged_of(run, mixed, permutations=1, seed=3)
    files = look_at(path for paths in found.own for path in paths)
    for name, draw in {"blank": blank, "noise": lambda file: noise(file, 3)}.items():
        (tmp_path / name).mkdir()
        for path, file in files.items():
            draw(file).save(tmp_path / name / path.name)
        drawn = [[tmp_path / name / path.name for path in paths] for paths in found.own]
        assert found.tags[name] == [tags(drawn)]


def test_nothing_is_written_but_features_of_the_true_pictures(run, data, tmp_path, monkeypatch):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def written():
        return {p: p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()}

    mmseq.load(run).evaluate(data / "test.jsonl")
    before = written()
    assert before
    audit(run, permutations=1, resamples=200)
    assert written() == before
    assert os.listdir(tmp_path / "temporary") == []


def retold(split, pictures, folder):
    """A copy of a split whose sentences have these pictures, as a file."""
    records = [
        {"tokens": e.tokens, "tags": e.tags, "images": [str(path) for path in paths]}
        for e, paths in zip(split.examples, pictures, strict=True)
    ]
    write(folder / "retold.jsonl", records)
    return folder / "retold.jsonl"


@pytest.mark.parametrize(
    ("several", "note"),
    [(False, "only one sentence has pictures"), (True, "every sentence shares a picture with")],
)
def test_what_cannot_be_shuffled_is_not_judged(run, mixed, tmp_path, several, note):
    picture = mixed.examples[0].images
    pictures = [picture if several or not n else () for n in range(8)]
    report = audit(run, retold(mixed, pictures, tmp_path), resamples=200)
    assert report.verdict.kind == "unknown"
    assert list(report.conditions) == ["true", "blank", "noise", "none"]
    assert list(report.changes.tallies) == ["none"]
    assert note in report.notes[0]


def test_it_tells_what_the_pictures_tell_by_themselves(run, data, run_cli, tmp_path):
    """Red is a person in training and test, blue a place: two pictures, and both can be read."""
    told = audit(run, data, resamples=200).to_json()["pictures_named"]
    assert told == {"pictures": 2, "right": 2, "training": 2}
    crossed = shutil.copytree(data, tmp_path / "crossed")
    other = {"PER": "LOC", "LOC": "PER"}
    records = [
        {**s, "tags": [t if t == "O" else f"B-{other[t[2:]]}" for t in s["tags"]]}
        for s in sentences({"PER": 2, "LOC": 1})
    ]
    write(crossed / "test.jsonl", records)
    told = audit(run, crossed, resamples=200).to_json()["pictures_named"]
    assert told == {"pictures": 2, "right": 0, "training": 2}
    result = run_cli("audit", run, data, "--resamples", 200)
    assert "2 of 2 pictures (100.0 %) tell the type" in result.out


def test_training_data_that_are_gone_leave_ambiguous_names_out(run, data, tmp_path, run_cli):
    moved = shutil.copytree(run, tmp_path / "run")
    gone = tmp_path / "gone"
    config = (moved / "config.toml").read_text().replace(str(data), str(gone))
    (moved / "config.toml").write_text(config)
    report = audit(moved, data, resamples=200)
    assert report.ambiguous is None
    assert report.conditions["true"].ambiguous_recall is None
    assert report.to_json()["ambiguous"] is report.to_json()["pictures_named"] is None
    (note, _) = report.notes
    assert note.startswith("Ambiguous names, and what pictures tell by themselves, are left out: ")
    assert "training data" in note
    shutil.copytree(data, gone)
    write(gone / "train.jsonl", sentences({"PER": 1, "LOC": 1}))
    result = run_cli("audit", moved, data, "--resamples", 200)
    assert result.code == 0
    line = f"left out: {gone / 'train.jsonl'} is not what the run was trained on."
    assert line in result.out
    assert "ambiguous R" not in result.out


def test_the_command_prints_a_table_sentences_and_the_verdict(run, report, run_cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    result = run_cli("audit", run, "--show", 2)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[-1] == report.verdict.sentence
    (row,) = (line for line in lines if line.startswith("│ shuffled "))
    for figure in ("33.33*", "+66.67", "0.0004"):
        assert figure in row
    assert "Against shuffled, tags change in 30 sentences: its own pictures help in 30 and" in (
        result.out
    )
    assert sum(line.startswith("helps: ") for line in lines) == 2
    assert f"expected error {report.calibration.expected_error:.4f}, Brier" in result.out


def test_json_on_standard_output_and_in_a_file_are_the_report(run, report, run_cli, tmp_path):
    target = tmp_path / "audit.json"
    result = run_cli("audit", run, "--json", "--output", target)
    assert result.code == 0
    assert result.out == target.read_text()
    assert result.err.splitlines() == report.notes
    found = json.loads(result.out)
    assert found == json.loads(json.dumps(report.to_json()))
    metrics = json.loads((run / "metrics.json").read_text())
    assert found["conditions"]["true"]["f1"] == metrics["test"]["f1"]
    for key in ("sha256", "images_sha256", "sentences", "entities"):
        assert found["data"][key] == metrics["data"]["test"][key]
    assert "seqeval's default reading" in found["reading"]
    assert len(found["sentences"]) == 10


def test_types_can_be_renamed(run, data, run_cli, tmp_path):
    records = list(sentences({"PER": 2, "LOC": 1}))
    for record in records:
        record["tags"] = [tag.replace("LOC", "PLACE") for tag in record["tags"]]
        record["images"] = [str(data / "images" / name) for name in record["images"]]
    write(tmp_path / "places.jsonl", records)
    result = run_cli("audit", run, tmp_path / "places.jsonl", "--resamples", 200)
    assert result.code == 2
    assert "PLACE" in result.err
    result = run_cli(
        "audit", run, tmp_path / "places.jsonl", "--map", "PLACE=LOC", "--resamples", 200, "--json"
    )
    assert json.loads(result.out)["conditions"]["true"]["f1"] == 100


def told(result, *words):
    assert result.code == 2, result.err
    (line,) = result.err.splitlines()
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


def test_runs_that_cannot_be_audited(run, text_run, run_cli, tmp_path):
    told(run_cli("audit", run.with_name("lid")), "No run folder", f"Did you mean '{run}'?")
    told(run_cli("audit", tmp_path), "not a run folder")
    told(run_cli("audit", text_run), f"{text_run}: is a text-only run", "nothing to audit")


def test_runs_that_are_no_text_only_run_of_the_same_types(
    run, text_run, data, tiny_encoder, run_cli, tmp_path
):
    told(run_cli("audit", run, "--text-only", run), "is a run with pictures", "--fusion none")
    told(run_cli("audit", run, "--text-only", tmp_path / "absent"), "No run folder")
    other = make_data(tmp_path / "data", sentences({"PER": 1, "ORG": 1}, ["red"]))
    (other / "test.jsonl").unlink()
    text = train(tiny_encoder, other, tmp_path / "text", fusion={"name": "none"})
    told(run_cli("audit", run, "--text-only", text), "knows the types ORG, PER, but", "LOC, PER")


def test_data_that_cannot_be_audited(run, data, run_cli, tmp_path):
    told(run_cli("audit", run, tmp_path / "absent"), "No data folder")
    told(run_cli("audit", run, "--split", "valid"), "no data file", "valid")
    told(run_cli("audit", run, "--images", tmp_path / "absent"), "No picture folder")
    bare = shutil.copytree(data, tmp_path / "bare")
    shutil.rmtree(bare / "images")
    result = run_cli("audit", run, bare)
    assert result.code == 2
    assert "none of its 45 sentences has a picture that can be used" in result.err
    assert "--images" in result.err
    write(tmp_path / "untagged.jsonl", [{"tokens": ["a"]}])
    told(run_cli("audit", run, tmp_path / "untagged.jsonl"), "untagged.jsonl:1", "no tags")
    write(tmp_path / "empty.jsonl", [{"tokens": ["a"], "tags": ["O"]}])
    told(run_cli("audit", run, tmp_path / "empty.jsonl"), "empty.jsonl: holds no entity")


def test_options_that_cannot_be(run, run_cli, tmp_path):
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    told(run_cli("audit", run, "--output", taken), "exists; give another name")
    assert taken.read_text() == "mine"
    told(run_cli("audit", run, "--output", tmp_path / "no" / "a.json"), "no folder", "make it")
    told(run_cli("audit", run, "--permutations", 0), "--permutations")
    told(run_cli("audit", run, "--alpha", 1), "--alpha")
    # At best p is 1/(N+1), times four comparisons: below 0.05 from N = 80 on.
    told(run_cli("audit", run, "--resamples", 79), "can show nothing", "take at least 80")
    assert run_cli("audit", run, "--resamples", 80).code == 0
    with pytest.raises(ValueError, match="0 permutations"):
        audit(run, permutations=0)
    assert Path(run).is_dir()
