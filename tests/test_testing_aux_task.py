"""The contract checks bite: auxiliary tasks that are wrong in one way each are refused by name."""

import pytest
import torch
from torch import nn

import mmseq
from mmseq import AuxOutput, Sizes
from mmseq.testing import ContractError, check_aux_task


class Tags(mmseq.AuxTask):
    """Right: the tags once more, by a head of its own; entity words alone."""

    reduction = "sum"

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.head = nn.Linear(sizes.views["fused"], len(sizes.labels))

    def count(self, targets):
        return int(self.items(targets).sum())

    def items(self, targets):
        return targets.mask & (targets.tags > 0)

    def forward(self, views, targets, emissions):
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()))
        return AuxOutput(self.loss(self.head(views["fused"]), targets))

    def loss(self, scores, targets):
        items = self.items(targets)
        return nn.functional.cross_entropy(
            scores[items], targets.tags[items], reduction=self.reduction
        )


class OfPictures(mmseq.AuxTask):
    """Right: whether a sentence has an entity, told from its pooled picture."""

    views = ("picture",)

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.head = nn.Linear(sizes.views["picture"], 1)

    def count(self, targets):
        return int((targets.picture >= 0).sum())

    def forward(self, views, targets, emissions):
        if targets.tags is None:
            return AuxOutput(emissions.new_zeros(()))
        having = (targets.tags > 0).any(dim=1).float()
        scores = self.head(views["picture"])[:, 0]
        losses = nn.functional.binary_cross_entropy_with_logits(scores, having, reduction="none")
        return AuxOutput(self.kept(losses, targets).sum())

    def kept(self, losses, targets):
        return losses[targets.picture >= 0]


class OfAllSentences(OfPictures):
    """Counts those with a picture, and adds up the others too."""

    def kept(self, losses, targets):
        return losses


def test_a_task_may_read_the_pooled_picture():
    check_aux_task(OfPictures)
    with pytest.raises(ContractError, match="loss of sentences .*0, since its count is 0"):
        check_aux_task(OfAllSentences)


class Heeding(Tags):
    """Right where words are open, too."""

    partial = True

    def items(self, targets):
        return targets.tagged & (targets.tags > 0)


class Heedless(Tags):
    partial = True


class HeedsInTheCountAlone(Heeding):
    def loss(self, scores, targets):
        words = targets.mask & (targets.tags > 0)
        return nn.functional.cross_entropy(scores[words], targets.tags[words], reduction="sum")


def test_a_task_that_says_partial_reads_no_tag_at_open_words():
    check_aux_task(Heeding)
    with pytest.raises(ContractError, match="known .*counts .*targets.tagged alone"):
        check_aux_task(Heedless)
    with pytest.raises(ContractError, match="loss with other tags at open words differs"):
        check_aux_task(HeedsInTheCountAlone)


class MeanLoss(Tags):
    def loss(self, scores, targets):
        return super().loss(scores, targets) / max(1, self.count(targets))


class NanWithoutItems(Tags):
    reduction = "mean"


class CountsSentences(Tags):
    def count(self, targets):
        return int(bool(super().count(targets)))


class CountIsATensor(Tags):
    def count(self, targets):
        return self.items(targets).sum()


class ReadsPadding(Tags):
    """A mean over all words, padding among them: it is no sum over sentences either."""

    def loss(self, scores, targets):
        return scores.mean(dim=1)[self.items(targets).any(dim=1)].square().sum()


class Undeclared(Tags):
    """Words are told apart within the batch, which makes the loss no sum over sentences."""

    def loss(self, scores, targets):
        words = nn.functional.normalize(scores[self.items(targets)])
        own = torch.arange(len(words), device=words.device)
        return nn.functional.cross_entropy(words @ words.T, own, reduction="sum")


class Declared(Undeclared):
    additive = False


class DeclaredMean(Declared):
    def loss(self, scores, targets):
        return super().loss(scores, targets) / max(1, self.count(targets))


class DetachedViews(Tags):
    def forward(self, views, targets, emissions):
        return super().forward({"fused": views["fused"].detach()}, targets, emissions)


class RefinesUnannounced(Tags):
    def forward(self, views, targets, emissions):
        output = super().forward(views, targets, emissions)
        return AuxOutput(output.loss, emissions + self.head(views["fused"]))


class RefinesByTags(RefinesUnannounced):
    refines = True

    def forward(self, views, targets, emissions):
        output = super().forward(views, targets, emissions)
        return output if targets.tags is None else AuxOutput(output.loss, emissions)


class Counts(Tags):
    """What it observed is lost with the process."""

    preparation = 1

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.seen = 0

    def observe(self, views, targets):
        self.seen += int(targets.mask.sum())

    def loss(self, scores, targets):
        return super().loss(scores, targets) * self.seen


TASKS = {
    MeanLoss: "loss \\(a sum\\).*mean",
    NanWithoutItems: "loss \\(a scalar\\) of sentences \\[1\\].*nan",
    ReadsPadding: "mask \\(padding words changed\\): loss differs.*targets.mask",
    CountsSentences: "count: 1, sentence by sentence 5",
    CountIsATensor: "count.*it is tensor\\(.*an int",
    Undeclared: "loss \\(a sum\\).*additive = False",
    DeclaredMean: "loss \\(a sum\\).*twice",
    DetachedViews: "gradients of its inputs: .*view",
    RefinesUnannounced: "refines: .*unannounced",
    RefinesByTags: "prediction.*emissions differs.*tags",
    Counts: "state \\(saved and loaded again\\).*loss differs",
}


@pytest.mark.parametrize("right", [Tags, Declared])
def test_a_right_task_passes(right):
    check_aux_task(right, unused=["head.bias"] if right is Declared else [])


@pytest.mark.parametrize(
    ("wrong", "message"), TASKS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_task_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"aux task {wrong.__name__}, .*{message}"):
        check_aux_task(wrong)


def test_views_that_are_a_string_and_an_option_called_weight_are_refused():
    class Letters(Tags):
        views = "fused"

    class Weighted(Tags):
        def __init__(self, sizes: mmseq.Sizes, *, weight: float = 3.0) -> None:
            super().__init__(sizes)

    with pytest.raises(ContractError, match=r"'fused'.*\('fused',\)"):
        check_aux_task(Letters)
    with pytest.raises(ContractError, match="'weight'.*engine"):
        check_aux_task(Weighted)


def test_a_task_whose_view_nobody_has_is_told_what_there_is():
    class Lonely(Tags):
        views = ("nowhere",)

    with pytest.raises(ContractError, match="'nowhere'.*fused.*words"):
        check_aux_task(Lonely)
