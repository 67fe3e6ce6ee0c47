"""The contract checks bite: auxiliary tasks that are wrong in one way each are refused by name."""

import pytest
import torch
from torch import nn

import mmseq
from mmseq import AuxOutput, Sizes
from mmseq.model.field_values import read_field
from mmseq.testing import ContractError, check_aux_task, tiny_sentences
from mmseq.testing.drawn import with_fields


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


class Mood(Tags):
    """Right: a class of the sentence and the length of its caption, which only training has."""

    extras = {
        "mood": mmseq.PerSentence(1, 0, 2, training_only=True),
        "caption": mmseq.Text(training_only=True),
    }

    def count(self, targets):
        return len(targets.texts["caption"])

    def loss(self, scores, targets):
        mean = (scores * targets.mask[..., None]).sum(dim=1) / targets.mask.sum(dim=1)[:, None]
        moods = targets.extras["mood"][:, 0].long()
        lengths = self.moved(torch.tensor(self.lengths(targets.texts["caption"])), mean)
        told = nn.functional.cross_entropy(mean[:, :3], moods, reduction="sum")
        return told + (mean[:, 3:].sum(dim=1) - lengths).square().sum()

    def lengths(self, captions):
        return [len(caption) / 20 for caption in captions]

    def moved(self, lengths, mean):
        return lengths.to(mean)


class MoodByDevice(Mood):
    def moved(self, lengths, mean):
        return lengths.to(device=mean.device)


class MoodLeftBehind(Mood):
    def moved(self, lengths, mean):
        return lengths.to(mean.dtype)


class Levels(Mood):
    """Right: a field of which drawn numbers will not do."""

    extras = {"level": mmseq.PerSentence(1, training_only=True)}
    known = (10, 20)

    @classmethod
    def check_fields(cls, example):
        return {"level": cls.known[len(example.tokens) % 2]}

    def count(self, targets):
        return len(targets.mask)

    def loss(self, scores, targets):
        place = {level: number for number, level in enumerate(Levels.known)}
        right = [place[level] for level in targets.extras["level"][:, 0].tolist()]
        first = scores[:, 0].log_softmax(dim=1)
        return -first[torch.arange(len(right)), right].sum()


@pytest.mark.parametrize("right", [Mood, MoodByDevice, Levels])
def test_a_task_may_read_fields_of_its_own(right):
    check_aux_task(right)


class RefinesByMood(Mood):
    refines = True


class NotNamed(Mood):
    extras = {"caption": mmseq.Text()}


class TextNotNamed(Mood):
    extras = {"mood": mmseq.PerSentence(1, 0, 2)}


class Unmapped(Mood):
    extras = ("mood", "caption")


class UpsideDown(Mood):
    extras = {"mood": mmseq.PerSentence(1, 2, 0)}


class NeverEmpty(Mood):
    def lengths(self, captions):
        return [len(caption) / len(caption.split()) for caption in captions]


class Undrawn(Levels):
    check_fields = mmseq.AuxTask.check_fields


class LevelsAsText(Levels):
    known = ("low", "high")


class LevelsOfAll(Levels):
    @classmethod
    def check_fields(cls, example):
        return {"levels": 10}


class LevelsUnmapped(Levels):
    @classmethod
    def check_fields(cls, example):
        return [10]


FIELDS = {
    MoodLeftBehind: r"device \(a tensor made on the CPU\): .*sub mixes one of shape \(6,\)",
    RefinesByMood: "extras: it refines, .*'mood' would be absent.*Right: fields that are there",
    NotNamed: r"'mood' is not among .* \(none\); name it .*extras = \{'mood': …\}",
    TextNotNamed: r"'caption' is not among .* \(none\).*mmseq.PerWord, PerSentence or Text",
    Unmapped: r"extras: its extras are \('mood', 'caption'\); map names",
    UpsideDown: "extras: 'mood' is PerSentence.*low is the lower",
    NeverEmpty: r"forward of sentences .*ZeroDivisionError",
    Undrawn: "forward of sentences .*KeyError",
    LevelsAsText: "check_fields: .*'level': 'high' is not a number.*values that its extras allow",
    LevelsOfAll: r"check_fields: it gives \['levels'\].*names of its extras",
    LevelsUnmapped: r"check_fields: it gives \[10\]",
}


@pytest.mark.parametrize(
    ("wrong", "message"), FIELDS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_use_of_fields_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"aux task {wrong.__name__}, .*{message}"):
        check_aux_task(wrong)


def test_a_task_is_checked_beside_a_fusion_that_reads_the_field_in_no_other_way():
    class Boxes(Tags):
        extras = {"boxes": mmseq.PerWord(2)}

    check_aux_task(Boxes)


def test_drawn_numbers_are_within_their_bounds():
    bounds = [(0, 1), (-5, 5), (2000, 2001), (2000, mmseq.PerWord().high), (-9, -8), (0.5, 0.75)]
    for kind in (mmseq.PerWord, mmseq.PerSentence):
        fields = {f"{low} {high}": kind(2, low, high) for low, high in bounds}
        for example in tiny_sentences():
            drawn = with_fields(example, fields)
            for name, field in fields.items():
                read_field(drawn, name, field, "it")


def test_whole_bounds_of_a_sentence_are_those_of_classes():
    field = {"mood": mmseq.PerSentence(1, 0, 3)}
    drawn = {with_fields(e, field).extras["mood"][0] for e in tiny_sentences()}
    assert drawn <= {0, 1, 2, 3}
    assert len(drawn) > 1
