"""The contract checks bite: fusions that are wrong in one way each are refused by name."""

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

import mmseq
from mmseq import Fused, Sizes, attend
from mmseq.testing import ContractError, check_fusion


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


class Widthless(Attention):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        del self.width


class ViewsUnmapped(Attention):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.views = ("seen",)


class NotBegun(mmseq.Fusion):
    def __init__(self, sizes: Sizes) -> None:
        self.project = nn.Linear(sizes.text, sizes.text)

    def forward(self, text, images):
        return Fused(self.project(text.words))


class DefaultOutOfLimits(Attention):
    def __init__(self, sizes: Sizes, *, share: mmseq.Share = 1.5) -> None:
        super().__init__(sizes)


class MaskOfWords(Attention):
    def forward(self, text, images):
        return super().forward(text, replace(images, mask=text.mask))


class Transposed(Attention):
    def see(self, keys, words, images):
        return super().see(keys, words, images) + words.transpose(1, 2)


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


class Pair(Attention):
    """Right: beside it one vector a sentence, of its mean word and its picture."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.sentence_views = {"pair": sizes.text + sizes.image}

    def forward(self, text, images):
        fused = super().forward(text, images)
        return Fused(fused.states, fused.views, self.whole(text, images))

    def whole(self, text, images):
        words = (text.words * text.mask[..., None]).sum(dim=1) / text.mask.sum(dim=1)[:, None]
        return {"pair": torch.cat([words, images.pooled], dim=-1)}


class PairOfAllWords(Pair):
    def whole(self, text, images):
        return {"pair": torch.cat([text.words.mean(dim=1), images.pooled], dim=-1)}


class PairOfWords(Pair):
    def whole(self, text, images):
        pooled = images.pooled[:, None].expand(-1, text.words.shape[1], -1)
        return {"pair": torch.cat([text.words, pooled], dim=-1)}


class PairUnannounced(Pair):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.sentence_views = {}


class PairNotGiven(Pair):
    def whole(self, text, images):
        return {}


class PairUnmapped(Pair):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.sentence_views = {"pair": "wide"}


class NamedTwice(Pair):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.sentence_views = {"seen": sizes.text + sizes.image}

    def whole(self, text, images):
        return {"seen": super().whole(text, images)["pair"]}


class NamedAsTheEngines(NamedTwice):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.sentence_views = {"picture": sizes.text + sizes.image}

    def whole(self, text, images):
        return {"picture": super().whole(text, images)["seen"]}


FUSIONS = {
    PairOfAllWords: "mask \\(padding words changed\\).*sentence view 'pair' differs.*text.mask",
    PairOfWords: "sentence view 'pair' \\(B, announced width\\).* \\(6, 8, 128\\).*\\(6, 128\\)",
    PairUnannounced: "sentence_views: announced are \\[\\], given \\['pair'\\]",
    PairNotGiven: "sentence_views: announced are \\['pair'\\], given \\[\\].*self.sentence_views",
    PairUnmapped: "announced widths: its sentence_views are \\{'pair': 'wide'\\}",
    NamedTwice: "sentence_views: \\['seen'\\] are views of words too",
    NamedAsTheEngines: "sentence_views: it offers \\['picture'\\]",
    MaskIgnored: "mask \\(absent regions changed\\).*images.mask",
    WordsOfPadding: "mask \\(padding words changed\\).*text.mask",
    BatchMean: "sentence 1 in a batch of one .*states differs",
    NanWithoutPicture: "states holds nan at .*finite numbers",
    FakePicture: "sentence 1 in a batch of one|without any picture",
    TextCut: "gradients of its inputs: none for 25 of 25 words.*no detach",
    PictureCut: "gradients of its inputs: none for the pictures of sentences \\[0, 2, 3, 5\\]",
    WeightUnused: "gradients of its weights: none for spare.weight, spare.bias",
    InPlace: "inputs \\(changed in place\\): it changes \\[0\\]\\.words",
    ViewMisdeclared: "view 'seen'.* it is \\(6, 8, 32\\)\\. Right: \\(6, 8, 33\\)",
    Widthless: "announced widths: .*width is None.*self.width",
    ViewsUnmapped: "announced widths: .*views .*\\('seen',\\)",
    NotBegun: "constructor: .*AttributeError.*super\\(\\).__init__\\(\\)",
    DefaultOutOfLimits: "default of 'share': .*share = 1.5.*limits",
    MaskOfWords: "forward of .*attend: mask is \\(6, 8\\), not \\(B, K\\) = \\(6, ",
    Transposed: "forward of .*RuntimeError: .* text words \\(6, 8, 32\\), mask",
    PlainTensor: "state \\(saved and loaded again\\).*no buffer: scale",
    DrawsAlways: "evaluation mode.*generator",
    DrawsByPython: "training twice with one seed.*draw with torch alone",
    OnTheCpu: "device.*Tensor.add mixes one of shape \\(6, 8, 32\\).*device=x.device",
    Doubles: "states is torch.float64\\. Right: torch.float32",
}


def test_a_right_fusion_passes():
    check_fusion(Attention, dropout=0.3)
    check_fusion(Pair)


@pytest.mark.parametrize(
    ("wrong", "message"), FUSIONS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_fusion_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"fusion {wrong.__name__}, .*{message}"):
        check_fusion(wrong)


def test_a_weight_named_as_unused_is_allowed():
    check_fusion(WeightUnused, unused=["spare.weight", "spare.bias"])
    with pytest.raises(ContractError, match="'sparse' .*weight"):
        check_fusion(WeightUnused, unused=["sparse"])
