import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from mmseq.data import tags as labels


def test_a_type_may_hold_hyphens():
    assert labels.split_tag("B-work-of-art") == ("B", "work-of-art")
    assert labels.split_tag("O") == ("O", "")


@pytest.mark.parametrize("tag", ["O", "B-X", "I-X", "E-X", "S-X", "L-X", "U-X", "I-a-b", "B-Ä"])
def test_valid_tags(tag):
    assert labels.is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "o", "B", "B-", "-X", "X", "BX", "B_X", "b-X", "Z-X", "BI-X", "O-X", "B--X", "B-X-"]
)
def test_invalid_tags(tag):
    assert not labels.is_tag(tag)
    with pytest.raises(ValueError, match="tag|type"):
        labels.split_tag(tag)


def test_one_closing_tag_makes_the_scheme_bioes():
    assert labels.detect_scheme([["O", "B-X", "I-X"], ["I-X"]]) == "bio"
    for tag in ("E-X", "S-X", "L-X", "U-X"):
        assert labels.detect_scheme([["O"], ["O", tag]]) == "bioes"
    assert labels.detect_scheme([]) == "bio"


def test_bioes_and_bilou_become_bio():
    expected = ("B-A", "I-A", "I-A", "B-A", "O", "B-B", "B-B", "I-B")
    bioes = ("B-A", "I-A", "E-A", "S-A", "O", "S-B", "B-B", "E-B")
    bilou = ("B-A", "I-A", "L-A", "U-A", "O", "U-B", "B-B", "L-B")
    assert labels.bioes_to_bio(bioes) == expected
    assert labels.bioes_to_bio(bilou) == expected


def test_bioes_conversion_keeps_the_entities_seqeval_reads_even_in_broken_tags():
    draw = random.Random(0)
    tags = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in "XY")]
    for _ in range(500):
        sentence = draw.choices(tags, k=8)
        found = {(s, e, t) for s, e, t in labels.spans(labels.bioes_to_bio(sentence))}
        assert found == {(s, e + 1, t) for t, s, e in get_entities(sentence)}


def test_iob1_opens_an_entity_where_the_type_changes():
    iob1 = ("I-A", "I-A", "B-A", "I-A", "I-B", "O", "I-B")
    assert labels.iob1_to_bio(iob1) == ("B-A", "I-A", "B-A", "I-A", "B-B", "O", "B-B")


def test_types_are_renamed_and_dropped():
    tags = ("B-OTHER", "I-OTHER", "O", "B-PER", "I-PER", "B-LOC")
    mapping = {"OTHER": "MISC", "PER": "O"}
    assert labels.map_types(tags, mapping) == ("B-MISC", "I-MISC", "O", "O", "O", "B-LOC")


def test_neighbours_whose_types_become_one_stay_two_entities():
    assert labels.map_types(("I-A", "I-B"), {"B": "A"}) == ("I-A", "B-A")
    assert labels.map_types(("B-A", "B-B", "I-B"), {"B": "A"}) == ("B-A", "B-A", "I-A")


def test_label_names_are_sorted_and_outside_is_first():
    assert labels.label_names(["PER", "LOC", "PER"]) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert labels.label_names([]) == ("O",)


def test_orphans_follow_neither_b_nor_i_of_their_type():
    #       0      1      2      3    4      5      6      7
    tags = ("I-A", "I-A", "B-A", "O", "I-A", "B-B", "I-A", "I-A")
    assert labels.orphans(tags) == [0, 4, 6]
    assert labels.repair(tags) == ("B-A", "I-A", "B-A", "O", "B-A", "B-B", "B-A", "I-A")
    assert labels.orphans(labels.repair(tags)) == []


def test_spans_by_hand():
    tags = ("B-A", "I-A", "B-A", "O", "I-A", "I-B", "I-B", "O")
    assert labels.spans(tags) == [(0, 2, "A"), (2, 3, "A"), (4, 5, "A"), (5, 7, "B")]
    assert labels.spans(("O", "B-A")) == [(1, 2, "A")]
    assert labels.spans(()) == []


def test_spans_are_those_of_seqeval():
    draw = random.Random(1)
    names = labels.label_names(["X", "Y-Z"])
    for _ in range(500):
        tags = draw.choices(names, k=8)
        assert labels.spans(tags) == [(s, e + 1, t) for t, s, e in get_entities(tags)]
