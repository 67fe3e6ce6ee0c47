"""The contract checks bite: encoders that are wrong in one way each are refused by name."""

from pathlib import Path

import pytest

from mmseq import Sizes, TextStates
from mmseq.builtins.images.timm import TimmEncoder
from mmseq.builtins.text.transformer import TransformerEncoder
from mmseq.testing import ContractError, check_image_encoder, check_text_encoder


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


class BareTensor(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def collate(self, encoded):
        return next(iter(super().collate(encoded).values()))


class CopiesEmbeddings(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def embeddings(self):
        return super().embeddings().detach().clone()


class CutsLong(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def encode(self, tokens):
        return super().encode(tokens[:50])


class LongForNothing(TransformerEncoder):
    def __init__(self, sizes: Sizes, *, model: str = "", assets: Path | None = None) -> None:
        super().__init__(sizes, model=model, assets=assets)

    def length(self, encoded, words):
        return words / 2


ENCODERS = {
    LongForNothing: "length: it gives .*an int, at least 1",
    OtherSentence: "vector \\(B, sentence = 7\\).* is \\(6, 32\\)",
    SeesAhead: "part 'forward' \\(another word after it\\).*after its word",
    BareTensor: "collate: .*Tensor.*dict",
    CopiesEmbeddings: "embeddings: .*Tensor.*parameters",
    PoolsPadding: "sentence 0 in a batch of one .*vector differs",
    ForgetsAssets: "constructor with assets|constructor: it raises",
    CutsLong: "a sentence of 152 words|words \\(B, W, width\\) of a sentence of 152 words",
}


@pytest.mark.parametrize(
    ("wrong", "message"), ENCODERS.items(), ids=lambda part: getattr(part, "__name__", "")
)
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
        super().__init__(sizes, model=model, weights=weights, fit="crop", assets=assets)
        self.whole_page = True


class FramesInShares(TimmEncoder):
    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, fit="page", assets=assets)

    def frame(self, size):
        return (0.0, 0.0, 1.0, 1.0)


class RatesNoWeight(TimmEncoder):
    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, assets=assets)

    def rate_factors(self):
        return {"model.layer9": 0.5}


class NamesOneString(TimmEncoder):
    def __init__(
        self, sizes: Sizes, *, model: str = "", weights: str = "", assets: Path | None = None
    ) -> None:
        super().__init__(sizes, model=model, weights=weights, assets=assets)

    @classmethod
    def hub_models(cls, options):
        return "organisation/name"


IMAGES = {
    NamesOneString: r"hub_models: it gives 'organisation/name'",
    FramesInShares: r"frame of \(200, 64\): it gives \(0.0, 0.0, 1.0, 1.0\).*whole_page all of it",
    RatesNoWeight: r"rate_factors: it names \['model.layer9'\]",
    Stale: "precompute after weights trained.*out of precompute",
    SameName: "fingerprint: the same with other frozen weights",
    CropsPages: "whole_page: .*cut",
}


@pytest.mark.parametrize(
    ("wrong", "message"), IMAGES.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_image_encoder_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"image encoder {wrong.__name__}, .*{message}"):
        check_image_encoder(wrong)
