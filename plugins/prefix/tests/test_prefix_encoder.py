import pytest
import torch
from mmseq_prefix.attention import HeadShape, Prefix, install, prefixed
from mmseq_prefix.encoder import PrefixEncoder
from transformers import GPT2Config, GPT2Model, LlamaConfig, LlamaModel

from mmseq import Config, ImageStates, Sizes, TransformerEncoder, UserError

SIZES = Sizes(labels=("O",), levels=(3, 5))
SENTENCES = [["a", "b", "c"], ["d"], ["e", "f"], ["g", "h"]]
PRESENT = [True, False, True, False]
ROUNDING = 1e-5
"""What processors may differ by in 32 bits: states are about 1"""
LONG = [list("abcdefgh") * 3, ["a"], list("hgfedcba") * 2]


def picked(images, rows):
    return ImageStates(
        images.regions[rows], images.mask[rows], levels=tuple(m[rows] for m in images.levels)
    )


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_without_a_picture_it_is_the_plain_transformer_in_a_mixed_batch_too(
    kind, build, encoder_folder, inputs, pictures
):
    folder = encoder_folder(kind)
    encoder = build(model=folder)
    plain = TransformerEncoder(SIZES, model=str(folder)).eval()
    with torch.no_grad():
        got = encoder(inputs(encoder, SENTENCES), pictures(PRESENT))
        none = encoder(inputs(encoder, SENTENCES), pictures([False] * 4))
        expected = plain(inputs(plain, SENTENCES), None)
    mask = got.mask
    for i, present in enumerate(PRESENT):
        difference = (got.words - expected.words)[i, mask[i]].abs().max()
        assert difference > 0.01 if present else difference < ROUNDING
    assert (none.words - expected.words)[mask].abs().max() < ROUNDING
    assert (none.vector - expected.vector).abs().max() < ROUNDING


def test_a_mixed_batch_gives_what_separate_batches_give(build, inputs, pictures):
    encoder, images = build(), pictures(PRESENT)
    with torch.no_grad():
        mixed = encoder(inputs(encoder, SENTENCES), images).words
        for i, sentence in enumerate(SENTENCES):
            alone = encoder(inputs(encoder, [sentence]), picked(images, [i])).words
            torch.testing.assert_close(mixed[i, : len(sentence)], alone[0], atol=1e-5, rtol=1e-5)


def test_the_order_of_a_batch_does_not_matter(build, inputs, pictures):
    encoder, images, order = build(), pictures(PRESENT), [2, 0, 3, 1]
    with torch.no_grad():
        before = encoder(inputs(encoder, SENTENCES), images)
        turned = inputs(encoder, [SENTENCES[i] for i in order])
        after = encoder(turned, picked(images, order)).words
    words, mask = before.words[order], before.mask[order]
    torch.testing.assert_close(after[mask], words[mask], atol=1e-5, rtol=1e-5)


def test_every_window_has_its_sentences_prefix(build, inputs, pictures):
    encoder, images = build(window=8), pictures([True, False, True])
    batch = inputs(encoder, LONG)
    assert len(batch.tensors["input_ids"]) > 2 * len(LONG)
    with torch.no_grad():
        mixed = encoder(batch, images).words
        none = encoder(batch, pictures([False] * 3)).words
        for i, sentence in enumerate(LONG):
            alone = encoder(inputs(encoder, [sentence]), picked(images, [i])).words[0]
            torch.testing.assert_close(mixed[i, : len(sentence)], alone, atol=1e-5, rtol=1e-5)
    changed = (mixed - none).abs().amax(dim=-1) > 1e-3
    assert changed[0].all()
    assert not changed[1, 0]
    assert changed[2, : len(LONG[2])].all()


def test_gradients_reach_every_part_and_pictures_alone_where_they_are(build, inputs, pictures):
    encoder, images = build().train(), pictures(PRESENT)
    for level in images.levels:
        level.requires_grad_()
    found = encoder(inputs(encoder, SENTENCES), images)
    found.words[found.mask].square().sum().backward()
    for name, parameter in encoder.visual.named_parameters():
        # A constant on all prefix keys of a layer does change the shares: they compete with words.
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    for level in images.levels:
        there = level.grad.flatten(1).abs().amax(dim=1) > 0
        assert there.tolist() == PRESENT


def test_a_batch_without_pictures_keeps_every_weight_in_the_graph(build, inputs, pictures):
    encoder = build().train()
    found = encoder(inputs(encoder, SENTENCES), pictures([False] * 4))
    found.words.square().sum().backward()
    assert all((p.grad == 0).all() for p in encoder.visual.parameters())


def test_dropout_on_attention_acts_in_training_only(encoder_folder, build, inputs, pictures):
    folder = encoder_folder("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.5)
    encoder = build(model=folder)
    batch, images = inputs(encoder, SENTENCES), pictures([True] * 4)
    assert torch.equal(encoder(batch, images).words, encoder(batch, images).words)
    encoder.train()
    one, other = encoder(batch, images).words, encoder(batch, images).words
    assert one.isfinite().all()
    assert not torch.equal(one, other)


def test_a_model_built_anew_from_its_assets_gives_the_same(build, inputs, pictures, tmp_path):
    encoder = build(side=3)
    encoder.save_assets(tmp_path)
    # Loaded by a plain `transformer`, the structure must not ask for an attention of ours.
    assert "mmseq" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    anew = PrefixEncoder(SIZES, side=3, assets=tmp_path).eval()
    anew.load_state_dict(encoder.state_dict())
    batch, images = inputs(encoder, SENTENCES), pictures(PRESENT)
    with torch.no_grad():
        assert torch.equal(anew(batch, images).words, encoder(batch, images).words)


def test_another_encoder_beside_it_is_not_touched(build, encoder_folder, inputs, pictures):
    folder = encoder_folder("bert")
    plain = TransformerEncoder(SIZES, model=str(folder)).eval()
    with torch.no_grad():
        before = plain(inputs(plain, SENTENCES), None).words
        encoder = build(model=folder)
        encoder(inputs(encoder, SENTENCES), pictures(PRESENT))
        assert torch.equal(plain(inputs(plain, SENTENCES), None).words, before)


@pytest.mark.parametrize(
    "model",
    [
        GPT2Model(
            GPT2Config(
                vocab_size=9, n_embd=8, n_head=2, n_layer=2, n_positions=9,
                bos_token_id=0, eos_token_id=0, initializer_range=0.5,
            )
        ),
        # Two heads of keys for four of queries.
        LlamaModel(
            LlamaConfig(
                vocab_size=9, hidden_size=16, num_attention_heads=4, num_key_value_heads=2,
                num_hidden_layers=2, intermediate_size=16, initializer_range=0.5,
            )
        ),
    ],
    ids=["gpt2", "llama"],
)  # fmt: skip
def test_a_model_that_sees_the_past_alone_still_does(model):
    layers = install(model.eval(), [1, 2, 3])
    torch.manual_seed(0)
    prefixes = [
        Prefix(
            torch.randn(1, shape.heads, 3, shape.key),
            torch.randn(1, shape.heads, 3, shape.value),
            torch.tensor([True]),
        )
        for shape in layers
    ]
    states = []
    for ids in ([4, 5, 6, 7], [4, 5, 1, 2]):
        with torch.no_grad(), prefixed(prefixes):
            states.append(model(input_ids=torch.tensor([ids])).last_hidden_state[0])
    with torch.no_grad():
        bare = model(input_ids=torch.tensor([[4, 5, 6, 7]])).last_hidden_state[0]
    torch.testing.assert_close(states[0][:2], states[1][:2])
    assert (states[0] - bare).abs().amax(dim=-1).min() > 1e-3


def test_the_layers_of_a_model_are_found(build):
    assert build().visual.shapes == (HeadShape(2, 4, 4),) * 2


def test_prefixes_train_at_a_rate_of_their_own(build):
    encoder = build(prefix_factor=3.0, case="off")
    factors = encoder.rate_factors()
    names = {name for name, _ in encoder.named_parameters()}
    assert factors.keys() == {name for name in names if name.startswith("visual.")}
    assert set(factors.values()) == {3.0}


def test_a_frozen_transformer_still_trains_its_prefixes(build):
    encoder = build(freeze=-1)
    assert not any(p.requires_grad for p in encoder.model.parameters())
    assert all(p.requires_grad for p in encoder.visual.parameters())


def test_an_image_encoder_without_levels_is_told_with_the_remedy(encoder_folder):
    with pytest.raises(UserError, match=r"--set image_encoder\.levels=true"):
        PrefixEncoder(Sizes(labels=("O",), image=4), model="no-such-model")


def test_a_model_whose_attention_cannot_be_replaced_is_told(build):
    with pytest.raises(UserError, match="MPNetModel"):
        build("mpnet")


@pytest.mark.parametrize(("option", "value"), [("side", 0), ("prefix_factor", 0.0)])
def test_options_that_cannot_be_are_told(option, value):
    settings = {"text_encoder.name": "prefix", f"text_encoder.{option}": value}
    with pytest.raises(UserError, match=f"text encoder 'prefix': {option} = {value}"):
        Config.from_layers(settings=settings)
