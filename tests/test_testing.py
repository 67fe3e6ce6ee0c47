"""The contract checks bite: components that are wrong in one way each are refused by name."""

import json
import random
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import mmseq
from mmseq import (
    AuxOutput,
    Example,
    Fused,
    Sizes,
    TextStates,
    UserError,
    Weighted,
    attend,
)
from mmseq.builtins.decoders import SoftmaxDecoder
from mmseq.builtins.image_timm import TimmEncoder
from mmseq.builtins.text_transformer import TransformerEncoder
from mmseq.builtins.weighting import weighted_sum
from mmseq.testing import (
    ContractError,
    check_aux_task,
    check_callback,
    check_decoder,
    check_fusion,
    check_image_encoder,
    check_plan,
    check_preset,
    check_published,
    check_reader,
    check_text_encoder,
    check_weighting,
    components,
    tiny_bert,
    tiny_sentences,
)


def named(part):
    """The wrong class alone names the test."""
    return part.__name__ if isinstance(part, type) else ""


class Attention(mmseq.Fusion):
    """Right: [word ; what it sees in the regions], with a bias where there is a picture."""

    def __init__(self, sizes: Sizes, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = 2 * sizes.text
        self.views = {"seen": sizes.text}
        self.key = nn.Linear(sizes.image, sizes.text)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text, images):
        seen = self.see(self.key(images.regions), text.words, images)
        return Fused(torch.cat([self.dropout(text.words), seen], dim=-1), {"seen": seen})

    def see(self, keys, words, images):
        return attend(words[:, None], keys[:, None], keys[:, None], images.mask)[:, 0]


class MaskIgnored(Attention):
    def see(self, keys, words, images):
        return attend(words[:, None], keys[:, None], keys[:, None])[:, 0]


class WordsOfPadding(Attention):
    def forward(self, text, images):
        fused = super().forward(text, images)
        mean = text.words.mean(dim=1, keepdim=True)
        return Fused(fused.states + mean.repeat(1, 1, 2), fused.views)


class BatchMean(Attention):
    def forward(self, text, images):
        fused = super().forward(text, images)
        first = text.words[:1, :1].repeat(1, 1, 2)
        return Fused(fused.states + first, fused.views)


class NanWithoutPicture(Attention):
    def see(self, keys, words, images):
        scores = words @ keys.transpose(1, 2)
        hidden = scores.masked_fill(~images.mask[:, None], -torch.inf)
        return hidden.softmax(dim=-1) @ keys


class FakePicture(Attention):
    """A bias stands in for the missing picture only if the batch has another one's."""

    def see(self, keys, words, images):
        some = images.mask.any()
        return super().see(keys, words, images) + some.float()


class TextCut(Attention):
    def forward(self, text, images):
        keys = self.key(images.regions)
        seen = self.see(keys, text.words.detach(), images)
        return Fused(torch.cat([text.words.detach(), seen], dim=-1), {"seen": seen})


class PictureCut(Attention):
    def see(self, keys, words, images):
        return super().see(self.key(images.regions.detach()), words, images)


class WeightUnused(Attention):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.spare = nn.Linear(3, 3)


class InPlace(Attention):
    def forward(self, text, images):
        text.words.mul_(0.5)
        return super().forward(text, images)


class ViewMisdeclared(Attention):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.views = {"seen": sizes.text + 1}


class PlainTensor(Attention):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.scale = torch.rand(sizes.text) + 0.5

    def see(self, keys, words, images):
        return super().see(keys, words, images) * self.scale


class DrawsAlways(Attention):
    def see(self, keys, words, images):
        seen = super().see(keys, words, images)
        return nn.functional.dropout(seen, 0.2, training=True)


class DrawsByPython(Attention):
    def see(self, keys, words, images):
        seen = super().see(keys, words, images)
        return seen * (1 + random.random()) if self.training else seen


class OnTheCpu(Attention):
    def see(self, keys, words, images):
        seen = super().see(keys, words, images)
        return seen + torch.zeros(seen.shape)


class Doubles(Attention):
    def forward(self, text, images):
        fused = super().forward(text, images)
        return Fused(fused.states.double(), fused.views)


FUSIONS = {
    MaskIgnored: "mask \\(absent regions changed\\).*look.* at images.mask",
    WordsOfPadding: "mask \\(padding words changed\\).*look.* at text.mask",
    BatchMean: "sentence 1 in a batch of one .*states differs",
    NanWithoutPicture: "states holds nan at .*finite numbers",
    FakePicture: "sentence 1 in a batch of one|without any picture",
    TextCut: "gradients of its inputs: none for 25 of 25 words.*no detach",
    PictureCut: "gradients of its inputs: none for the pictures of sentences \\[0, 2, 3, 5\\]",
    WeightUnused: "gradients of its weights: none for spare.weight, spare.bias",
    InPlace: "inputs \\(changed in place\\): it changes \\[0\\]\\.words",
    ViewMisdeclared: "view 'seen'.* it is \\(6, 8, 32\\)\\. Right: \\(6, 8, 33\\)",
    PlainTensor: "state \\(saved and loaded again\\).*no buffer: scale",
    DrawsAlways: "evaluation mode.*draws from torch's generator",
    DrawsByPython: "training twice with one seed.*draw with torch alone",
    OnTheCpu: "device.*Tensor.add mixes one of shape \\(6, 8, 32\\).*device=x.device",
    Doubles: "states is torch.float64\\. Right: torch.float32",
}


def test_a_right_fusion_passes():
    check_fusion(Attention, dropout=0.3)


@pytest.mark.parametrize(("wrong", "message"), FUSIONS.items(), ids=named)
def test_a_wrong_fusion_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"fusion {wrong.__name__}, .*{message}"):
        check_fusion(wrong)


def test_a_weight_named_as_unused_is_allowed():
    check_fusion(WeightUnused, unused=["spare.weight", "spare.bias"])
    with pytest.raises(ContractError, match="unused 'sparse' is no weight of it"):
        check_fusion(WeightUnused, unused=["sparse"])


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
    MeanLoss: "loss \\(a sum\\).*the batch twice has .*no mean",
    NanWithoutItems: "loss \\(a scalar\\) of sentences \\[1\\].*nan",
    CountsSentences: "count: 1, sentence by sentence 5",
    CountIsATensor: "count.*it is tensor\\(.*an int",
    Undeclared: "loss \\(a sum\\).*additive = False",
    DeclaredMean: "loss \\(a sum\\).*at least about twice as much",
    DetachedViews: "gradients of its inputs: none for any view",
    RefinesUnannounced: "refines: it gives refined emissions unannounced",
    RefinesByTags: "prediction.*emissions differs.*the same as with tags",
    Counts: "state \\(saved and loaded again\\).*loss differs",
}


@pytest.mark.parametrize("right", [Tags, Declared])
def test_a_right_task_passes(right):
    check_aux_task(right, unused=["head.bias"] if right is Declared else [])


@pytest.mark.parametrize(("wrong", "message"), TASKS.items(), ids=named)
def test_a_wrong_task_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"aux task {wrong.__name__}, .*{message}"):
        check_aux_task(wrong)


def test_a_task_whose_view_nobody_has_is_told_what_there_is():
    class Lonely(Tags):
        views = ("nowhere",)

    with pytest.raises(ContractError, match="fusion 'none' beside .* has no view nowhere"):
        check_aux_task(Lonely)


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


DECODERS = {
    MeanDecoder: "loss \\(a sum\\).*no mean",
    Bits: "exp\\(-loss\\) over all 125 tag paths of three words sums to .*natural log",
    Worst: "decode \\(the best tags\\): .* has probability",
    Scores: "scores \\(probability of O at each of three words\\).*summed over all paths",
    PaddingScored: "scores: numbers at padding. Right: 0 at padding",
}


@pytest.mark.parametrize(("wrong", "message"), DECODERS.items(), ids=named)
def test_a_wrong_decoder_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"decoder {wrong.__name__}, .*{message}"):
        check_decoder(wrong)


class OtherSentence(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)
        self.sentence = 7


class SeesAhead(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)
        self.parts = {"forward": self.width}

    def forward(self, inputs, images):
        states = super().forward(inputs, images)
        return TextStates(states.words, states.mask, states.vector, {"forward": states.words})


class PoolsPadding(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def forward(self, inputs, images):
        states = super().forward(inputs, images)
        return TextStates(states.words, states.mask, states.words.mean(dim=1))


class ForgetsAssets(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def save_assets(self, folder):
        self.tokenizer.save_pretrained(folder)


class CutsLong(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def encode(self, tokens):
        return super().encode(tokens[:50])


ENCODERS = {
    OtherSentence: "vector \\(B, sentence = 7\\).* is \\(6, 32\\)",
    SeesAhead: "part 'forward' \\(another word after it\\).*it has seen nothing after its word",
    PoolsPadding: "sentence 0 in a batch of one .*vector differs",
    ForgetsAssets: "constructor with assets|constructor: it raises",
    CutsLong: "a sentence of 152 words|words \\(B, W, width\\) of a sentence of 152 words",
}


@pytest.mark.parametrize(("wrong", "message"), ENCODERS.items(), ids=named)
def test_a_wrong_text_encoder_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"text encoder {wrong.__name__}, .*({message})"):
        check_text_encoder(wrong)


class Stale(TimmEncoder):
    """The stored features depend on weights that train."""

    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, assets=assets)
        self.model.requires_grad_(True)


class SameName(TimmEncoder):
    fingerprint = "mine"

    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, assets=assets)


class CropsPages(TimmEncoder):
    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, assets=assets)
        self.whole_page = True


IMAGES = {
    Stale: "precompute after weights trained.*what trains stays out of precompute",
    SameName: "fingerprint: the same with other frozen weights",
    CropsPages: "whole_page: the left edge of a wide picture is cut",
}


@pytest.mark.parametrize(("wrong", "message"), IMAGES.items(), ids=named)
def test_a_wrong_image_encoder_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"image encoder {wrong.__name__}, .*{message}"):
        check_image_encoder(wrong)


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


class Drops(Weigher):
    def forward(self, losses, shared, progress):
        weights = {name: 1.0 if name == "main" else 0.0 for name in losses}
        return weighted_sum(losses, weights)


class Forgets(Weigher):
    def end_epoch(self, means):
        self.weights |= {name: 1 / mean for name, mean in means.items()}


WEIGHTINGS = {
    NeedsAll: "absent losses are not among the losses",
    Normalised: "weights of .*weights are those that the losses have in the total",
    Drops: "gradients: none for first, second",
    Forgets: "state \\(saved and loaded again\\).*buffers",
}


def test_a_right_weighting_passes():
    check_weighting(Weigher)


@pytest.mark.parametrize(("wrong", "message"), WEIGHTINGS.items(), ids=named)
def test_a_wrong_weighting_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"weighting {wrong.__name__}, .*{message}"):
        check_weighting(wrong)


class Lines(mmseq.Reader):
    """Right: ``word/TAG word/TAG``, a sentence a line."""

    suffixes = (".slash",)

    def read(self, path):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: cannot be read; check the file.") from error
        for number, line in enumerate(text.splitlines(), 1):
            yield self.example(path, number, [pair.rpartition("/") for pair in line.split()])

    def example(self, path, number, pairs):
        if not all(word and tag[:1] in ("O", "B", "I") for word, _, tag in pairs):
            raise UserError(f"{path}:{number}: write word/TAG.")
        tokens, _, tags = zip(*pairs, strict=True)
        return Example(tokens, tags, (), f"{number}", file=path, line=number)


class CountsFromZero(Lines):
    def example(self, path, number, pairs):
        return super().example(path, number - 1, pairs)


class Nameless(Lines):
    def example(self, path, number, pairs):
        try:
            return super().example(path, number, pairs)
        except UserError as error:
            raise UserError("A line is wrong.") from error


class TagsMissing(Lines):
    def example(self, path, number, pairs):
        right = super().example(path, number, pairs)
        return Example(right.tokens, right.tags[1:], (), right.id, file=path, line=number)


class Crashes(Lines):
    def read(self, path):
        path.read_text(encoding="utf-8")
        yield from super().read(path)


SLASH = "Anna/B-PER ran/O\nin/O Oslo/B-LOC\n"
READERS = {
    CountsFromZero: "where: .*train.slash:0\\. Right: file .* a line from 1 to 3",
    Nameless: "a mistake in line 2: the error 'A line is wrong.' names no place",
    TagsMissing: "tags of .*Right: None, or a tuple of 2 tags, one a word",
    Crashes: "a file that is missing: it raises FileNotFoundError",
}
check_slashes = partial(check_reader, text=SLASH, broken={"a/O\nb/X\n": 2})


def test_a_right_reader_passes():
    check_slashes(Lines)


@pytest.mark.parametrize(("wrong", "message"), READERS.items(), ids=named)
def test_a_wrong_reader_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"reader {wrong.__name__}, .*{message}"):
        check_slashes(wrong)


class Patience(mmseq.Callback):
    """Right: stops after three epochs."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_epoch(self, event):
        self.epochs += 1
        return "three epochs are enough" if self.epochs == 3 else None

    def state(self):
        return {"epochs": self.epochs}

    def load_state(self, state):
        self.epochs = state.get("epochs", 0)


class NoState(Patience):
    def state(self):
        return {}


class StateIsNoJson(Patience):
    def state(self):
        return {"epochs": {self.epochs}}


class NeedsState(Patience):
    def load_state(self, state):
        self.epochs = state["epochs"]


class ClosesNothing(Patience):
    def on_start(self, folder, resumed_step):
        self.file = (folder / "log").open("w")

    def close(self):
        self.file.close()


class Empties(Patience):
    def on_step(self, event):
        event.losses.clear()


CALLBACKS = {
    NoState: "state \\(a resumed run\\): it asks to stop with \\[.*its state",
    StateIsNoJson: "state \\(kept as JSON\\): it raises TypeError",
    NeedsState: "load_state\\(\\{\\}\\): it raises KeyError",
    ClosesNothing: "close without on_start: it raises AttributeError",
    Empties: "on_step: it changes the event",
}


def test_a_right_callback_passes():
    check_callback(Patience)


@pytest.mark.parametrize(("wrong", "message"), CALLBACKS.items(), ids=named)
def test_a_wrong_callback_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"callback {wrong.__name__}, .*{message}"):
        check_callback(wrong)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fusion]\nname = 'gate'\n", "first line: .*a comment that describes it"),
        ("# Mine\n[fusion]\nname = 'gat'\n", "contents: .*Did you mean 'gate'"),
        ("# Mine\n[fusion]\nname = 'gate'\ndropuot = 0.1\n", "no option 'dropuot'"),
        ("# Mine\n[fusion\n", "contents: "),
        ("# Mine\n[fusions]\n", "contents: .*fusions"),
    ],
)
def test_a_wrong_preset_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=message):
        check_preset(path)


def test_wrong_plans_and_figures_are_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# Mine\npresets = ['nowhere']\n")
    with pytest.raises(ContractError, match="preset 'nowhere' is unknown"):
        check_plan(path)
    path.write_text("# Mine\nfigures = []\n[data]\n[sources]\n")
    with pytest.raises(ContractError, match="contents: no figure"):
        check_published(path)


def test_a_class_of_another_kind_and_a_constructor_that_fails_are_told():
    with pytest.raises(ContractError, match="does not derive from mmseq.Fusion"):
        check_fusion(Tags)

    class Abstract(mmseq.Fusion):
        pass

    with pytest.raises(ContractError, match="constructor: it raises TypeError"):
        check_fusion(Abstract)


def test_unknown_names_and_options_are_user_errors():
    with pytest.raises(UserError, match="Did you mean 'concat'"):
        check_fusion("conct")
    with pytest.raises(UserError, match="no option 'widht'. Did you mean 'width'"):
        check_fusion("concat", widht=3)


def test_components_are_listed_by_distribution_and_kind():
    own = components("mmseq", kind="decoder")
    assert [(e.kind, e.name) for e in own] == [("decoder", "crf"), ("decoder", "softmax")]
    assert components("mmseq-nobody") == []


def test_the_fixtures_are_as_announced():
    pictures = [len(e.images) for e in tiny_sentences()]
    assert {0, 1, 2, 3} == set(pictures)
    assert all(path.is_file() for e in tiny_sentences() for path in e.images)
    tags = [set(e.tags) for e in tiny_sentences()]
    assert {"O"} in tags
    assert any("O" not in t for t in tags)
    assert min(len(e.tokens) for e in tiny_sentences()) == 1
    config = json.loads((tiny_bert() / "config.json").read_text(encoding="utf-8"))
    assert config["hidden_size"] == 32
