"""Text encoders of many architectures: those that are served, and why others are not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BartConfig,
    BartModel,
    BertConfig,
    BertModel,
    BertweetTokenizer,
    CLIPConfig,
    CLIPModel,
    FNetConfig,
    FNetModel,
    FunnelBaseModel,
    FunnelConfig,
    MraConfig,
    MraModel,
    OPTConfig,
    OPTModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    T5Model,
    UdopConfig,
    UdopModel,
    XLNetConfig,
    XLNetModel,
)

from mmseq.builtins.text.suitable import Unsuitable, require_suitable, takes_vectors
from mmseq.builtins.text.transformer import TransformerEncoder
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError

EXAMPLES = str(Path(__file__).parents[1] / "examples")
SIZES = Sizes(labels=("O",))
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}


@pytest.fixture
def tried(monkeypatch):
    """examples/encoders.py as a module."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import encoders

    return encoders


@pytest.fixture
def saved(tiny_encoder, tmp_path):
    """`saved(model)`: its folder, with the tokenizer of the tiny BERT."""

    def save(model, folder="model"):
        model.save_pretrained(tmp_path / folder)
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path / folder)
        return tmp_path / folder

    return save


@pytest.fixture
def words(tiny_encoder):
    return len(AutoTokenizer.from_pretrained(tiny_encoder))


@pytest.fixture
def bertweet(tmp_path):
    """A tiny BERTweet: its tokenizer is written in Python."""
    letters = "abcdefghijklmnopqrstuvwxyzABC"
    (tmp_path / "vocab.txt").write_text("".join(f"{c} 1\n{c}@@ 1\n" for c in letters))
    (tmp_path / "bpe.codes").write_text("a b 1\n")
    tokenizer = BertweetTokenizer(str(tmp_path / "vocab.txt"), str(tmp_path / "bpe.codes"))
    folder = tmp_path / "bertweet"
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 32, "max_position_embeddings": 66}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    return folder


def made(folder, **options):
    return TransformerEncoder(SIZES, model=str(folder), **options).eval()


def kept(encoder, folder, **options):
    """The encoder of a run, from its assets and weights alone."""
    folder.mkdir()
    encoder.save_assets(folder)
    copy = made("/nowhere", assets=folder, **options)
    copy.load_state_dict(encoder.state_dict(), strict=True)
    return copy


def refusal(folder, **options):
    with pytest.raises(UserError) as caught:
        made(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def vectors(encoder, tokens):
    from mmseq.contracts.text_encoder import TextInputs

    mask = torch.ones(1, len(tokens), dtype=torch.bool)
    with torch.no_grad():
        return encoder(TextInputs(encoder.collate([encoder.encode(tokens)]), mask), None).words[0]


TWELVE = (
    *("bert", "roberta", "distilbert", "deberta-v2", "xlm-roberta", "electra"),
    *("albert", "xlnet", "t5", "bart", "modernbert"),
)


@pytest.mark.parametrize("name", TWELVE)
def test_architectures_that_people_use_are_served(tried, name, tmp_path):
    tried.build(name, tmp_path / "model")
    expected = "its encoder" if name in ("t5", "bart") else ""
    assert tried.served(tmp_path / "model", tmp_path) == expected


def test_the_example_goes_on_where_it_stopped(tmp_path):
    known = {"name": "bert", "result": "as before", "reason": "", "seconds": 1.0}
    output = tmp_path / "tried.jsonl"
    output.write_text(json.dumps(known) + "\n")
    command = [sys.executable, f"{EXAMPLES}/encoders.py", "--json", "--output", str(output)]
    done = subprocess.run(
        [*command, "bert", "fnet"], capture_output=True, text=True, timeout=300, check=True
    )
    rows = json.loads(done.stdout)
    assert rows == [json.loads(line) for line in output.read_text().splitlines()]
    assert rows[0] == known
    assert (rows[1]["name"], rows[1]["result"]) == ("fnet", "refused")
    assert rows[1]["reason"].startswith("padding, or a longer sentence beside it")


def test_a_tokenizer_written_in_python_is_served(tried, bertweet, tmp_path):
    assert tried.served(bertweet, tmp_path) == ""


def test_a_python_tokenizer_cuts_words_one_by_one(bertweet, tmp_path):
    encoder = made(bertweet)
    assert not encoder.tokenizer.is_fast
    sentence = ["ab", "cab", "", "é"]
    encoded = encoder.encode(sentence)
    pieces = encoder.tokenizer.convert_ids_to_tokens(list(encoded.windows[0]))
    assert pieces == ["<s>", "a@@", "b", "c@@", "a@@", "b", "<unk>", "<unk>", "</s>"]
    assert (encoded.first, encoded.last) == ((1, 3, 6, 7), (3, 6, 7, 8))
    assert encoder.sub_words(["ab", "cab"]) == 5
    copy = kept(encoder, tmp_path / "assets")
    assert copy.encode(sentence) == encoded
    for name in ("bpe.codes", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / "assets" / name).rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError, match=name):
            made("/nowhere", assets=tmp_path / "assets")
        (tmp_path / "away").rename(tmp_path / "assets" / name)


def test_a_python_tokenizer_whose_copy_cuts_a_training_word_otherwise_is_refused(
    bertweet, tmp_path
):
    encoder = made(bertweet)
    # What it knows and its files do not say, as of a tokenizer that loses a part in saving.
    encoder.tokenizer.cache["cab"] = "ab"
    encoder.encode(["ba", "cab"])
    with pytest.raises(UserError, match="cuts 'cab' otherwise; take another model"):
        encoder.save_assets(tmp_path)


def test_more_tokens_than_embeddings_are_refused(saved, words):
    config = BertConfig(
        vocab_size=words - 1, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    message = refusal(saved(BertModel(config)))
    assert f"ids up to {words - 1}, its embeddings are {words - 1}" in message


def xlnet(words, **changes):
    sizes = {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 32} | changes
    return XLNetModel(XLNetConfig(vocab_size=words, pad_token_id=0, **sizes))


def test_a_model_without_a_longest_input_takes_any_window(saved, words):
    folder = saved(xlnet(words))
    assert made(folder).window == 512
    assert made(folder, window=2000).window == 2000
    sentence = ["the", "abc"] * 200
    assert [len(w) for w in made(folder).encode(sentence).windows][0] <= 512
    assert "allows 3 and more sub-words (0: 512)" in refusal(folder, window=2)


def test_a_model_too_short_for_one_word_is_refused(saved, words):
    config = BertConfig(
        vocab_size=words,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=2,
    )
    assert "takes inputs of 2 sub-words" in refusal(saved(BertModel(config)))


def test_of_a_model_with_a_decoder_the_encoder_is_taken(saved, words, tmp_path):
    whole = BartModel(BartConfig(vocab_size=words, **BART)).eval()
    encoder = made(saved(whole), case="off")
    assert not [name for name in encoder.state_dict() if "decoder" in name]
    own = sum(p.numel() for p in whole.encoder.parameters())
    assert sum(p.numel() for p in encoder.parameters()) == own
    encoded = encoder.encode(["the", "abc"])
    with torch.no_grad():
        expected = whole.encoder(torch.tensor(encoded.windows)).last_hidden_state[0]
    torch.testing.assert_close(vectors(encoder, ["the", "abc"]), expected[list(encoded.first)])
    copy = kept(encoder, tmp_path / "assets", case="off")
    assert vectors(copy, ["the", "abc"]).equal(vectors(encoder, ["the", "abc"]))
    assert json.loads((tmp_path / "assets/config.json").read_text())["decoder_layers"] == 0
    assert made(tmp_path / "model", layer="mix").mix.shape == (3,)
    frozen = made(tmp_path / "model", freeze=1)
    trained = {n for n, p in frozen.model.named_parameters() if p.requires_grad}
    assert trained == {n for n, _ in frozen.model.named_parameters() if n.startswith("layers.1.")}


def test_a_run_that_kept_a_whole_model_is_rebuilt_whole(saved, words, tmp_path):
    """As runs did before the encoder was taken out: BART gave the states of its decoder."""
    whole = BartModel(BartConfig(vocab_size=words, **BART)).eval()
    assets = tmp_path / "assets"
    assets.mkdir()
    whole.config.save_pretrained(assets)
    AutoTokenizer.from_pretrained(saved(whole)).save_pretrained(assets)
    copy = made("/nowhere", assets=assets, case="off")
    copy.model.load_state_dict(whole.state_dict(), strict=True)
    encoded = copy.encode(["the", "abc"])
    with torch.no_grad():
        expected = whole(torch.tensor(encoded.windows)).last_hidden_state[0]
    torch.testing.assert_close(vectors(copy, ["the", "abc"]), expected[list(encoded.first)])


@pytest.mark.parametrize("kind", [T5Model, T5EncoderModel])
def test_a_file_with_the_encoder_alone_will_do(saved, words, kind):
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 4}
    encoder = made(saved(kind(T5Config(vocab_size=words, **sizes))))
    assert not [name for name in encoder.state_dict() if "decoder" in name]
    assert vectors(encoder, ["the", "abc"]).shape == (2, 32)


def test_of_clip_the_text_part_is_taken(saved, words, tmp_path):
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 4, "projection_dim": 16}
    text = {**small, "vocab_size": words, "max_position_embeddings": 20, "eos_token_id": 3}
    vision = {**small, "image_size": 16, "patch_size": 8}
    whole = CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).eval()
    encoder = made(saved(whole), case="off")
    assert encoder.window == 20
    encoded = encoder.encode(["the", "abc"])
    with torch.no_grad():
        expected = whole.text_model(torch.tensor(encoded.windows)).last_hidden_state[0]
    torch.testing.assert_close(vectors(encoder, ["the", "abc"]), expected[list(encoded.first)])
    assert not [name for name in encoder.state_dict() if "vision" in name]
    copy = kept(encoder, tmp_path / "assets", case="off")
    assert vectors(copy, ["the"]).equal(vectors(encoder, ["the"]))


def test_states_may_have_another_width_than_the_config_says(saved, words, tmp_path):
    sizes = {"hidden_size": 32, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 2}
    config = OPTConfig(vocab_size=words, num_attention_heads=4, max_position_embeddings=40, **sizes)
    encoder = made(saved(OPTModel(config)))
    assert encoder.width == 16
    copy = kept(encoder, tmp_path / "assets")
    assert copy.width == 16
    assert vectors(copy, ["the"]).equal(vectors(encoder, ["the"]))


def test_a_network_without_a_mask_is_refused_since_padding_leaks(saved, words):
    config = FNetConfig(vocab_size=words, hidden_size=32, num_hidden_layers=2, intermediate_size=32)
    message = refusal(saved(FNetModel(config)))
    assert "padding, or a longer sentence beside it, changes a sentence's states" in message


def test_a_network_that_needs_more_than_words_is_refused(saved, words):
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 4}
    message = refusal(saved(UdopModel(UdopConfig(vocab_size=words, **sizes))))
    assert "does not run on sub-words and a mask alone (Bbox is required" in message


def test_a_network_that_gives_fewer_states_than_sub_words_is_refused(tiny_encoder, words):
    sizes = {"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 32, "block_sizes": [1, 1]}
    network = FunnelBaseModel(FunnelConfig(vocab_size=words, **sizes))
    with pytest.raises(Unsuitable, match="it gives 2 states for 3 sub-words"):
        require_suitable(network, AutoTokenizer.from_pretrained(tiny_encoder))


def test_a_network_in_which_words_do_not_see_each_other_is_refused(tiny_encoder, words):
    """MRA attends to nothing where its kernel is not built, as on a CPU."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = MraModel(MraConfig(vocab_size=words, intermediate_size=32, **sizes))
    with pytest.raises(Unsuitable, match="does not depend on the words before it"):
        require_suitable(network, AutoTokenizer.from_pretrained(tiny_encoder))


def test_trying_a_network_changes_nothing_of_it(saved, words):
    folder = saved(xlnet(words, dropout=0.5))
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    assert require_suitable(network, tokenizer) == 32
    assert takes_vectors(network, tokenizer)
    assert torch.get_rng_state().equal(state)
    assert network.training
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())


def test_a_network_that_scales_its_embeddings_itself_is_not_given_vectors(saved, words, tmp_path):
    """The case of words could not be told without changing what was learned."""

    class Scaling(BertModel):
        def forward(self, input_ids=None, inputs_embeds=None, **others):
            if input_ids is not None:
                inputs_embeds = 2 * self.get_input_embeddings()(input_ids)
            return super().forward(inputs_embeds=inputs_embeds, **others)

    config = BertConfig(
        vocab_size=words, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    folder = saved(BertModel(config))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert takes_vectors(BertModel(config).eval(), tokenizer)
    assert not takes_vectors(Scaling(config).eval(), tokenizer)
