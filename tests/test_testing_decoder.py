"""The contract checks bite: decoders and weightings wrong in one way each are refused by name."""

import pytest
import torch
from torch import nn

import mmseq
from mmseq import Sizes, Weighted
from mmseq.builtins.decoding.decoders import SoftmaxDecoder
from mmseq.builtins.weighting.computed import weighted_sum
from mmseq.testing import ContractError, check_decoder, check_weighting


class MeanDecoder(SoftmaxDecoder):
    def loss(self, emissions, tags, mask):
        return super().loss(emissions, tags, mask) / mask.sum()


class Bits(SoftmaxDecoder):
    def loss(self, emissions, tags, mask):
        return super().loss(emissions, tags, mask) / 0.6931471805599453


class Worst(SoftmaxDecoder):
    def decode(self, emissions, mask):
        return emissions.argmin(dim=-1) * mask


class Scores(SoftmaxDecoder):
    def scores(self, emissions, tags, mask):
        return super().scores(emissions, tags, mask).sqrt()


class PaddingScored(SoftmaxDecoder):
    def scores(self, emissions, tags, mask):
        return emissions.softmax(dim=-1).gather(2, tags[..., None])[..., 0]


class Endless(SoftmaxDecoder):
    def span_scores(self, emissions, tags, mask, spans):
        words = self.scores(emissions, tags, mask)
        return torch.stack([words[row, start:end].prod() for row, start, end in spans.tolist()])


class SecondFirst(SoftmaxDecoder):
    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k)
        return paths[:, [1, 0, *range(2, k)]], logs


class Rising(SoftmaxDecoder):
    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k)
        return paths, logs.masked_fill(logs.argsort().argsort() == 0, 0.0)


class Relative(SoftmaxDecoder):
    """Probabilities among those found, not among all."""

    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k)
        return paths, logs.log_softmax(dim=1)


class Often(SoftmaxDecoder):
    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, 1)
        return paths.repeat(1, k, 1), logs.repeat(1, k)


class Skips(SoftmaxDecoder):
    """The best, and then the third and so on."""

    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k + 1)
        kept = [0, *range(2, k + 1)]
        return paths[:, kept], logs[:, kept]


class OfAll(SoftmaxDecoder):
    """Scores of a word among all paths; of entities and paths among the allowed ones."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.free = SoftmaxDecoder(sizes, constrain=False)

    def scores(self, emissions, tags, mask):
        return self.free.scores(emissions, tags, mask)


class BestOfAll(OfAll):
    scores = SoftmaxDecoder.scores

    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k)
        words = [self.free.scores(emissions, tags, mask).log() for tags in paths.unbind(1)]
        of_all = torch.stack([log.where(mask, 0.0).sum(dim=1) for log in words], dim=1)
        return paths, of_all.where(logs.isfinite(), -torch.inf)


class LastTagEverywhere(SoftmaxDecoder):
    def k_best(self, emissions, mask, k):
        paths, logs = super().k_best(emissions, mask, k)
        return paths.masked_fill(~mask[:, None], 1), logs


DECODERS = {
    SecondFirst: "k_best \\(the first\\).*decode",
    Rising: "k_best \\(log-probabilities\\).*from the first",
    Relative: "k_best \\(log-probabilities\\).*exp\\(-loss\\) of the sequence",
    Often: "k_best \\(tags\\).*different sequences",
    OfAll: "k_best \\(one whole\\): scores of all paths, span_scores of the paths that .*allows",
    BestOfAll: "\\(one whole\\): scores of the paths that .*k_best of all paths. Right: .*same for",
    Skips: "k_best \\(probabilities\\).*most",
    LastTagEverywhere: "k_best \\(tags\\): tags at padding",
    MeanDecoder: "loss \\(a sum\\).*no mean",
    Bits: "exp\\(-loss\\) .*125 .*natural log",
    Worst: "decode \\(the best tags\\): .*probability",
    Scores: "scores \\(probability of O at each of three words\\).*summed over all paths",
    Endless: "span_scores of B-PER O B-PER: .*summed over all paths",
    PaddingScored: "scores: .*padding",
}


@pytest.mark.parametrize(
    ("wrong", "message"), DECODERS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_decoder_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"decoder {wrong.__name__}, .*{message}"):
        check_decoder(wrong)


class AmongAll(BestOfAll):
    """As the first decoders were: bound, and every probability among all paths."""

    scores = OfAll.scores

    def span_scores(self, emissions, tags, mask, spans):
        return self.free.span_scores(emissions, tags, mask, spans)


def test_probabilities_among_all_paths_will_do():
    check_decoder(AmongAll)
    check_decoder("softmax", constrain=False)


class PartialMean(SoftmaxDecoder):
    def partial_loss(self, emissions, allowed, mask):
        return super().partial_loss(emissions, allowed, mask) / len(mask)


class OpenIsO(SoftmaxDecoder):
    """Takes the first tag that a word may have."""

    def partial_loss(self, emissions, allowed, mask):
        return self.loss(emissions, allowed.int().argmax(dim=2), mask)


class ReadsOpenPadding(SoftmaxDecoder):
    def partial_loss(self, emissions, allowed, mask):
        return super().partial_loss(emissions, allowed, mask) + allowed[~mask].sum()


class Flat(SoftmaxDecoder):
    """Right in value; the gradient is that of the loss halved."""

    def partial_loss(self, emissions, allowed, mask):
        loss = super().partial_loss(emissions, allowed, mask)
        return loss / 2 + loss.detach() / 2


class CountsPerBatch(SoftmaxDecoder):
    def count(self, targets):
        return super().count(targets) if targets.known is None else 1


PARTIAL = {
    PartialMean: "partial_loss \\(every tag known\\).*what loss gives",
    OpenIsO: r"partial_loss of \? \? \?: exp\(-partial_loss\) .*complete it, or those of BIO",
    ReadsOpenPadding: "partial_loss \\(every tag known\\).*whatever stands at padding",
    Flat: "partial_loss \\(its gradient\\): its slope .*the slope of the loss",
    CountsPerBatch: "count where tags are open .*sentence by sentence",
}


@pytest.mark.parametrize(
    ("wrong", "message"), PARTIAL.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_partial_loss_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"decoder {wrong.__name__}, .*{message}"):
        check_decoder(wrong)


class OwnLossAlone(SoftmaxDecoder):
    """The inherited partial loss does not belong to it, and is not looked at."""

    def loss(self, emissions, tags, mask):
        return super().loss(emissions / 2, tags, mask)

    def scores(self, emissions, tags, mask):
        return super().scores(emissions / 2, tags, mask)

    def span_scores(self, emissions, tags, mask, spans):
        return super().span_scores(emissions / 2, tags, mask, spans)

    def k_best(self, emissions, mask, k):
        return super().k_best(emissions / 2, mask, k)


def test_a_decoder_with_a_loss_of_its_own_needs_no_partial_loss():
    check_decoder(OwnLossAlone)


class Focal(SoftmaxDecoder):
    """-(1 - p) log p: no likelihood, and said so."""

    likelihood = False

    def loss(self, emissions, tags, mask):
        logs = emissions.float().log_softmax(dim=2).gather(2, tags[..., None])[..., 0]
        return -((1 - logs.exp()) * logs)[mask].sum()


class Undeclared(Focal):
    likelihood = True


class Halved(Focal):
    def scores(self, emissions, tags, mask):
        return super().scores(emissions, tags, mask) / 2


class Doubled(Focal):
    def span_scores(self, emissions, tags, mask, spans):
        return 2 + super().span_scores(emissions, tags, mask, spans)


class Averaged(Focal):
    def loss(self, emissions, tags, mask):
        return super().loss(emissions, tags, mask) / mask.sum()


def test_a_loss_that_is_no_likelihood_passes_where_the_decoder_says_so():
    check_decoder(Focal)


NO_LIKELIHOODS = {
    Undeclared: r"exp\(-loss\) .*125 .*likelihood = False",
    Halved: r"scores \(probability of a tag\): .*differs",
    Doubled: r"span_scores of B-PER O B-PER: .*2\.\d+ .*0 to 1",
    Averaged: r"loss \(a sum\)",
}


@pytest.mark.parametrize(
    ("wrong", "message"), NO_LIKELIHOODS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_what_else_is_wrong_with_such_a_decoder_is_told(wrong, message):
    with pytest.raises(ContractError, match=f"decoder {wrong.__name__}, .*{message}"):
        check_decoder(wrong)


class OfStates(SoftmaxDecoder):
    """Right: a softmax of a layer of its own over the fused states."""

    reads = "fused"

    def __init__(self, sizes: Sizes, *, constrain: bool = True) -> None:
        super().__init__(sizes, constrain=constrain)
        self.own = nn.Linear(sizes.views["fused"], len(sizes.labels))

    def loss(self, states, tags, mask):
        return super().loss(self.own(states), tags, mask)

    def decode(self, states, mask):
        return super().decode(self.own(states), mask)

    def scores(self, states, tags, mask):
        return super().scores(self.own(states), tags, mask)

    def span_scores(self, states, tags, mask, spans):
        return super().span_scores(self.own(states), tags, mask, spans)

    def k_best(self, states, mask, k):
        return super().k_best(self.own(states), mask, k)


class OfWords(OfStates):
    reads = "words"


class StatesAsEmissions(SoftmaxDecoder):
    reads = "fused"


class StatesMean(OfStates):
    def loss(self, states, tags, mask):
        return super().loss(states, tags, mask) / mask.sum()


class StatesDetached(OfStates):
    def loss(self, states, tags, mask):
        return super().loss(states.detach(), tags, mask)


class StatesUnscored(OfStates):
    def scores(self, states, tags, mask):
        return super().scores(states, tags, mask).sqrt()


class StatesOfFirst(OfStates):
    """Tells all words by the first."""

    def loss(self, states, tags, mask):
        return super().loss(states[:, :1].expand_as(states), tags, mask)

    def scores(self, states, tags, mask):
        return super().scores(states[:, :1].expand_as(states), tags, mask)


OF_STATES = {
    OfWords: "reads: its reads is 'words'; write one of 'emissions', 'fused'",
    StatesAsEmissions: r"decode, scores: it raises ValueError.* it got states \(6, 7, 12\)",
    StatesMean: r"loss \(a sum\).*no mean",
    StatesDetached: "gradients of its inputs: none for the states of 24 words",
    StatesUnscored: r"scores \(probability of O .*summed over all paths",
    StatesOfFirst: "gradients of its inputs: none for the states of 18 words|decode",
}


def test_a_decoder_may_read_the_fused_states():
    check_decoder(OfStates)


@pytest.mark.parametrize(
    ("wrong", "message"), OF_STATES.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_what_is_wrong_with_a_decoder_over_states_is_told(wrong, message):
    with pytest.raises(ContractError, match=f"decoder {wrong.__name__}, .*{message}"):
        check_decoder(wrong)


class Weigher(mmseq.Weighting):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.weights = dict(sizes.losses)

    def forward(self, losses, shared, progress):
        return weighted_sum(losses, self.weights)


class NeedsAll(Weigher):
    def forward(self, losses, shared, progress):
        return weighted_sum({name: losses[name] for name in self.weights}, self.weights)


class Normalised(Weigher):
    """By the loss itself: the gradient is not that of the weight it tells."""

    def forward(self, losses, shared, progress):
        right = super().forward(losses, shared, progress)
        return Weighted(torch.stack([x.log() for x in losses.values()]).sum(), right.weights)


class Backwards(Weigher):
    """The model would learn to make each loss larger."""

    def forward(self, losses, shared, progress):
        return weighted_sum(losses, {name: -weight for name, weight in self.weights.items()})


class Untold(Weigher):
    """The same, with the weights of a right one."""

    def forward(self, losses, shared, progress):
        right = super().forward(losses, shared, progress)
        return Weighted(-right.total, right.weights)


class Drops(Weigher):
    def forward(self, losses, shared, progress):
        weights = {name: 1.0 if name == "main" else 0.0 for name in losses}
        return weighted_sum(losses, weights)


class Forgets(Weigher):
    def end_epoch(self, means):
        self.weights |= {name: 1 / mean for name, mean in means.items()}


WEIGHTINGS = {
    NeedsAll: "absent losses",
    Normalised: "weights of .*total",
    Backwards: r"weights: 'main' .*-1\. .*at least 0",
    Untold: r"weights of .*'main' has 1, .* -1 ",
    Drops: "gradients: none for first, second",
    Forgets: "state \\(saved and loaded again\\).*buffers",
}


def test_a_right_weighting_passes():
    check_weighting(Weigher)


@pytest.mark.parametrize(
    ("wrong", "message"), WEIGHTINGS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_weighting_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"weighting {wrong.__name__}, .*{message}"):
        check_weighting(wrong)
