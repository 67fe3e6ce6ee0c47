"""Groups of entities, counted by hand, and against seqeval's figures of each type."""

import json
import random

import pytest

from mmseq.data.tags import label_names, spans
from mmseq.scoring.groups import by_type
from mmseq.scoring.metrics import score
from mmseq.scoring.pairs import Compared

TRAIN = """Jordan\tB-PER
visits\tO
new\tB-LOC
york\tI-LOC

Jordan\tB-LOC
is\tO
dry\tO
"""
RECORDS = [
    # tokens, gold tags, predicted tags, pictures
    ("JORDAN likes Oslo", "B-PER O B-LOC", "B-PER O B-LOC", ["a", "b", "c"]),
    ("New York wins", "B-LOC I-LOC O", "B-LOC O O", ["a"]),
    ("New York", "I-LOC I-LOC", "B-LOC I-LOC", []),
    (
        "Guns and Roses play Rock in Rio for us now",
        "B-ORG I-ORG I-ORG O B-MISC I-MISC I-MISC O O O",
        "O " * 10,
    ),
    (" ".join("w" * 11), "O " * 11, "B-PER " + "O " * 10),
    (" ".join("w" * 31), "B-MISC " + "I-MISC " * 3 + "O " * 27, "O " * 31, ["a", "b"]),
]


@pytest.fixture
def groups(tmp_path, run_cli):
    (tmp_path / "train.txt").write_text(TRAIN)
    for name, column in (("gold", 1), ("predicted", 2)):
        records = [
            {
                "tokens": record[0].split(),
                "tags": record[column].split(),
                "images": [*record[3:], []][0],
            }
            for record in RECORDS
        ]
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(text)
    names = [tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl"]

    def call(*options):
        result = run_cli("score", *names, *options, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)["groups"]

    return call


def counts(rows):
    return {name: (r["gold"], r["predicted"], r["correct"]) for name, r in rows.items()}


# Gold: Jordan PER, Oslo LOC; New York LOC; New York LOC; Guns and Roses ORG, Rock in Rio MISC;
# the MISC of four words: 7. Predicted: Jordan PER, Oslo LOC; New LOC; New York LOC; a w PER: 5.
# Right: Jordan, Oslo, the second New York (its orphan opens an entity): 3.


def test_names_seen_in_training_whatever_their_case(groups, tmp_path):
    rows = groups("--train", tmp_path / "train.txt")["name"]
    # Seen: Jordan (ambiguous: PER and LOC), New York twice. "New" alone was not.
    assert counts(rows) == {"seen": (3, 2, 2), "ambiguous": (1, 1, 1), "unseen": (4, 3, 1)}
    assert rows["seen"]["precision"] == 100.0
    assert rows["seen"]["recall"] == pytest.approx(200 / 3)
    assert rows["seen"]["f1"] == pytest.approx(80.0)


def test_without_training_data_there_is_no_such_group(groups):
    assert set(groups()) == {"type", "entity_length", "sentence_length", "pictures"}


def test_lengths_in_words(groups):
    found = groups()
    assert counts(found["entity_length"]) == {
        "1": (2, 4, 2),
        "2": (2, 1, 1),
        "3": (2, 0, 0),
        "4+": (1, 0, 0),
    }
    assert counts(found["sentence_length"]) == {
        "1-10": (6, 4, 3),
        "11-20": (0, 1, 0),
        "21-30": (0, 0, 0),
        "31+": (1, 0, 0),
    }


def test_numbers_of_pictures(groups):
    # None: New York of the third, both of the fourth, the w. One: New York. More: the rest.
    expected = {"0": (3, 2, 1), "1": (1, 1, 0), "2+": (3, 2, 2)}
    assert counts(groups()["pictures"]) == expected


def test_what_is_not_defined_is_null(groups):
    lengths = groups()["sentence_length"]
    figures = {
        name: [row[key] for key in ("precision", "recall", "f1")] for name, row in lengths.items()
    }
    assert figures["31+"] == [None, 0.0, 0.0]
    assert figures["11-20"] == [0.0, None, 0.0]
    assert figures["21-30"] == [None, None, None]


def test_types_are_those_of_seqeval():
    draw = random.Random(3)
    names = label_names(["LOC", "PER", "ORG"])
    pairs = [[draw.choices(names, k=7) for _ in range(2)] for _ in range(80)]
    rows = by_type([Compared(("w",) * 7, spans(g), spans(p), 0) for g, p in pairs])
    official = score(*zip(*pairs, strict=True))["per_type"]
    assert list(rows) == list(official)
    for name, row in official.items():
        assert rows[name]["gold"] == row["support"]
        for key in ("precision", "recall", "f1"):
            assert rows[name][key] == pytest.approx(row[key])
