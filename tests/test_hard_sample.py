"""The hard sample: names that training does not show, and pictures in which one has to look."""

import json
from collections import Counter
from random import Random

import numpy as np
import pytest

from mmseq.data.sample import pictures, write_sample
from mmseq.data.sample.ceiling import spans
from mmseq.data.sample.names import hard_grammars, invent_names
from mmseq.data.sample.pictures import SCENES, SIDE, draw_cluttered_picture
from mmseq.data.sample.words import TYPES

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard") / "data"
    summary = write_sample(folder, seed=3, hard=True)
    rows = {
        split: [
            json.loads(line)
            for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        for split in SPLITS
    }
    return folder, summary, rows


def mentions(rows):
    return [
        (tuple(row["tokens"][start:end]), type_)
        for row in rows
        for start, end, type_ in sorted(spans(row["tags"]))
    ]


def test_most_names_outside_training_are_new(hard):
    _, _, rows = hard
    known = {name for name, _ in mentions(rows["train"])}
    for split in ("valid", "test"):
        found = mentions(rows[split])
        distinct = {name for name, _ in found}
        assert sum(name not in known for name in distinct) > 0.75 * len(distinct)
        assert sum(name not in known for name, _ in found) > 0.75 * len(found)
        assert any(name in known for name in distinct)


def test_training_is_half_the_plain_samples(hard):
    folder, summary, rows = hard
    assert [len(rows[split]) for split in SPLITS] == [600, 200, 400]
    assert {split.sentences for split in summary.splits.values()} == {600, 200, 400}
    record = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    assert record["hard"] is summary.hard is True


def test_types_are_even_and_ceilings_leave_room_for_the_pictures(hard):
    _, summary, rows = hard
    for split in SPLITS:
        counts = Counter(type_ for _, type_ in mentions(rows[split]))
        assert min(counts.values()) > 0.7 * max(counts.values())
    assert 60 < summary.text_ceiling < 72
    assert 97 < summary.picture_ceiling <= 100


def test_no_picture_is_in_two_splits(hard):
    _, _, rows = hard
    used = {split: {image for row in rows[split] for image in row["images"]} for split in SPLITS}
    assert not used["train"] & (used["valid"] | used["test"])
    assert not used["valid"] & used["test"]


def test_invented_words_come_once():
    names = invent_names(Random(0))
    drawn = [next(names) for _ in range(500)]
    words = [word for name in drawn for word in name]
    assert len(set(words)) == len(words) > 500
    assert all(word.istitle() and word.isalpha() for word in words)


def test_an_open_name_says_nothing_of_its_type():
    grammars = hard_grammars(SPLITS, Random(0))
    for grammar in grammars.values():
        (group,) = grammar.groups
        assert dict(group.types) == dict.fromkeys(TYPES, 0.25)
        assert not {name for type_ in TYPES for name in grammar.lists[type_]} & set(group.names)
    shared = set(grammars["train"].groups[0].names) & set(grammars["test"].groups[0].names)
    assert 0 < len(shared) <= 0.2 * len(grammars["test"].groups[0].names)


def differing(kind, seed, monkeypatch):
    """Where the picture differs from one with the same chances that shows clutter instead: the
    bounding box (left, top, right, bottom) of the telling part, in pixels.
    """
    monkeypatch.setattr(pictures, "_grade", lambda image, rng: image)
    one, other = (
        np.asarray(draw_cluttered_picture(shown, Random(seed)), dtype=int)
        for shown in (kind, "clutter")
    )
    rows, columns = np.nonzero(np.abs(one - other).max(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("kind", TYPES)
def test_what_tells_is_small_and_anywhere(kind, monkeypatch):
    boxes = np.array([differing(kind, seed, monkeypatch) for seed in range(24)])
    sides = boxes[:, 2:] - boxes[:, :2]
    # Snippets are at most 0.41 of the side wide, and reduction to half the size adds a pixel.
    assert sides.max() <= 0.41 * SIDE + 2
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    assert (centres.min(axis=0) < 0.3 * SIDE).all()
    assert (centres.max(axis=0) > 0.7 * SIDE).all()


@pytest.mark.parametrize("kind", SCENES)
def test_a_picture_follows_from_its_source_of_chance(kind):
    first, again, other = (draw_cluttered_picture(kind, Random(seed)) for seed in (3, 3, 4))
    assert (first.size, first.mode) == ((SIDE, SIDE), "RGB")
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_the_command_writes_it_and_the_same_seed_gives_the_same_bytes(hard, run_cli, tmp_path):
    result = run_cli("sample", tmp_path / "again", "--hard", "--seed", "3")
    assert result.code == 0
    assert "train: 600 sentences" in result.out
    record = json.loads((tmp_path / "again" / "sample.json").read_text(encoding="utf-8"))
    assert (record["hard"], record["seed"]) == (True, 3)
    folder, _, _ = hard
    for path in folder.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(folder)).read_bytes()
