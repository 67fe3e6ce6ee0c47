"""Weights of types and tags in the losses of both decoders."""

import math
from itertools import product

import pytest
import torch
from torch.nn.functional import cross_entropy

import mmseq
from mmseq.builtins.decoding.class_weights import tag_weights
from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder
from mmseq.contracts.states import Sizes, Targets
from mmseq.registry.plugins import registry
from mmseq.runs.identity import settings
from mmseq.testing import check_decoder

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SIZES = Sizes(labels=LABELS)
MASK = torch.arange(4) < torch.tensor([[4], [2], [0]])
TAGS = torch.tensor([[3, 4, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
BOTH = pytest.mark.parametrize("backend", ["fast", "pytorch-crf"])


def emissions(seed=0):
    return torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed))


def crf(weights, backend="fast"):
    decoder = CrfDecoder(SIZES, class_weights=weights, backend=backend)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return decoder


def test_a_type_stands_for_its_tags_and_a_tag_goes_before_its_type():
    found = tag_weights({"PER": 2.0, "B-PER": 3.0, "O": 0.5}, LABELS)
    assert found.tolist() == [0.5, 1, 1, 3, 2]
    assert tag_weights(None, LABELS) is None
    assert tag_weights({"PER": 1.0, "O": 1}, LABELS) is None
    # A type that has a hyphen, and labels that are no tags of BIO.
    assert tag_weights({"B-C": 2.0}, ("O", "B-B-C", "I-B-C")).tolist() == [1, 2, 2]
    assert tag_weights({"E": 2.0}, ("B", "E")).tolist() == [1, 2]


def test_a_wrong_name_is_told_with_those_there_are():
    with pytest.raises(mmseq.UserError, match="in class_weights 'PRE'. Did you mean 'PER'.*B-LOC"):
        SoftmaxDecoder(SIZES, class_weights={"PRE": 2.0})


def test_the_softmax_loss_is_the_weighted_cross_entropy_and_its_count_stays():
    decoder, scores = SoftmaxDecoder(SIZES, class_weights={"PER": 2.0, "I-PER": 4.0}), emissions()
    words = -scores.log_softmax(dim=2).gather(2, TAGS[..., None])[..., 0]
    weights = torch.tensor([[2.0, 4, 1, 1], [1, 1, 0, 0], [0] * 4])
    torch.testing.assert_close(decoder.loss(scores, TAGS, MASK), (words * weights).sum())
    assert decoder.count(Targets(mask=MASK, has_image=MASK[:, 0])) == 6


@BOTH
def test_the_crf_loss_adds_the_right_tags_weight_to_every_path_that_misses_it(backend):
    """-log of e^s(y) over the sum of e^s(y') times the weights of the words that y' misses."""
    weights = {"PER": 3.0, "O": 0.5}
    decoder, scores = crf(weights, backend), emissions()
    own = tag_weights(weights, LABELS)
    start, steps, end = decoder.chain.parts()
    expected = 0.0
    for row, words in ((0, 4), (1, 2)):
        totals, right = [], TAGS[row, :words].tolist()
        for path in product(range(5), repeat=words):
            score = start[path[0]] + end[path[-1]]
            score = score + sum(scores[row, word, tag] for word, tag in enumerate(path))
            score = score + sum(steps[a, b] for a, b in zip(path, path[1:], strict=False))
            missed = [math.log(own[t]) for p, t in zip(path, right, strict=True) if p != t]
            totals.append(score + sum(missed))
            if list(path) == right:
                expected = expected - score
        expected = expected + torch.stack(totals).logsumexp(dim=0)
    torch.testing.assert_close(decoder.loss(scores, TAGS, MASK), expected)


@pytest.mark.parametrize("backend", ["fast", "pytorch-crf"])
def test_a_weight_of_one_is_the_loss_without_to_the_bit(backend):
    plain, one, other = (crf(w, backend) for w in (None, {"PER": 1.0}, {"LOC": 2.0}))
    # Sentences without a location, and weights of 1 at all of their words.
    tags = TAGS.masked_fill(TAGS == 1, 0)
    for decoder in (one, other):
        found, right = emissions().requires_grad_(), emissions().requires_grad_()
        loss = decoder.loss(found, tags, MASK)
        assert loss.equal(plain.loss(right, tags, MASK))
        loss.backward()
        plain.loss(right, tags, MASK).backward()
        assert found.grad.equal(right.grad)
    soft = [SoftmaxDecoder(SIZES, class_weights=w) for w in ({"O": 1.0}, {"LOC": 2.0})]
    right = cross_entropy(emissions()[MASK], tags[MASK], reduction="sum")
    assert soft[0].loss(emissions(), tags, MASK).equal(right)
    torch.testing.assert_close(soft[1].loss(emissions(), tags, MASK), right)


@BOTH
def test_the_weighted_losss_gradient_is_its_slope(backend):
    decoder = crf({"PER": 3.0, "B-LOC": 0.25}, backend).double()
    given = (emissions().double().requires_grad_(), *decoder.parameters())
    assert torch.autograd.gradcheck(lambda *some: decoder.loss(some[0], TAGS, MASK), given)


def test_weights_change_no_probability_and_are_not_saved():
    plain, weighted = crf(None), crf({"PER": 3.0})
    given = emissions(), TAGS, MASK
    assert plain.scores(*given).equal(weighted.scores(*given))
    assert plain.decode(given[0], MASK).equal(weighted.decode(given[0], MASK))
    assert plain.state_dict().keys() == weighted.state_dict().keys()
    assert (plain.likelihood, weighted.likelihood) == (True, False)
    assert SoftmaxDecoder(SIZES, class_weights={"PER": 1.0}).likelihood
    assert not SoftmaxDecoder(SIZES, class_weights={"PER": 2.0}).likelihood


@pytest.mark.parametrize("name", ["crf", "softmax"])
def test_the_contract_holds_with_weights(name):
    check_decoder(name, class_weights={"PER": 3.0, "B-LOC": 0.5})


def test_a_subclass_whose_loss_is_none_stays_that():
    class Other(SoftmaxDecoder):
        likelihood = False

    assert not Other(SIZES, class_weights={"PER": 1.0}).likelihood


def test_they_are_set_in_files_and_by_key(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('[decoder]\nclass_weights = {PER = 2, "B-LOC" = 3.5}\n')
    config = mmseq.Config.from_file(file, {"decoder.class_weights.PER": 4})
    assert config.component("decoder").options["class_weights"] == {"PER": 4.0, "B-LOC": 3.5}
    alone = mmseq.Config.from_layers(settings={"decoder.class_weights.B-A.C": 2.0})
    assert alone.tables()["decoder"]["class_weights"] == {"B-A.C": 2.0}
    alone.save(tmp_path / "saved.toml")
    assert mmseq.Config.from_file(tmp_path / "saved.toml").tables() == alone.tables()
    assert "class_weights" not in mmseq.Config.from_layers().tables()["decoder"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"PER": 0}, r"^decoder 'crf'.*: class_weights\.PER = 0; it must be above 0\.$"),
        ({"PER": -1.5}, r"class_weights\.PER = -1\.5; it must be above 0"),
        ({"PER": "high"}, r"'class_weights': .* is not dict\[str, float above 0\] or None"),
        (2.0, r"'class_weights': 2\.0 is not dict"),
    ],
)
def test_a_wrong_weight_is_one_line(value, message):
    with pytest.raises(mmseq.UserError, match=message):
        mmseq.Config.from_layers(settings={"decoder.class_weights": value})


def test_a_key_below_an_option_that_is_no_table():
    with pytest.raises(mmseq.UserError, match="^decoder.backend.x: 'fast' holds no keys"):
        mmseq.Config.from_layers(settings={"decoder.backend": "fast", "decoder.backend.x": 1})
    with pytest.raises(mmseq.UserError, match="'class_wieghts'. Did you mean 'class_weights'"):
        mmseq.Config.from_layers(settings={"decoder.class_wieghts.PER": 2})


def test_they_make_another_experiment_and_are_shown():
    tables = mmseq.Config.from_layers(settings={"decoder.class_weights.PER": 2}).tables()
    assert settings(tables, seed=True)["decoder.class_weights.PER"] == 2.0
    plain = mmseq.Config.from_layers().tables()
    assert not [key for key in settings(plain, seed=True) if "class_weights" in key]
    options = registry().get("decoder", "softmax").options()
    assert options["class_weights"].type_name == "dict[str, float above 0] or None"


@BOTH
def test_an_open_word_has_no_margin_and_a_known_one_its_own(backend):
    """B-PER ? in the first sentence, ? O in the second: log 2 for the first word's other tags."""
    weighted, plain = crf({"PER": 2.0}, backend), crf(None, backend)
    scores = emissions()
    known = torch.tensor([[True, False, False, False], [False, True, False, False], [False] * 4])
    mask = torch.arange(4) < torch.tensor([[2], [2], [0]])
    allowed = (TAGS[..., None] == torch.arange(5)) | ~known[..., None]
    margin = torch.zeros(3, 4, 5)
    margin[0, 0] = torch.tensor([math.log(2)] * 3 + [0.0, math.log(2)])
    torch.testing.assert_close(
        weighted.partial_loss(scores, allowed, mask),
        plain.partial_loss(scores + margin, allowed, mask),
    )


def test_the_softmax_weighs_known_words_alone():
    decoder, scores = SoftmaxDecoder(SIZES, class_weights={"PER": 2.0}), emissions()
    known = torch.tensor([[True, False, True, False], [False] * 4, [False] * 4])
    allowed = (TAGS[..., None] == torch.arange(5)) | ~known[..., None]
    logs = scores.log_softmax(dim=2)
    torch.testing.assert_close(
        decoder.partial_loss(scores, allowed, MASK), -2 * logs[0, 0, 3] - logs[0, 2, 0]
    )
