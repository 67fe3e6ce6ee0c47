"""The sample data set as it lies in its folder."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2, Entities

from mmseq.data.sample import SAMPLE_VERSION, write_sample
from mmseq.data.sample import write as write_module
from mmseq.data.sample.cached import sample_folder
from mmseq.data.sample.ceiling import best_guess, shown_by
from mmseq.data.sample.templates import sample_grammar
from mmseq.data.sample.words import OPEN_NAMES, TYPES

SPLITS = ("train", "valid", "test")
LABELS = {"O", *(f"{mark}-{type_}" for mark in "BI" for type_ in TYPES)}


class Written:
    """A written sample data set and the summary that came with it."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.summary = write_sample(folder, seed=seed)
        self.record = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
        self.kinds = self.record["pictures"]
        self.rows = {
            split: [
                json.loads(line)
                for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
            ]
            for split in SPLITS
        }

    def everything(self):
        return [row for rows in self.rows.values() for row in rows]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return Written(tmp_path_factory.mktemp("sample") / "data", seed=0)


@pytest.fixture(scope="module")
def other_seed(tmp_path_factory):
    return Written(tmp_path_factory.mktemp("other") / "data", seed=1)


GUIDE = Path(__file__).parents[1] / "examples" / "site" / "pages"
GUIDE_PICTURES = {"place": "0464", "person": "0470", "work": "0309", "organisation": "0280"}


@pytest.mark.parametrize("shows", GUIDE_PICTURES)
def test_the_pictures_of_the_guide_are_those_of_the_sample(sample, shows):
    shown = Image.open(GUIDE / f"sample-{shows}.jpg").convert("RGB")
    drawn = Image.open(sample.folder / "images" / f"{GUIDE_PICTURES[shows]}.jpg").convert("RGB")
    # Libraries may write a JPEG differently, by a little.
    difference = np.asarray(shown, dtype=float) - np.asarray(drawn, dtype=float)
    assert np.abs(difference).mean() < 3


def test_the_guide_prints_the_counts_of_the_sample(sample):
    page = (GUIDE / "first-steps.md").read_text(encoding="utf-8")
    for split, facts in sample.record["splits"].items():
        counts = ", ".join(f"{facts[key]} {key}" for key in ("sentences", "entities", "pictures"))
        assert f"{split}: {counts}\n" in page
    best = f"{sample.summary.text_ceiling:.2f}; that text and picture can: "
    assert best + f"{sample.summary.picture_ceiling:.2f}\n" in page


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def entities(row):
    return [
        (tuple(row["tokens"][entity.start : entity.end]), entity.tag)
        for entity in Entities([row["tags"]], IOB2).entities[0]
    ]


def told(row):
    text = " ".join(row["tokens"])
    return any(context in text for context in TOLD_CONTEXTS)


GRAMMAR = sample_grammar()
TOLD_CONTEXTS = (
    "actor", "the singer", "the train to", "in the town of", "investors of", "staff at",
    "the film", "reading a novel",
)  # fmt: skip


def test_the_same_seed_gives_the_same_bytes(sample):
    """Also in another process: the one in the cache may be another's."""
    assert contents(sample_folder()) == contents(sample.folder)


def test_another_seed_gives_other_sentences_and_pictures(sample, other_seed):
    first, second = contents(sample.folder), contents(other_seed.folder)
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_folder_holds_what_the_summary_says(sample):
    written = {path.name for path in (sample.folder / "images").iterdir()}
    assert {path.name for path in sample.folder.iterdir()} == {
        "train.jsonl", "valid.jsonl", "test.jsonl", "sample.json", "images",
    }  # fmt: skip
    used = set()
    for split, rows in sample.rows.items():
        counts = sample.summary.splits[split]
        images = {image for row in rows for image in row["images"]}
        assert counts.sentences == len(rows)
        assert counts.entities == sum(tag.startswith("B-") for row in rows for tag in row["tags"])
        assert counts.pictures == len(images)
        used |= images
    assert used == written == set(sample.kinds)
    assert [sample.summary.splits[split].sentences for split in SPLITS] == [1200, 200, 400]
    assert 450 <= len(written) <= 550
    assert sample.record == {**asdict(sample.summary), "pictures": sample.kinds}
    assert (sample.summary.version, sample.summary.seed) == (SAMPLE_VERSION, 0)


def test_no_picture_and_no_sentence_is_in_two_splits(sample):
    for part in ("images", "tokens"):
        seen = {
            split: {item for row in rows
                    for item in (row[part] if part == "images" else [tuple(row[part])])}
            for split, rows in sample.rows.items()
        }  # fmt: skip
        assert not seen["train"] & seen["test"]
        assert not seen["train"] & seen["valid"]
        assert not seen["valid"] & seen["test"]


def test_rows_are_well_formed(sample):
    for row in sample.everything():
        assert set(row) == {"id", "tokens", "tags", "images"}
        assert 7 <= len(row["tokens"]) == len(row["tags"]) <= 16
        assert all(token and not token.isspace() for token in row["tokens"])
        assert set(row["tags"]) <= LABELS
        for before, tag in zip(["O", *row["tags"]], row["tags"], strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
    ids = [row["id"] for row in sample.everything()]
    assert len(set(ids)) == len(ids)


def test_sentences_are_of_every_sort(sample):
    for rows in sample.rows.values():
        counts = Counter(sum(tag.startswith("B-") for tag in row["tags"]) for row in rows)
        pictures = Counter(shown_by(row["images"], sample.kinds) for row in rows)
        assert min(counts[0], counts[1], counts[2]) >= 0.08 * len(rows)
        assert all(pictures[type_] > 0.1 * len(rows) for type_ in TYPES)
        assert pictures["clutter"] > 0
        assert pictures["none"] > 0.05 * len(rows)
    train = sample.rows["train"]
    assert any(len(row["images"]) == 2 for row in train)
    types = Counter(type_ for row in train for _, type_ in entities(row))
    assert min(types.values()) > 0.8 * max(types.values())


def test_every_test_word_and_name_is_in_the_training_split(sample):
    def words(split):
        return {token for row in sample.rows[split] for token in row["tokens"]}

    def names(split):
        return {entity for row in sample.rows[split] for entity in entities(row)}

    assert words("test") <= words("train")
    assert names("test") <= names("train")
    assert sum(len(name) > 1 for group in OPEN_NAMES for name in group.names) >= 4
    assert sum(len(group.names) for group in OPEN_NAMES) >= 20


@pytest.mark.parametrize("split", SPLITS)
def test_open_names_are_as_often_of_each_type(sample, split):
    counts = Counter(
        (name, type_)
        for row in sample.rows[split]
        if not told(row)
        for name, type_ in entities(row)
        if any(name in group.names for group in OPEN_NAMES)
    )
    assert counts
    for group in OPEN_NAMES:
        for name in group.names:
            assert len({counts[name, type_] for type_ in group.types}) == 1
            assert {type_ for found, type_ in counts if found == name} <= set(group.types)


def test_ceilings_leave_room_for_the_pictures(sample, other_seed):
    for written in (sample, other_seed):
        assert 62 < written.summary.text_ceiling < 75
        assert 97 < written.summary.picture_ceiling <= 100


def test_ceilings_are_the_scores_of_the_best_guesses_by_seqeval(sample):
    rows = sample.rows["test"]
    gold = [row["tags"] for row in rows]
    blind = [list(best_guess(GRAMMAR, tuple(row["tokens"]))) for row in rows]
    sighted = [
        list(best_guess(GRAMMAR, tuple(row["tokens"]), shown_by(row["images"], sample.kinds)))
        for row in rows
    ]
    assert sample.summary.text_ceiling == pytest.approx(100 * f1_score(gold, blind), abs=0.01)
    assert sample.summary.picture_ceiling == pytest.approx(100 * f1_score(gold, sighted), abs=0.01)


def nearest_neighbour_hits(train, test):
    """How often the training sentence that shares most words has the same answer."""
    return sum(
        max(train, key=lambda row: closeness(row[0], features))[1] == answer
        for features, answer in test
    ) / len(test)


def closeness(first, second):
    return len(first & second) - 0.01 * len(first | second)


def test_the_words_around_open_names_do_not_tell_their_type(sample):
    group = OPEN_NAMES[0]

    def items(split):
        return [
            (set(row["tokens"]), type_)
            for row in sample.rows[split]
            if not told(row)
            for name, type_ in entities(row)
            if name in group.names
        ]

    # Chance is a quarter, and four standard deviations over some 90 names are 0.18.
    assert nearest_neighbour_hits(items("train"), items("test")) < 0.43


def test_file_names_and_ids_do_not_tell_the_kind(sample):
    numbers = {image: int(Path(image).stem) for image in sample.kinds}
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    ordered = sorted(sample.kinds, key=numbers.__getitem__)
    neighbours = zip(ordered, ordered[1:], strict=False)
    same = sum(sample.kinds[a] == sample.kinds[b] for a, b in neighbours)
    assert same / len(ordered) < 0.32
    for kind in TYPES:
        middle = sum(numbers[image] for image in sample.kinds if sample.kinds[image] == kind)
        middle /= len(numbers) * sum(found == kind for found in sample.kinds.values())
        assert 0.4 < middle < 0.6
    for split, rows in sample.rows.items():
        assert [row["id"] for row in rows] == [
            f"{split}-{number:04d}" for number in range(1, len(rows) + 1)
        ]
        subjects = [entities(row)[0][1] for row in rows if entities(row)]
        same = sum(a == b for a, b in zip(subjects, subjects[1:], strict=False))
        assert same / len(subjects) < 0.36


def test_pictures_are_alike_in_size_and_format(sample):
    for path in (sample.folder / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (224, 224))


def test_a_folder_with_anything_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="empty folder"):
        write_sample(tmp_path)
    with pytest.raises(FileExistsError, match="empty folder"):
        write_sample(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(kind, rng):
        raise KeyboardInterrupt

    monkeypatch.setattr(write_module, "draw_picture", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_and_missing_parents_are_welcome(tmp_path, monkeypatch):
    monkeypatch.setattr(
        write_module, "draw_picture", lambda kind, rng: Image.new("RGB", (8, 8), "white")
    )
    (tmp_path / "empty").mkdir()
    write_sample(tmp_path / "empty")
    write_sample(tmp_path / "new" / "deep")
    for folder in (tmp_path / "empty", tmp_path / "new" / "deep"):
        assert (folder / "sample.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "new"]
