"""The optimal guess, against enumeration of everything that a small grammar can write."""

import itertools
from collections import defaultdict

import pytest

from mmseq.data.sample.ceiling import Ceilings, best_guess, ceilings, shown_by, span_f1, spans
from mmseq.data.sample.grammar import Grammar, Group, Slot, Template, posterior

ANY, PLACE, WHEN = Slot("any"), Slot("place", "LOC"), Slot("when")

# The same words come from several templates: "see Rio" with an open and with a settled name, and
# "Rio Grande" as one name or as the name Rio before a filler.
SMALL = Grammar(
    templates=(
        Template(("see", ANY, WHEN), 5.0),
        Template(("see", PLACE, WHEN), 2.0),
        Template((ANY, "and", ANY), 1.5),
        Template((PLACE, "and", PLACE, WHEN), 0.5),
        Template(("see", "you", WHEN), 1.0),
    ),
    lists={
        "place": (("Rio",), ("Rio", "Grande"), ("Oslo",)),
        "when": ((), (), ("now",), ("Grande",)),
    },
    groups=(
        Group((("Rio",), ("Ann", "Arbor")), {"PER": 0.5, "LOC": 0.3, "ORG": 0.2}, 2.0),
        Group((("Rio", "Grande"), ("Ford",), ("Oslo",)), {"PER": 0.1, "ORG": 0.9}, 1.0),
    ),
    open_pictures={
        "PER": {"PER": 0.7, "LOC": 0.1, "none": 0.2},
        "LOC": {"LOC": 0.8, "none": 0.2},
        "ORG": {"ORG": 0.5, "PER": 0.3, "none": 0.2},
    },
    settled_pictures={"LOC": {"LOC": 0.4, "none": 0.6}, "": {"none": 1.0}},
)


def everything(grammar):
    """Every (tokens, tags, shown) with its probability, written out without the grammar's code."""
    joint = defaultdict(float)
    weight = sum(template.weight for template in grammar.templates)
    group_weight = sum(group.weight for group in grammar.groups)
    for template in grammar.templates:
        slots = [part for part in template.parts if isinstance(part, Slot)]
        has_open = any(slot.list_name == "any" for slot in slots)
        settled = [slot.type for slot in slots if slot.type]
        worlds = [(None, None, 1.0)]
        if has_open:
            worlds = [
                (group, type_, group.weight / group_weight * prior)
                for group in grammar.groups
                for type_, prior in group.types.items()
            ]
        for group, open_type, world in worlds:
            choices = [
                group.names if slot.list_name == "any" else grammar.lists[slot.list_name]
                for slot in slots
            ]
            for picks in itertools.product(*[range(len(choice)) for choice in choices]):
                phrases = [choice[pick] for choice, pick in zip(choices, picks, strict=True)]
                chance, before = template.weight / weight * world, []
                for slot, choice, phrase in zip(slots, choices, phrases, strict=True):
                    is_name = slot.list_name == "any" or slot.type is not None
                    allowed = [item for item in choice if not is_name or item not in before]
                    chance *= (phrase in allowed) / len(allowed)
                    before += [phrase] if is_name else []
                tokens, tags, rest = [], [], iter(phrases)
                for part in template.parts:
                    phrase = (part,) if isinstance(part, str) else next(rest)
                    tokens += phrase
                    type_ = None
                    if isinstance(part, Slot):
                        type_ = open_type if part.list_name == "any" else part.type
                    marks = ["B"] + ["I"] * (len(phrase) - 1)
                    tags += [f"{mark}-{type_}" if type_ else "O" for mark in marks[: len(phrase)]]
                pictures = (
                    grammar.open_pictures[open_type]
                    if has_open
                    else grammar.settled_pictures[settled[0] if settled else ""]
                )
                for shown, seen in pictures.items():
                    joint[tuple(tokens), tuple(tags), shown] += chance * seen
    return {case: chance for case, chance in joint.items() if chance > 0}


JOINT = everything(SMALL)


def test_enumeration_is_complete():
    assert sum(JOINT.values()) == pytest.approx(1.0)
    assert len({tokens for tokens, _, _ in JOINT}) > 20


def test_posterior_of_words_and_picture_is_that_of_enumeration():
    for tokens, shown in {(tokens, shown) for tokens, _, shown in JOINT}:
        weights = {
            tags: chance
            for (words, tags, picture), chance in JOINT.items()
            if (words, picture) == (tokens, shown)
        }
        total = sum(weights.values())
        expected = {tags: weight / total for tags, weight in weights.items()}
        assert posterior(SMALL, tokens, shown) == pytest.approx(expected)


def test_posterior_of_words_alone_is_that_of_enumeration():
    for tokens in {tokens for tokens, _, _ in JOINT}:
        weights = defaultdict(float)
        for (words, tags, _), chance in JOINT.items():
            if words == tokens:
                weights[tags] += chance
        total = sum(weights.values())
        expected = {tags: weight / total for tags, weight in weights.items()}
        assert posterior(SMALL, tokens) == pytest.approx(expected)


@pytest.mark.parametrize("looks", [False, True])
def test_no_other_rule_is_right_more_often_than_the_best_guess(looks):
    of_cases = defaultdict(lambda: defaultdict(float))
    for (tokens, tags, shown), chance in JOINT.items():
        of_cases[tokens, shown if looks else None][tags] += chance
    optimum = sum(max(weights.values()) for weights in of_cases.values())
    reached = sum(
        chance
        for (tokens, tags, shown), chance in JOINT.items()
        if best_guess(SMALL, tokens, shown if looks else None) == tags
    )
    assert reached == pytest.approx(optimum)
    assert reached < 1


def test_posterior_worked_by_hand():
    # "see Ford": only the second group holds Ford, so PER : ORG = 0.1 : 0.9; with a picture of a
    # person 0.1 * 0.7 : 0.9 * 0.3 = 0.07 : 0.27.
    person, firm = ("O", "B-PER"), ("O", "B-ORG")
    assert posterior(SMALL, ("see", "Ford")) == pytest.approx({person: 0.1, firm: 0.9})
    assert posterior(SMALL, ("see", "Ford"), "PER") == pytest.approx(
        {person: 0.07 / 0.34, firm: 0.27 / 0.34}
    )
    assert posterior(SMALL, ("see", "Ford"), "ORG") == {firm: 1.0}
    assert best_guess(SMALL, ("see", "you", "now")) == ("O", "O", "O")


def test_equal_taggings_are_decided_by_the_alphabet():
    even = Grammar(
        (Template(("hi", ANY)),),
        {},
        (Group((("Jo",),), {"PER": 1 / 3, "LOC": 1 / 3, "ORG": 1 / 3}, 1.0),),
        {type_: {"none": 1.0} for type_ in ("PER", "LOC", "ORG")},
        {},
    )
    assert best_guess(even, ("hi", "Jo")) == ("O", "B-LOC")


def test_a_sentence_beyond_the_grammar_is_an_error():
    with pytest.raises(ValueError, match="'see Bonn'"):
        posterior(SMALL, ("see", "Bonn"))
    with pytest.raises(ValueError, match="picture.*'ORG'"):
        posterior(SMALL, ("see", "you"), "ORG")


def test_spans_and_f1_worked_by_hand():
    assert spans(["B-PER", "I-PER", "B-PER", "O", "B-LOC"]) == {
        (0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC"),
    }  # fmt: skip
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    guessed = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-ORG"]]
    # Two of three gold spans, two of four guessed: precision 1/2, recall 2/3, F1 4/7.
    assert span_f1(gold, guessed) == pytest.approx(400 / 7)
    assert span_f1([["O"]], [["O"]]) == 0.0


def test_ceilings_worked_by_hand():
    # The words alone say ORG for Ford; the pictures turn neither of the first two, see above.
    sentences = [
        (("see", "Ford"), ("O", "B-ORG"), "ORG"),
        (("see", "Ford"), ("O", "B-PER"), "PER"),
        (("see", "Ann", "Arbor"), ("O", "B-LOC", "I-LOC"), "LOC"),
        (("see", "you"), ("O", "O"), "none"),
    ]
    # Ann Arbor is a person for words alone (0.5), a place with its picture (0.24 against 0.05).
    assert ceilings(SMALL, sentences) == Ceilings(
        text=pytest.approx(100 / 3), picture=pytest.approx(200 / 3)
    )


def test_a_picture_that_says_nothing_does_not_hide_one_that_does():
    kinds = {"a": "clutter", "b": "PER"}
    assert shown_by([], kinds) == "none"
    assert shown_by(["a"], kinds) == "clutter"
    assert shown_by(["a", "b"], kinds) == shown_by(["b", "a"], kinds) == "PER"
