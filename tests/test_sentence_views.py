"""Views of whole sentences: what a fusion offers of them, and the tasks that read them."""

import json

import pytest

import mmseq
from mmseq.model.assembly import build_model
from mmseq.testing import TINY_IMAGE_MODEL, tiny_sentences
from mmseq.testing.world import EVERY, LABELS, prepare

PLUGIN = """
import mmseq

@mmseq.hookimpl
def register_components(add):
    add.fusion("pairs", "mmseq_pairs.parts:Pairs")
    add.aux_task("together", "mmseq_pairs.parts:Together")
"""
PARTS = '''
import torch
from torch import nn

import mmseq


class Pairs(mmseq.Fusion):
    """The words as they are; of a sentence its mean word and its picture."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.width = sizes.text
        self.sentence_views = {"pair": sizes.text + sizes.image}

    def forward(self, text, images):
        words = (text.words * text.mask[..., None]).sum(dim=1) / text.mask.sum(dim=1)[:, None]
        return mmseq.Fused(text.words, {}, {"pair": torch.cat([words, images.pooled], dim=-1)})


class Together(mmseq.AuxTask):
    """Whether the sentence has a picture, as far as the pair shows it."""

    views = ("pair",)
    preparation = 1
    seen: torch.Tensor

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.head = nn.Linear(sizes.sentence_views["pair"], 1)
        self.register_buffer("seen", torch.zeros(sizes.sentence_views["pair"]))

    def count(self, targets):
        return len(targets.has_image)

    def observe(self, views, targets):
        self.seen += views["pair"].sum(dim=0)

    def forward(self, views, targets, emissions):
        scores = self.head(views["pair"])[:, 0]
        return mmseq.AuxOutput(
            nn.functional.binary_cross_entropy_with_logits(
                scores, targets.has_image.float(), reduction="sum"
            )
        )
'''


@pytest.fixture
def pairs(site):
    site.add("pairs", PLUGIN, parts=PARTS)


@pytest.fixture
def config_of(tiny_encoder, tiny_data):
    def make(fusion="pairs", aux=("together",)):
        return mmseq.Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {"name": "timm", **TINY_IMAGE_MODEL},
                "fusion": {"name": fusion},
            },
            aux=list(aux),
            settings={
                "data.path": str(tiny_data),
                "train.device": "cpu",
                "train.epochs": 2,
                "train.batch_size": 12,
            },
        )

    return make


def test_a_task_gets_the_view_of_each_sentence(pairs, config_of):
    model, _ = build_model(config_of(), LABELS, examples=tiny_sentences())
    width = model.text_encoder.width + model.image_encoder.width
    assert model.tasks["together"].head.in_features == width
    collator, prepared = prepare(model.text_encoder, {})
    views, words = model.eval().views(collator.batch([prepared[i] for i in EVERY]))
    assert views["pair"].shape == (6, width)
    # The second sentence is two words without a picture.
    expected = words[1, :2].mean(dim=0).tolist() + [0.0] * model.image_encoder.width
    assert views["pair"][1].tolist() == pytest.approx(expected, abs=1e-6)


def test_it_trains_is_observed_and_predicts(pairs, config_of, tmp_path):
    run = mmseq.train(config_of(), output=tmp_path / "run")
    steps = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert "together" in steps[-1]["losses"]
    tagger = mmseq.load(run)
    assert tagger.model.tasks["together"].seen.abs().sum() > 0
    (found,) = tagger.predict(["Jordan was seen"])
    assert len(found.tags) == 3


def test_where_it_is_lacking_the_fusions_that_have_it_are_named(pairs, config_of):
    with pytest.raises(mmseq.UserError) as caught:
        build_model(config_of("gate"), LABELS)
    assert "aux task 'together' reads the view 'pair', which neither fusion 'gate'" in str(
        caught.value
    )
    assert str(caught.value).endswith("Fusions that do: pairs.")


def test_both_keep_their_contracts(pairs, run_cli):
    done = run_cli("check", "pairs")
    assert done.code == 0, done.out


def test_the_model_that_would_be_trained_shows_it(pairs, run_cli, config_of, tmp_path):
    config_of().save(tmp_path / "c.toml")
    done = run_cli("train", "--config", tmp_path / "c.toml", "--dry-run")
    assert done.code == 0, done.err
    assert "pair (B, " in " ".join(done.out.replace("│", " ").split())
