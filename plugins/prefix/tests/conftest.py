"""Tiny random transformers in folders, and batches for a text encoder with pictures."""

import pytest
import torch
from mmseq_prefix.encoder import PrefixEncoder
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    BertTokenizer,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
)

from mmseq import ImageStates, Sizes, TextInputs

KINDS = {
    "bert": (BertConfig, BertModel),
    "roberta": (RobertaConfig, RobertaModel),
    "albert": (AlbertConfig, AlbertModel),
    "mpnet": (MPNetConfig, MPNetModel),
}
LEVELS = (3, 5)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """`encoder_folder("bert", hidden_size=16)`: a folder with weights and tokenizer."""

    def make(kind, **changes):
        folder = tmp_path_factory.mktemp(kind)
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
        BertTokenizer(vocab={p: i for i, p in enumerate(pieces)}).save_pretrained(folder)
        config_class, model_class = KINDS[kind]
        sizes = {
            "vocab_size": len(pieces),
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "max_position_embeddings": 40,
            # Attention that differs from place to place, not the near-uniform one of a new model.
            "initializer_range": 0.5,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model_class(config_class(**{**sizes, **changes})).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def inputs():
    """`inputs(encoder, sentences)`: the batch as the engine gives it to a text encoder."""

    def make(encoder, sentences):
        lengths = torch.tensor([len(s) for s in sentences])
        mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
        return TextInputs(encoder.collate([encoder.encode(s) for s in sentences]), mask)

    return make


@pytest.fixture
def pictures():
    """`pictures([True, False])`: maps of `LEVELS`, zero where a sentence has no picture."""

    def make(present, seed=3):
        present = torch.tensor(present)
        torch.manual_seed(seed)
        sizes = zip(LEVELS, ((4, 4), (3, 5)), strict=True)
        maps = [torch.randn(len(present), channels, *size) for channels, size in sizes]
        levels = tuple(map_ * present[:, None, None, None] for map_ in maps)
        return ImageStates(torch.zeros(len(present), 1, 2), present[:, None], levels=levels)

    return make


@pytest.fixture
def build(encoder_folder):
    """`build("bert", side=1)`: the encoder, with large weights where the prefixes are made."""

    def make(kind="bert", model=None, **options):
        model = str(model or encoder_folder(kind))
        encoder = PrefixEncoder(Sizes(labels=("O",), levels=LEVELS), model=model, **options)
        torch.manual_seed(4)
        for parameter in encoder.visual.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
        return encoder.eval()

    return make
