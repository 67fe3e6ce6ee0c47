"""Words that the annotation leaves open: read, converted without guessing, kept, and refused where
every word must have its tag.
"""

import json
from itertools import product

import pytest

import mmseq
from mmseq.contracts.example import OPEN, Example
from mmseq.data import tags as labels
from mmseq.data.names import ambiguous_names
from mmseq.data.sentences import Facts
from mmseq.data.splits import load_file, load_folder
from mmseq.data.store import ExampleStore, StoredExamples
from mmseq.datacheck.checking import check_folder
from mmseq.errors import UserError
from mmseq.scoring.pairs import read_pair
from mmseq.training.data import data_lines, training_labels

PARTLY = "Anna\tB-PER\nLee\t?\nran\tO\n\nhe\t?\nran\t?\n\nin\t?\nRome\tB-LOC\n"
WHOLE = "Anna\tB-PER\nran\tO\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of files, by name."""

    def fill(**files):
        for name, text in files.items():
            path = tmp_path / (f"{name}.txt" if text[:1] != "{" else f"{name}.jsonl")
            path.write_text(text)
        return tmp_path

    return fill


def test_an_open_word_is_a_tag_of_no_type():
    assert mmseq.OPEN == OPEN == "?"
    assert labels.is_tag("?")
    assert labels.split_tag("?") == ("?", "")
    assert not labels.is_tag("?-PER")


def test_both_formats_have_open_words(folder):
    record = json.dumps({"tokens": ["Anna", "ran"], "tags": ["B-PER", None]})
    place = folder(train="Anna\tB-PER\nran\t?\n", test=record)
    read = load_folder(place)
    assert [split.examples[0].tags for split in read.values()] == [("B-PER", OPEN)] * 2


def test_a_word_that_is_a_question_mark_needs_no_tag(folder):
    (one,) = load_file(folder(train="who\n?\n") / "train.txt").examples
    assert (one.tokens, one.tags) == (("who", "?"), None)


def valid(path, scheme):
    """Sentences that a scheme allows, written out from its definition."""
    before = ("O", *path)
    pairs = list(zip(before, (*path, "O"), strict=True))
    if scheme == "bio":
        return all(b[:2] != "I-" or a in (b, f"B-{b[2:]}") for a, b in pairs)
    if scheme == "iob1":
        # B- only between two entities of one type.
        return all(b[:2] != "B-" or a[2:] == b[2:] for a, b in pairs)
    return all(
        (a[0] in "BI") == (b[0] in "IE") and (a[0] not in "BI" or a[2:] == b[2:]) for a, b in pairs
    )


SCHEMES = {
    "bio": ("OBI", lambda tags: tags),
    "bioes": ("OBIES", labels.bioes_to_bio),
    "iob1": ("OBI", labels.iob1_to_bio),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_conversion_says_nothing_that_a_completion_contradicts(scheme):
    """Of every sentence of the scheme and every choice of open words: what is known in BIO is so
    however the words are completed, and what all completions agree on at a known word is known.
    """
    prefixes, convert = SCHEMES[scheme]
    every = ["O", *(f"{p}-{kind}" for p in prefixes[1:] for kind in "XY")]
    sentences = [path for path in product(every, repeat=3) if valid(path, scheme)]
    converted = {path: convert(path) for path in sentences}
    for kept in product((True, False), repeat=3):
        groups = {}
        for path in sentences:
            seen = tuple(t if k else OPEN for t, k in zip(path, kept, strict=True))
            groups.setdefault(seen, []).append(converted[path])
        for seen, ways in groups.items():
            found = convert(seen)
            for place, tag in enumerate(found):
                could = {way[place] for way in ways}
                if not kept[place]:
                    assert tag == OPEN
                else:
                    assert tag == (could.pop() if len(could) == 1 else OPEN), (seen, found)


def test_conversion_by_hand():
    assert labels.bioes_to_bio(("?", "E-X", "?", "S-Y", "?")) == ("?", "I-X", "?", "B-Y", "?")
    assert labels.iob1_to_bio(("?", "I-X", "I-X", "?", "B-X")) == ("?", "?", "I-X", "?", "B-X")
    assert labels.iob1_to_bio(("O", "I-X", "?")) == ("O", "B-X", "?")


def test_beside_an_open_word_nothing_is_an_orphan():
    tags = ("?", "I-X", "O", "I-X", "?", "I-Y")
    assert labels.orphans(tags) == [3]
    assert labels.repair(tags) == ("?", "I-X", "O", "B-X", "?", "I-Y")


def test_renaming_leaves_open_words_open():
    tags = ("B-X", "?", "I-Y", "I-X", "?")
    assert labels.map_types(tags, {"Y": "X"}) == ("B-X", "?", "I-X", "B-X", "?")
    assert labels.map_types(tags, {"X": "O"}) == ("O", "?", "I-Y", "O", "?")


def test_an_entity_that_may_go_on_is_not_known():
    assert labels.spans(("B-X", "?", "B-X", "O")) == [(2, 3, "X")]
    assert labels.spans(("?", "I-X", "O", "I-X")) == [(3, 4, "X")]
    assert labels.spans(("?", "B-X", "I-X", "B-Y", "?")) == [(1, 3, "X")]


def test_names_are_those_of_known_entities():
    examples = [
        Example(("Rome", "is"), ("B-LOC", "O")),
        Example(("Rome", "Smith"), ("B-PER", "?")),
        Example(("Rome", "is"), ("B-ORG", "O")),
    ]
    assert ambiguous_names(examples[:2]) == frozenset()
    assert ambiguous_names(examples) == {("rome",)}


@pytest.mark.parametrize("kept", [False, True], ids=["in memory", "on disk"])
def test_sentences_of_open_words_alone_are_left_out_of_train(folder, tmp_path, kept):
    place = folder(train=PARTLY, valid=WHOLE)
    store = ExampleStore(tmp_path / "store", least=0) if kept else None
    for mapping in ({}, {"LOC": "PLACE"}):
        train = load_folder(place, store=store, mapping=mapping)["train"]
        assert isinstance(train.examples, StoredExamples) == kept
        (first, second) = train.examples
        assert first.tags == ("B-PER", OPEN, "O")
        assert (second.tags[0], second.line) == (OPEN, 8)
        assert (train.left_out, train.facts.open_words, train.facts.words) == (1, 2, 5)
        assert f"B-{mapping.get('LOC', 'LOC')}" in train.facts.tags
        assert [len(e.tokens) for e in train.examples] == [3, 2]
        if kept:
            assert list(train.examples.lengths) == [3, 2]
            assert train.examples[-1] == second
            assert train.examples[:] == [first, second]


def test_facts_by_hand(folder):
    facts = load_file(folder(train=PARTLY) / "train.txt").facts
    # Anna may go on; Rome is an entity that cannot.
    assert facts == Facts(3, 1, 0, ("B-LOC", "B-PER", "O"), None, 7, 4, 1, 0)


def test_a_store_of_before_is_read(folder, tmp_path):
    """It was written without the facts about open words, which its file cannot have."""
    from mmseq.data import store as stored

    store = ExampleStore(tmp_path / "store", least=0)
    path = folder(train=WHOLE) / "train.txt"
    place = load_file(path, store=store).examples.folder
    record = json.loads((place / "facts.json").read_text())
    for name in ("words", "open_words", "unknown", "first_open"):
        del record["facts"][name]
    record["sum"] = stored._sum_of(record["facts"], record["sums"])
    (place / "facts.json").write_text(json.dumps(record))
    made = (place / "facts.json").stat().st_mtime_ns
    assert load_file(path, store=store).facts == load_file(path).facts
    assert (place / "facts.json").stat().st_mtime_ns == made


def test_training_says_how_much_is_open(folder):
    data = mmseq.Config.from_layers(settings={"data.path": str(folder(train=PARTLY))}).data
    splits = load_folder(folder())
    line = data_lines(data, splits)[-1]
    assert line == (
        "train: 2 of 5 words are open ('?'); sentences of open words alone, which are left out: 1"
    )


def test_open_words_are_refused_outside_train(folder):
    place = folder(train=WHOLE, valid="Anna\tB-PER\nLee\t?\n")
    with pytest.raises(UserError, match=r"valid\.txt:2: the tag of 'Lee' is open \('\?'\)"):
        training_labels(load_folder(place))
    (problem,) = check_folder(place)["problems"]
    assert problem.startswith(f"valid: {place / 'valid.txt'}:2: ")


def test_nothing_but_open_words_is_nothing_to_learn(folder):
    with pytest.raises(UserError, match=r"train\.txt: every word is open"):
        load_folder(folder(train="a\t?\nb\t?\n"))


def test_scores_are_of_whole_files_but_training_names_may_be_partial(folder):
    place = folder(train=PARTLY, gold=WHOLE, open="Anna\tB-PER\nran\t?\n")
    gold, partly = place / "gold.txt", place / "open.txt"
    for pair in ((gold, partly), (partly, gold)):
        with pytest.raises(UserError, match=r"open\.txt:2: the tag of 'ran' is open"):
            read_pair(*pair)
    assert read_pair(gold, gold, train=place / "train.txt").train is not None


def test_the_data_check_counts_open_words(folder):
    train = check_folder(folder(train=PARTLY))["splits"]["train"]
    place = folder() / "train.txt"
    places = [f"{place}:{line}" for line in (2, 5, 6, 8)]
    assert train["open"] == {"count": 4, "first": places, "unannotated": 1}
    assert train["entities"] == {"LOC": 1}
    assert train["orphans"]["gold"] == {"default": 1, "strict": 1, "repaired": 1}


def test_data_show_writes_what_the_reader_reads(folder, run_cli):
    place = folder(train=PARTLY)
    shown = run_cli("data", "show", place / "train.txt", "--json").out
    assert json.loads(shown.splitlines()[0])["tags"] == ["B-PER", None, "O"]
    again = place / "again.jsonl"
    again.write_text(shown)
    first, second = (load_file(path).examples for path in (place / "train.txt", again))
    assert [e.tags for e in first] == [e.tags for e in second]
    assert "Anna/B-PER Lee/? ran" in run_cli("data", "show", place / "train.txt").out


def test_another_scheme_than_the_user_says_is_told_of_the_tag_that_is_of_it(folder):
    place = folder(train="a\t?\nb\tS-X\n")
    with pytest.raises(UserError, match=r"train\.txt:2: tag 'S-X' is not of scheme bio"):
        load_folder(place, scheme="bio")


def test_a_training_split_without_an_entity_is_told(tmp_path):
    (tmp_path / "train.txt").write_text("a\tO\nb\tO\n")
    (tmp_path / "valid.txt").write_text("a\tO\n")
    data = mmseq.Config.from_layers(settings={"data.path": str(tmp_path)}).data
    splits = load_folder(tmp_path)
    lines = [line for line in data_lines(data, splits) if "no entity" in line]
    assert lines == ["train: there is no entity in it: the model will learn to find none."]
