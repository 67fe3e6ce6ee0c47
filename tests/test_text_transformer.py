import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from mmseq.builtins.text.first_weights import NothingDrawn
from mmseq.builtins.text.transformer import TransformerEncoder
from mmseq.config.config import Config
from mmseq.contracts.states import Sizes
from mmseq.contracts.text_encoder import TextInputs
from mmseq.errors import UserError

SIZES = Sizes(labels=("O",))
SENTENCES = [
    ["Anna", "was", "seen", "in", "Oslo"],
    ["hi"],
    ["\ufe0f", "zzz", "\u200d"],
    [c * 7 for c in "abcdefgh"],
]


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def make(tiny_encoder):
    """The encoder over the tiny BERT, without dropout."""

    def build(**options):
        return TransformerEncoder(SIZES, **{"model": str(tiny_encoder), **options}).eval()

    return build


def inputs(encoder, sentences):
    lengths = torch.tensor([len(s) for s in sentences])
    mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    return TextInputs(encoder.collate([encoder.encode(s) for s in sentences]), mask)


def states(encoder, sentences):
    with torch.no_grad():
        return encoder(inputs(encoder, sentences), None)


def hidden_states(encoder, ids):
    with torch.no_grad():
        output = encoder.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return [layer[0] for layer in output.hidden_states]


def ids_of(encoder, pieces):
    return encoder.tokenizer.convert_tokens_to_ids(pieces)


# "the" and "was" are whole words of the tiny vocabulary, "xyz" three pieces.
PIECES = ["[CLS]", "the", "x", "##y", "##z", "was", "[SEP]"]


def test_shapes_and_what_it_announces(make):
    encoder = make()
    found = states(encoder, SENTENCES)
    assert (encoder.width, encoder.needs_images) == (32, False)
    assert found.words.shape == (4, 8, 32)
    assert found.vector.shape == (4, 32)
    assert found.words.isfinite().all()
    assert found.mask.sum().item() == 5 + 1 + 3 + 8
    assert encoder.sub_words(["the", "xyz", "was"]) == 5


def test_a_word_is_its_first_sub_word(make):
    encoder = make(pool="first")
    last = hidden_states(encoder, ids_of(encoder, PIECES))[-1]
    found = states(encoder, [["the", "xyz", "was"]])
    torch.testing.assert_close(found.words[0], last[[1, 2, 5]], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.vector[0], last[0], atol=1e-5, rtol=0)


def test_a_word_is_the_mean_of_its_sub_words(make):
    encoder = make(pool="mean")
    last = hidden_states(encoder, ids_of(encoder, PIECES))[-1]
    expected = torch.stack([last[1], (last[2] + last[3] + last[4]) / 3, last[5]])
    found = states(encoder, [["the", "xyz", "was"]]).words[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_mix_is_a_weighted_sum_of_every_layer(make):
    encoder = make(layer="mix")
    assert encoder.mix.tolist() == [0, 0, 3]
    assert encoder.rate_factors()["mix"] == 10
    # Shares 1 : 1 : 2 of 4.
    encoder.mix.data = torch.tensor([0.0, 0.0, math.log(2)])
    every = hidden_states(encoder, ids_of(encoder, PIECES))
    mixed = (every[0] + every[1] + 2 * every[2]) / 4
    found = states(encoder, [["the", "xyz", "was"]]).words[0]
    torch.testing.assert_close(found, mixed[[1, 2, 5]], atol=1e-5, rtol=0)


def test_the_shares_of_the_layers_learn_even_where_no_layer_does(make):
    encoder = make(layer="mix", freeze=-1)
    encoder(inputs(encoder, [["abc", "d"]]), None).words.sum().backward()
    assert encoder.mix.grad.abs().sum() > 0
    assert [n for n, p in encoder.named_parameters() if p.grad is not None] == ["mix"]


@pytest.mark.parametrize("layer", [-1, 0, 1, 2])
def test_layer_says_which_hidden_states(make, layer):
    encoder = make(layer=layer)
    every = hidden_states(encoder, ids_of(encoder, PIECES))
    assert len(every) == 3
    found = states(encoder, [["the", "xyz", "was"]]).words[0]
    torch.testing.assert_close(found, every[layer][[1, 2, 5]], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pool", ["first", "mean"])
@pytest.mark.parametrize("window", [0, 10])
def test_a_sentence_gives_the_same_alone_in_a_batch_and_in_any_order(make, pool, window):
    encoder = make(pool=pool, window=window)
    together = states(encoder, SENTENCES)
    backwards = states(encoder, SENTENCES[::-1])
    for row, sentence in enumerate(SENTENCES):
        alone = states(encoder, [sentence])
        for batch, place in ((together, row), (backwards, len(SENTENCES) - 1 - row)):
            torch.testing.assert_close(
                batch.words[place, : len(sentence)], alone.words[0], atol=1e-5, rtol=0
            )
            torch.testing.assert_close(batch.vector[place], alone.vector[0], atol=1e-5, rtol=0)


def test_words_that_the_tokenizer_drops_have_the_vector_of_the_unknown(make):
    encoder = make()
    assert encoder.sub_words(["\ufe0f", "\u200d", "\x00"]) == 0
    sentence = ["the", "\ufe0f", "was"]
    expected = hidden_states(encoder, ids_of(encoder, ["[CLS]", "the", "[UNK]", "was", "[SEP]"]))
    found = states(encoder, [sentence]).words[0]
    torch.testing.assert_close(found, expected[-1][1:4], atol=1e-5, rtol=0)


def test_a_long_sentence_is_read_in_windows_of_the_models_maximum(make):
    encoder = make()
    assert encoder.window == 128
    sentence = ["the", "abc"] * 100
    encoded = encoder.encode(sentence)
    assert len(encoded.windows) > 1
    assert all(len(window) <= 128 for window in encoded.windows)
    found = states(encoder, [sentence, ["hi"]])
    assert found.words.shape == (2, 200, 32)
    for word in (0, 1, 62, 63, 120, 199):
        window = hidden_states(encoder, list(encoded.windows[encoded.row[word]]))[-1]
        torch.testing.assert_close(
            found.words[0, word], window[encoded.first[word]], atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("window", [0, 6])
def test_a_sentence_is_as_long_as_its_windows(make, window):
    """[CLS], four pieces and [SEP]; twice as many words do not fit into six."""
    encoder = make(window=window)
    words = ["the", "xyz"]
    assert encoder.length(encoder.encode(words), 2) == 6
    encoded = encoder.encode(words * 2)
    assert encoder.length(encoded, 4) == sum(map(len, encoded.windows))
    assert (len(encoded.windows) > 1) == (window == 6)
    # 8 pieces between [CLS] and [SEP] in one row; in rows of four, every row has its own.
    assert encoder.length(encoded, 4) >= (10 if window == 0 else 12)


def test_a_window_as_long_as_the_sentence_changes_nothing(make):
    sentence = ["the", "xyz", "was"]
    whole = states(make(), [sentence]).words
    torch.testing.assert_close(states(make(window=7), [sentence]).words, whole)
    assert not states(make(window=6), [sentence]).words.allclose(whole)


def test_a_file_that_says_to_cut_and_pad_does_neither(make, tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder, tmp_path / "cutting")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["truncation"] = {
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
        "direction": "Right",
    }
    tokenizer["padding"] = {
        "strategy": {"Fixed": 16},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    cutting, plain = make(model=str(folder)), make()
    assert (cutting.before, cutting.after) == (plain.before, plain.after)
    sentence = ["the"] * 20
    assert cutting.encode(sentence) == plain.encode(sentence)
    assert cutting.sub_words(sentence) == 20


TRAINED = {
    0: {"embeddings", "encoder.layer.0", "encoder.layer.1"},
    1: {"encoder.layer.1"},
    2: set(),
    -1: set(),
}


@pytest.mark.parametrize(("freeze", "trained"), TRAINED.items())
def test_freeze_says_which_layers_get_a_gradient(make, freeze, trained):
    encoder = make(freeze=freeze)
    probe = torch.zeros((), requires_grad=True)
    (encoder(inputs(encoder, SENTENCES), None).words.square().sum() + probe).backward()
    parts = {*TRAINED[0]}
    for name, parameter in encoder.model.named_parameters():
        part = next(part for part in parts if name.startswith(part))
        assert (parameter.grad is not None) is (part in trained), name
        assert parameter.requires_grad is (part in trained), name


def test_every_weight_trains_since_the_pooler_is_gone(make):
    assert not [name for name in make().state_dict() if "pooler" in name]


@pytest.mark.parametrize("options", [{}, {"pool": "mean", "layer": 1, "window": 10, "freeze": 1}])
def test_a_finished_run_rebuilds_it_without_the_original(make, tiny_encoder, tmp_path, options):
    original = tmp_path / "original"
    shutil.copytree(tiny_encoder, original)
    encoder = make(model=str(original), **options)
    assets = tmp_path / "assets"
    assets.mkdir()
    encoder.save_assets(assets)
    assert not list(assets.glob("*.safetensors"))
    save_file(encoder.state_dict(), tmp_path / "weights.safetensors")
    shutil.rmtree(original)
    rebuilt = make(model=str(original), assets=assets, **options)
    rebuilt.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    expected, found = states(encoder, SENTENCES), states(rebuilt, SENTENCES)
    assert found.words.equal(expected.words)
    assert found.vector.equal(expected.vector)
    assert rebuilt.window == encoder.window


def test_rebuilding_draws_no_weights_that_the_run_s_own_replace(make, tmp_path):
    make().save_assets(tmp_path)
    before = torch.get_rng_state()
    rebuilt = make(assets=tmp_path, case="off")
    assert torch.get_rng_state().equal(before)
    assert not rebuilt.model.get_input_embeddings().weight.any()


@pytest.mark.parametrize("kind", ["albert", "deberta-v2", "electra", "modernbert", "roberta", "t5"])
def test_a_model_made_without_drawing_is_the_same_once_its_weights_are_loaded(kind):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "d_model": 32}
    sizes |= {"intermediate_size": 32, "num_layers": 2, "num_heads": 4, "d_kv": 8, "d_ff": 32}
    known = AutoConfig.for_model(kind)
    own = {name: size for name, size in sizes.items() if hasattr(known, name)}
    config = AutoConfig.for_model(kind, vocab_size=50, pad_token_id=0, **own)
    drawn = AutoModel.from_config(config).eval()
    before = torch.get_rng_state()
    with NothingDrawn():
        made = AutoModel.from_config(config).eval()
    assert torch.get_rng_state().equal(before)
    made.load_state_dict(drawn.state_dict())
    pieces = torch.arange(5, 15)[None]
    inputs = {"input_ids": pieces} | ({"decoder_input_ids": pieces} if kind == "t5" else {})
    with torch.no_grad():
        assert made(**inputs)[0].equal(drawn(**inputs)[0])
    buffers = dict(drawn.named_buffers())
    assert all(buffer.equal(buffers[name]) for name, buffer in made.named_buffers())


def test_half_precision_files_are_read_and_rebuilt_in_full_precision(make, tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder, tmp_path / "half")
    AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    encoder = make(model=str(folder))
    encoder.save_assets(tmp_path)
    for made in (encoder, make(assets=tmp_path)):
        assert {parameter.dtype for parameter in made.parameters()} == {torch.float32}


def user_error(make, **options):
    with pytest.raises(UserError) as caught:
        make(**options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 3}, "layer = 3: '{model}' has layers 0 to 2"),
        ({"layer": -2}, "layer = -2"),
        ({"freeze": 3}, "freeze = 3: '{model}' has 2 layers"),
        ({"freeze": -2}, "freeze = -2"),
        ({"window": 129}, "window = 129: '{model}'"),
        ({"window": 2}, "window = 2"),
        ({"window": -5}, "window = -5"),
        ({"model": "/nowhere/bert"}, "no folder '/nowhere/bert'"),
        ({"model": "./nowhere"}, "no folder './nowhere'"),
        ({"model": "mmseq-tests/never-there"}, "'mmseq-tests/never-there'"),
        ({"model": "what is this?"}, "'what is this?'"),
        ({"model": "pkg:never-there/model"}, "never-there, which is not installed"),
    ],
)
def test_wrong_options_are_a_users_error(make, tiny_encoder, options, message):
    assert message.format(model=tiny_encoder) in user_error(make, **options)


def without(name):
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def damage_weights(folder):
    (folder / "model.safetensors").write_bytes(b"\x01" * 50)


def drop_a_weight(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without("*"), "cannot be loaded"),
        (without("config.json"), "cannot be loaded"),
        (without("model.safetensors"), "model.safetensors"),
        (without("tokenizer*"), "no tokenizer there"),
        (damage_weights, "deserializing"),
        (drop_a_weight, "1 weights are not in its file, such as 'encoder.layer.0.output."),
    ],
    ids=["empty", "no config", "no weights", "no tokenizer", "damaged", "incomplete"],
)
def test_a_broken_model_folder_is_a_users_error(make, tiny_encoder, tmp_path, damage, reason):
    folder = shutil.copytree(tiny_encoder, tmp_path / "broken")
    damage(folder)
    assert reason in user_error(make, model=str(folder))


def test_an_encoder_whose_layers_share_weights_cannot_be_frozen_by_layer(
    make, tiny_encoder, tmp_path
):
    from transformers import AlbertConfig, AlbertModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.save_pretrained(tmp_path)
    config = AlbertConfig(
        vocab_size=len(tokenizer),
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
    )
    AlbertModel(config).save_pretrained(tmp_path)
    assert "0 and -1 are possible" in user_error(make, model=str(tmp_path), freeze=1)
    frozen = make(model=str(tmp_path), freeze=-1)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """A tiny RoBERTa whose tokenizer wants a space before each word, as published ones do."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizer

    folder = tmp_path_factory.mktemp("byte-level")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [*special, *sorted(ByteLevel.alphabet()), "Ġa", "bc"]
    tokenizer = RobertaTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[("Ġ", "a"), ("b", "c")]
    )
    tokenizer.save_pretrained(folder)
    assert json.loads((folder / "tokenizer_config.json").read_text())["add_prefix_space"] is False
    config = RobertaConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=14,
    )
    RobertaModel(config).save_pretrained(folder)
    return folder


def test_a_byte_level_tokenizer_gets_words_with_their_space(make, byte_level, tmp_path):
    encoder = make(model=str(byte_level))
    sentence = ["a", "abc", "bc"]
    encoded = encoder.encode(sentence)
    pieces = encoder.tokenizer.convert_ids_to_tokens(list(encoded.windows[0]))
    assert pieces == ["<s>", "Ġa", "Ġa", "bc", "Ġ", "bc", "</s>"]
    assert (encoded.first, encoded.last) == ((1, 2, 4), (2, 4, 6))
    encoder.save_assets(tmp_path)
    assert make(model=str(byte_level), assets=tmp_path).encode(sentence) == encoded


def test_the_window_knows_that_roberta_counts_positions_from_the_padding(make, byte_level):
    encoder = make(model=str(byte_level))
    # 14 positions, of which 0 and 1 are never used.
    assert encoder.window == 12
    assert "allows 3 to 12" in user_error(make, model=str(byte_level), window=13)
    sentences = [["a"] * 30, ["bc"]]
    found = states(encoder, sentences)
    assert len(encoder.encode(sentences[0]).windows[0]) == 12
    for row, sentence in enumerate(sentences):
        torch.testing.assert_close(
            found.words[row, : len(sentence)],
            states(encoder, [sentence]).words[0],
            atol=1e-5,
            rtol=0,
        )


def seen_pieces(encoder, sentences, monkeypatch):
    """The sub-words that reach the network, row by row."""
    given = []
    forward = encoder.model.forward

    def spy(*, input_ids, **rest):
        given.append(encoder.tokenizer.batch_decode(input_ids[..., None].flatten(0, 1)))
        return forward(input_ids=input_ids, **rest)

    monkeypatch.setattr(encoder.model, "forward", spy)
    encoder(inputs(encoder, sentences), None)
    return given[0]


def test_word_dropout_masks_whole_words_in_training_only(make, monkeypatch):
    encoder = make(word_dropout=0.5, case="off")
    sentences = [["the", "xyz", "was"], ["seen"]]
    plain = ["[CLS]", "the", "x", "##y", "##z", "was", "[SEP]"]
    plain += ["[CLS]", "seen", "[SEP]", *["[PAD]"] * 4]
    assert seen_pieces(encoder, sentences, monkeypatch) == plain
    # Words 1 and 3 of the first sentence fall below the share, and the padding never counts.
    draws = torch.tensor([[0.1, 0.6, 0.4], [0.9, 0.0, 0.0]])
    monkeypatch.setattr(torch, "rand", lambda shape, device: draws)
    masked = [*plain]
    masked[1] = masked[5] = "[MASK]"
    assert seen_pieces(encoder.train(), sentences, monkeypatch) == masked
    draws[0, 1] = 0.2
    masked[2:5] = ["[MASK]"] * 3
    assert seen_pieces(encoder, sentences, monkeypatch) == masked
    assert seen_pieces(make(case="off"), sentences, monkeypatch) == plain


def test_word_dropout_hides_its_share(make, monkeypatch):
    encoder = make(word_dropout=0.25, case="off").train()
    torch.manual_seed(0)
    pieces = seen_pieces(encoder, [["the"] * 100] * 20, monkeypatch)
    # Four standard deviations of 2000 draws are 0.039.
    assert pieces.count("[MASK]") / 2000 == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(
    ("option", "value"),
    [("word_dropout", -0.1), ("word_dropout", 1.0), ("learning_rate", -0.1), ("window", -5)],
)
def test_a_number_out_of_its_range_is_a_users_error(option, value):
    message = f"text encoder 'transformer': {option} = {value}; it must be at least 0"
    with pytest.raises(UserError, match=message):
        Config.from_layers(settings={f"text_encoder.{option}": value})


def test_case_is_told_where_the_tokenizer_lower_cases_and_begins_as_nothing(make):
    plain, told = make(case="off"), make()
    assert plain.case is None
    # The tiny tokenizer lower-cases, as the packaged one does.
    assert told.case.weight.shape == (8, 32)
    assert told.rate_factors() == {"case.weight": 10.0}
    assert plain.rate_factors() == {}
    found, expected = states(told, SENTENCES), states(plain, SENTENCES)
    torch.testing.assert_close(found.words, expected.words, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.vector, expected.vector, atol=1e-6, rtol=0)


def test_case_is_a_vector_added_to_every_sub_word_of_a_word(make):
    encoder = make()
    with torch.no_grad():
        encoder.case.weight.copy_(torch.randn(8, 32, generator=torch.manual_seed(0)))
    tensors = encoder.collate([encoder.encode(["the", "Xyz", "was"])])
    # lower is 1 and title 2 of the table; [CLS] and [SEP] have row 0.
    assert tensors["shapes"].tolist() == [[0, 1, 2, 2, 2, 1, 0]]
    embedded = encoder.model.get_input_embeddings()(torch.tensor([ids_of(encoder, PIECES)]))
    added = encoder.case.weight[torch.tensor([[0, 1, 2, 2, 2, 1, 0]])]
    with torch.no_grad():
        last = encoder.model(inputs_embeds=embedded + added).last_hidden_state[0]
    found = states(encoder, [["the", "Xyz", "was"]]).words[0]
    torch.testing.assert_close(found, last[[1, 2, 5]], atol=1e-5, rtol=0)
    lower = states(encoder, [["the", "xyz", "was"]]).words[0]
    assert not torch.allclose(found, lower, atol=1e-3)


def test_a_cased_tokenizer_needs_no_help(make, tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder, tmp_path / "cased")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (folder / name).read_text().replace('"lowercase": true', '"lowercase": false')
        (folder / name).write_text(text.replace('"do_lower_case": true', '"do_lower_case": false'))
    assert make(model=str(folder)).case is None
    assert make(model=str(folder), case="on").case is not None
    assert make(freeze=1).case is None
    assert make(freeze=1, case="on").case is not None
