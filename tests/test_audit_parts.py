"""The parts of an audit, each on cases worked by hand."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseq.audit.ambiguous import ambiguous_entities, ambiguous_names
from mmseq.audit.changes import Changes, Tally, find_changes
from mmseq.audit.comparison import Comparison, compare_conditions, compare_parts
from mmseq.audit.conditions import Tagged
from mmseq.audit.derangement import clashes, derangement
from mmseq.audit.rendering import change_lines
from mmseq.audit.report import AuditReport
from mmseq.audit.scores import condition_scores
from mmseq.audit.standins import PictureFile, StandIns, blank, look_at, noise
from mmseq.audit.verdict import Verdict, verdict
from mmseq.builtins.images.timm import TimmEncoder
from mmseq.contracts.example import Example
from mmseq.contracts.states import Sizes
from mmseq.pictures.opening import PictureProblem

CPU = torch.device("cpu")


def dealt(contents, seed):
    order = derangement(contents, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(contents)))
    return order


@pytest.mark.parametrize("seed", range(20))
def test_no_sentence_gets_a_content_of_its_own_where_that_can_be(seed):
    alike = [frozenset("a")] * 3 + [frozenset("b")] * 3
    assert clashes(alike, dealt(alike, seed)) == 0
    distinct = [frozenset(letter) for letter in "abcdefg"]
    assert clashes(distinct, dealt(distinct, seed)) == 0
    # Each of several pictures counts: the first two share b.
    several = [frozenset("ab"), frozenset("bc"), *map(frozenset, ("d", "e", "f", "g"))]
    order = dealt(several, seed)
    assert order[0] not in (0, 1)
    assert order[1] not in (0, 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_content_of_the_majority_stays_with_as_few_as_can_be(seed):
    # Four have a; only the two places of the b's can take an a away: 4 - 2 keep one.
    contents = [frozenset("a")] * 4 + [frozenset("b")] * 2
    assert clashes(contents, dealt(contents, seed)) == 2


def test_derangements_are_drawn_at_random():
    # Of three contents there are two derangements.
    contents = [frozenset(letter) for letter in "abc"]
    drawn = Counter(tuple(dealt(contents, seed)) for seed in range(40))
    assert set(drawn) == {(1, 2, 0), (2, 0, 1)}


@pytest.mark.parametrize("contents", [["a"], ["a", "a", "a"]])
def test_where_all_are_alike_all_clash(contents):
    sets = [frozenset(content) for content in contents]
    assert clashes(sets, dealt(sets, 0)) == len(sets)


def test_what_is_seen_of_a_picture_file(tmp_path):
    path, same, lying = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.jpg"
    for file in (path, same):
        Image.new("RGB", (40, 32)).save(file)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turned by a quarter
    Image.new("RGB", (40, 32)).save(lying, exif=turned)
    found = look_at([path, same, path, lying])
    assert list(found) == [path, same, lying]
    assert found[path] == found[same]
    assert found[path].size == (40, 32)
    assert found[lying].size == (32, 40)
    with pytest.raises(PictureProblem):
        look_at([tmp_path / "absent.png"])


def file_of(content, size=(40, 32)):
    return PictureFile(content * 64, size)


def test_stand_ins_have_the_proportions_of_the_picture():
    for size, drawn in {(40, 32): (40, 32), (2560, 640): (256, 64), (1, 9000): (1, 256)}.items():
        assert blank(file_of("a", size)).size == drawn
        assert noise(file_of("a", size), 0).size == drawn


def test_blank_is_mid_grey_and_noise_is_uniform():
    assert blank(file_of("a")).getcolors() == [(40 * 32, (128, 128, 128))]
    values = np.asarray(noise(file_of("a", (256, 256)), 0)).astype(float)
    # Uniform on 0 … 255: mean 127.5, standard deviation sqrt((256^2 - 1) / 12) = 73.9; of 65,536
    # pixels the mean is within 4 * 73.9 / 256 = 1.2 of it.
    assert values.mean(axis=(0, 1)) == pytest.approx([127.5] * 3, abs=1.2)
    assert values.std(axis=(0, 1)) == pytest.approx([73.9] * 3, abs=1)
    red, green = values[..., 0].ravel(), values[..., 1].ravel()
    assert abs(np.corrcoef(red, green)[0, 1]) < 0.02


def test_noise_is_that_of_content_and_seed():
    one = np.asarray(noise(file_of("a"), 0))
    assert np.array_equal(one, np.asarray(noise(file_of("a"), 0)))
    for other in (noise(file_of("b"), 0), noise(file_of("a"), 1)):
        assert not np.array_equal(one, np.asarray(other))


@pytest.mark.parametrize("train", ["frozen", "last-stage", "all"])
def test_a_stand_in_goes_the_way_of_any_picture(train):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = TimmEncoder(Sizes(8, 0, ("O",)), model="test_vit", weights="random", train=train)
    encoder.eval()
    pictures = {Path(name): noise(file_of(name), 0) for name in "abc"}
    source = StandIns(encoder, pictures.__getitem__, CPU)
    wanted = [Path("b"), Path("a"), Path("b")]
    found = source.rows(wanted)
    pixels = torch.stack([encoder.transform(pictures[path]) for path in wanted])
    for name, expected in encoder.precompute(pixels).items():
        # What is kept for a picture is kept in half precision.
        rounded = expected if train == "all" else expected.half().float()
        torch.testing.assert_close(found[name], rounded, atol=1e-3, rtol=1e-3)
        assert torch.equal(found[name], found[name].half().float()) == (train != "all")
        assert torch.equal(found[name][0], found[name][2])


def example(words, tags, line=1):
    return Example(tuple(words.split()), tuple(tags.split()), file=Path("x.txt"), line=line)


TRAINING = [
    example("Jordan met NEW York", "B-PER O B-LOC I-LOC"),
    example("jordan is hot", "B-LOC O O"),
    example("new york Times", "B-LOC I-LOC O"),
    example("New York Times", "B-ORG I-ORG I-ORG"),
    example("Anna slept", "B-PER O"),
]


def test_a_name_is_ambiguous_by_its_words_in_any_case():
    # jordan: PER and LOC. New York: twice LOC; New York Times: once ORG.
    assert ambiguous_names(TRAINING) == {("jordan",)}


def test_ambiguous_entities_are_those_of_the_training_data():
    audited = [
        example("JORDAN saw Anna", "B-PER O B-PER"),
        example("Jordan !", "O O"),  # no entity here
        example("in Michael Jordan and Jordan", "O B-PER I-PER O B-LOC"),
    ]
    found = ambiguous_entities(audited, TRAINING)
    assert found.source == "training data"
    assert found.places == [{(0, 1, "PER")}, set(), {(4, 5, "LOC")}]
    # One of two found: the second has the wrong type; what is predicted elsewhere does not count.
    tags = [["B-PER", "O", "O"], ["B-PER", "O"], ["O", "B-PER", "I-PER", "O", "B-PER"]]
    assert found.counts(tags).f1 == 50
    assert found.counts(tags).correct.tolist() == [1, 0, 0]


def test_without_any_of_those_the_audited_data_are_asked():
    audited = [example("Rio rocks", "B-LOC O"), example("rio rocks", "B-PER O")]
    found = ambiguous_entities(audited, TRAINING)
    assert (found.source, found.entities) == ("audited data", 2)
    found = ambiguous_entities(audited[:1], TRAINING)
    assert (found.source, found.entities) == ("audited data", 0)
    assert found.counts([["O", "O"]]).f1 == 0


def test_scores_of_several_permutations_are_means():
    audited = [example("Jordan saw Rio", "B-PER O B-LOC"), example("Anna", "B-PER")]
    gold = [e.tags for e in audited]
    right = gold
    # Jordan LOC, Rio missed, Anna right: P 1/2, R 1/3, F1 2*1/(2+3) = 40; PER: 2*1/(1+2) = 66.67,
    # LOC: predicted 1, gold 1, right 0.
    wrong = [("B-LOC", "O", "O"), ("B-PER",)]
    scores = condition_scores(gold, [right, wrong], ambiguous_entities(audited, TRAINING))
    assert (scores.precision, scores.f1) == (75, 70)
    assert scores.recall == pytest.approx((100 + 100 / 3) / 2)
    assert scores.per_type == pytest.approx({"LOC": 50, "PER": (100 + 200 / 3) / 2})
    assert scores.permutations == pytest.approx((100, 40))
    assert scores.ambiguous_recall == 50  # Jordan: found once in two permutations
    alone = condition_scores(gold, [wrong], None)
    assert alone.permutations == ()
    assert alone.ambiguous_recall is None
    assert "ambiguous_recall" not in alone.to_json()
    assert "f1_of_permutations" not in alone.to_json()


def test_conditions_are_compared_with_the_true_pictures():
    gold = [("B-PER",)] * 10
    half = gold[:5] + [("B-LOC",)] * 5
    tags = {"true": [gold], "shuffled": [[("O",)] * 10, half], "none": [gold]}
    found = compare_conditions(gold, tags, resamples=999, seed=0)
    # F1 of shuffled: 0 and 50, 100 less that is 75 on the mean. As far from 0 is only what swaps
    # every sentence or none (swapping one of the first five changes the first of the two): 2 of
    # 1024 draws.
    assert found["shuffled"].effect == 75
    assert found["shuffled"].low > 0
    assert found["shuffled"].p_adjusted < 0.05
    assert (found["none"].effect, found["none"].p_adjusted) == (0, 1)


def test_types_and_ambiguous_names_are_compared_apart():
    # Of PER the true pictures find all and shuffled ones none; of LOC both find all; ORG is not
    # in the gold tags. Ambiguous is the first sentence alone.
    audited = [example("Jordan", "B-PER")] + [example("Anna Rio", "B-PER B-LOC")] * 9
    gold = [e.tags for e in audited]
    other = [("B-ORG",)] + [("O", "B-LOC")] * 9
    ambiguous = ambiguous_entities(audited, TRAINING)
    tags = {"true": [gold], "shuffled": [other, other]}
    found = compare_parts(gold, tags, ambiguous, resamples=999, seed=0)
    assert {name: c.effect for name, c in found.items()} == {
        "LOC": 0,
        "PER": 100,
        "ambiguous names": 100,
    }
    assert [found[name].shown(0.05) for name in ("LOC", "PER")] == [0, 1]
    # One sentence shows nothing, whatever becomes of it.
    assert found["ambiguous names"].shown(0.05) == 0
    assert compare_parts(gold, {"true": [gold]}, ambiguous, resamples=9, seed=0) == {}


def compared(effect, p):
    return Comparison(effect, effect - 1, effect + 1, p, p, p)


F1 = {"true": 80.0, "shuffled": 70.0, "none": 75.0, "text-only": 77.0}


@pytest.mark.parametrize(
    ("shuffled", "none", "kind", "begin"),
    [
        (compared(10, 0.01), compared(5, 0.01), "matter", "The pictures matter: with its own"),
        (compared(-9, 0.01), compared(-5, 0.01), "mislead", "The pictures mislead: with its own"),
        (compared(10, 0.01), compared(5, 0.05), "swayed", "Wrong pictures mislead the model, its"),
        (compared(10, 0.01), compared(-5, 0.01), "swayed", "Wrong pictures mislead the model, its"),
        (compared(10, 0.05), compared(5, 0.04), "presence", "That there is a picture helps, but"),
        (compared(-9, 0.01), compared(5, 0.04), "presence", "That there is a picture helps, but"),
        (compared(10, 0.9), compared(-5, 0.04), "presence", "That there is a picture harms, wh"),
        (compared(10, 0.05), compared(5, 0.05), "none", "No help from the pictures is shown: "),
        (compared(-9, 0.01), compared(5, 0.05), "none", "No help from the pictures is shown: "),
        (None, compared(5, 0.01), "unknown", "Whether the pictures matter cannot be decided"),
    ],
)
def test_the_verdict_follows_from_the_tests(shuffled, none, kind, begin):
    # Blank and noise pictures decide nothing, however far they are.
    found = {"blank": compared(50, 0.001), "noise": compared(50, 0.001), "none": none}
    if shuffled:
        found["shuffled"] = shuffled
    given = verdict(F1, found, alpha=0.05)
    assert given.kind == kind
    assert given.sentence.startswith(begin)
    assert given.sentence.endswith(".")
    assert given.sentence.count(". ") == 0


def test_the_verdict_gives_its_figures():
    found = {"shuffled": Comparison(10.0, 8.123, 12.456, 0.001, 0.001, 0.004)}
    found["none"] = compared(5, 0.01)
    assert verdict(F1, found, alpha=0.05).sentence == (
        "The pictures matter: with its own pictures the model scores 80.00 F1, with other "
        "sentences' 70.00 (+10.00 points, 95 % interval +8.12 to +12.46, adjusted p 0.0040), with "
        "none 75.00 (+5.00 points, 95 % interval +4.00 to +6.00, adjusted p 0.0100)."
    )


@pytest.mark.parametrize(
    ("effect", "p", "clause"),
    [
        (3, 0.01, "; the text-only run scores 77.00, which is less (+3.00 points"),
        (-3, 0.01, "; the text-only run scores 77.00, which is more (-3.00 points"),
        (3, 0.2, "; the text-only run scores 77.00, from which no difference is shown (+3.00"),
    ],
)
def test_a_text_only_run_adds_a_clause(effect, p, clause):
    found = {
        "shuffled": compared(10, 0.01),
        "none": compared(5, 0.01),
        "text-only": compared(effect, p),
    }
    given = verdict(F1, found, alpha=0.05)
    assert given.kind == "matter"
    assert clause in given.sentence


GOLD = [("B-PER", "O"), ("B-PER", "O"), ("B-PER", "O"), ("B-PER", "O"), ("O", "O")]
PER, LOC, NOTHING = ("B-PER", "O"), ("B-LOC", "O"), ("O", "O")
EXAMPLES = [Example(("Jordan", "ran"), tags, line=n) for n, tags in enumerate(GOLD)]


def changes(show=10):
    """Errors (wrong + missed) with true, shuffled, none: 0 2 1; 0 0 1; 2 0 0; 1 2 1; 0 0 0."""
    tags = {
        "true": [[PER, PER, LOC, NOTHING, NOTHING]],
        "shuffled": [[LOC, PER, PER, LOC, NOTHING], [PER] * 5],
        "none": [[NOTHING, NOTHING, PER, NOTHING, NOTHING]],
    }
    pictures = [(Path(f"{n}.png"),) for n in range(5)]
    return find_changes(EXAMPLES, Tagged(tags, pictures, pictures[::-1], 0), show=show)


def test_sentences_that_change_are_counted_against_the_first_permutation_and_none():
    found = changes()
    # Shuffled: sentences 0, 2 and 3 change; 0 and 3 are helped by the true picture, 2 is hurt.
    assert found.tallies == {"shuffled": Tally(3, 2, 1), "none": Tally(3, 2, 1)}


def test_sentences_to_read_are_those_helped_most_then_those_hurt_most():
    # Gains: 2 + 1, 0 + 1, -2 - 2, 1 + 0, 0.
    found = changes()
    assert [(c.example.line, c.gain) for c in found.sentences] == [(0, 3), (1, 1), (3, 1), (2, -4)]
    first = found.sentences[0]
    assert first.tags == {"true": PER, "shuffled": LOC, "none": NOTHING}
    assert (first.own, first.shuffled) == ((Path("0.png"),), (Path("4.png"),))


@pytest.mark.parametrize(
    ("show", "lines"),
    [(0, []), (1, [0]), (2, [0, 2]), (3, [0, 1, 2]), (4, [0, 1, 3, 2])],
)
def test_half_of_what_is_shown_is_hurt_where_there_are_as_many(show, lines):
    assert [c.example.line for c in changes(show).sentences] == lines


def test_a_sentence_is_shown_with_the_entities_that_differ():
    words = ["Anna", "saw", "Jordan"]
    one = Example(tuple(words), ("B-PER", "O", "B-LOC"), file=Path("a.txt"), line=7)
    tags = {
        "true": [[("B-PER", "O", "B-LOC")]],
        "shuffled": [[("B-PER", "O", "B-PER")]],
        "none": [[("B-PER", "O", "O")]],
    }
    (found,) = find_changes([one], Tagged(tags, [(Path("a.png"),)], [()], 0), show=1).sentences
    assert change_lines(found) == [
        "",
        "helps: a.txt:7 a.png",
        "  Anna saw Jordan",
        "    gold      LOC Jordan",
        "    true      LOC Jordan",
        "    shuffled  PER Jordan",
        "    none      -",
    ]


def test_the_page_is_the_json_with_a_line_for_a_list_of_words():
    scores = condition_scores([("O",)], [[("O",)]], None)
    tally = Tally(1, 1, 0)
    words = tuple(f"w{a}{b}" for a, b in product(range(9), repeat=2))
    long = Example(words, ("O",) * len(words), id="x", file=Path("a.txt"), line=1)
    found = Changes({"none": tally}, find_changes([long], TAGS, show=1).sentences)
    report = AuditReport(
        verdict=Verdict("none", "Nothing “shown”."),
        run="run",
        data={"path": "a", "types": {"PER": 1}},
        conditions={"true": scores},
        comparisons={"none": compared(1, 0.5)},
        parts={},
        ambiguous=None,
        named=None,
        changes=found,
        notes=["left out"],
        settings={"seed": 0},
    )
    page = report.page()
    assert json.loads(page) == report.to_json()
    assert '"types": {"PER": 1}' in page
    assert f'"tokens": {json.dumps(list(words))}' in page
    assert "“shown”" in page


TAGS = Tagged(
    {"true": [[("O",) * 81]], "none": [[("B-PER", *("O",) * 80)]]},
    [(Path("a.png"),)],
    [],
    0,
)
"""A sentence of 81 words that its picture helps; nothing shuffled."""
