import json
import math
from pathlib import Path

import pytest

import mmseq
from mmseq import UserError
from mmseq.config.config import Config
from mmseq.contracts.example import Example
from mmseq.data.splits import load_file
from mmseq.model.prediction import Prediction
from mmseq.runs.predictions import read_predictions, write_predictions

IMAGES = Path("data/images")
SENTENCES = [
    Example(("so", "tired"), ("O", "O"), id="1"),
    Example(
        ("Café", "Oslo"), ("O", "B-LOC"), (IMAGES / "a/1.jpg", Path("/elsewhere/2.png")), id="2"
    ),
    Example(("New", "York", "by", "Anna"), ("B-LOC", "I-LOC", "O", "B-PER"), id="3"),
]
FOUND = [
    Prediction(("O", "B-PER"), span_scores=(0.123456,)),
    Prediction(("O", "O")),
    Prediction(("B-LOC", "I-LOC", "O", "B-PER"), span_scores=(0.75, math.nan)),
]


def rows(folder):
    return [
        json.loads(line) for line in (folder / "predictions/test.jsonl").read_text().splitlines()
    ]


@pytest.fixture
def run(tmp_path):
    write_predictions(tmp_path, "test", SENTENCES, FOUND, IMAGES)
    return tmp_path


def test_what_is_written_is_read(run):
    found = read_predictions(run, "test")
    assert found.tokens == [e.tokens for e in SENTENCES]
    assert found.gold == [("O", "O"), ("O", "B-LOC"), ("B-LOC", "I-LOC", "O", "B-PER")]
    assert found.tags == [("O", "B-PER"), ("O", "O"), ("B-LOC", "I-LOC", "O", "B-PER")]


def test_a_line_names_pictures_and_entities_with_their_scores(run):
    first, second, third = rows(run)
    assert first == {
        "id": "1",
        "tokens": ["so", "tired"],
        "tags": ["O", "B-PER"],
        "gold": ["O", "O"],
        "images": [],
        "entities": [{"type": "PER", "text": "tired", "start": 1, "end": 2, "score": 0.1235}],
    }
    assert second["images"] == ["a/1.jpg", "/elsewhere/2.png"]
    assert second["entities"] == []
    # What is no number has no place in JSON.
    assert third["entities"] == [
        {"type": "LOC", "text": "New York", "start": 0, "end": 2, "score": 0.75},
        {"type": "PER", "text": "Anna", "start": 3, "end": 4, "score": None},
    ]


def test_entities_of_a_decoder_without_scores_have_none(tmp_path):
    write_predictions(tmp_path, "test", SENTENCES[:1], [Prediction(("B-X", "O"))], IMAGES)
    (entity,) = rows(tmp_path)[0]["entities"]
    assert entity == {"type": "X", "text": "so", "start": 0, "end": 1, "score": None}


def test_files_of_before_are_read(run):
    path = run / "predictions" / "test.jsonl"
    old = [{k: row[k] for k in ("id", "tokens", "tags", "gold")} for row in rows(run)]
    now = read_predictions(run, "test")
    path.write_text("".join(json.dumps(row) + "\n" for row in old))
    assert read_predictions(run, "test") == now


def test_the_file_is_a_data_file_of_predicted_tags(run):
    split = load_file(run / "predictions" / "test.jsonl", image_folder=run)
    assert [e.tags for e in split.examples] == [p.tags for p in FOUND]
    assert [e.id for e in split.examples] == ["1", "2", "3"]
    assert split.examples[1].images == (run / "a/1.jpg", Path("/elsewhere/2.png"))


def test_missing_and_damaged_files_are_told_with_their_line(run, tmp_path):
    with pytest.raises(UserError, match=r"valid\.jsonl: missing"):
        read_predictions(run, "valid")
    path = run / "predictions" / "test.jsonl"
    path.write_text(path.read_text() + '{"tokens": ["a"], "gold": ["O"], "tags": ["O", "O"]}\n')
    with pytest.raises(UserError, match=r"test\.jsonl:4: .*1 words, 1 and 2 tags"):
        read_predictions(run, "test")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=r"test\.jsonl:4: damaged"):
        read_predictions(run, "test")


def text_only(encoder, data, decoder):
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(encoder)},
            "fusion": {"name": "none"},
            "decoder": {"name": decoder},
        },
        settings={"data.path": str(data), "train.device": "cpu", "train.epochs": 1},
    )


def test_a_run_writes_what_its_tagger_says(run_once, tiny_encoder, tiny_data):
    run = run_once(text_only(tiny_encoder, tiny_data, "crf"))
    data = [json.loads(line) for line in (tiny_data / "test.jsonl").read_text().splitlines()]
    assert [row["images"] for row in rows(run)] == [row.get("images", []) for row in data]
    tagged = mmseq.load(run, device="cpu").predict([row["tokens"] for row in data])
    assert any(row["entities"] for row in rows(run))
    for row, sentence in zip(rows(run), tagged, strict=True):
        assert row["tags"] == list(sentence.tags)
        said = [(s.type, s.text, s.start, s.end) for s in sentence.spans]
        assert [tuple(e[k] for k in ("type", "text", "start", "end")) for e in row["entities"]] == (
            said
        )
        scores = [s.score for s in sentence.spans]
        assert [e["score"] for e in row["entities"]] == pytest.approx(scores, abs=1e-4)


SILENT = """
import mmseq


class Silent(mmseq.CrfDecoder):
    \"\"\"A CRF that gives tags alone.\"\"\"

    def scores(self, emissions, tags, mask):
        raise NotImplementedError("no probabilities here")

    def span_scores(self, emissions, tags, mask, spans):
        return mmseq.Decoder.span_scores(self, emissions, tags, mask, spans)


@mmseq.hookimpl
def register_components(add):
    add.decoder("silent", Silent)
"""


def test_a_decoder_without_scores_trains_as_before(
    site, run_once, tiny_encoder, tiny_data, tmp_path, capsys
):
    site.add("silent", SILENT)
    crf = run_once(text_only(tiny_encoder, tiny_data, "crf"))
    run = mmseq.train(text_only(tiny_encoder, tiny_data, "silent"), output=tmp_path / "run")
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "without their scores" in line
    ]
    assert len(lines) == 1
    assert "decoder 'silent' of mmseq-silent 1.0" in lines[0]
    assert "no probabilities here" in lines[0]
    assert [row["tags"] for row in rows(run)] == [row["tags"] for row in rows(crf)]
    scores = [entity["score"] for row in rows(run) for entity in row["entities"]]
    assert scores
    assert set(scores) == {None}
