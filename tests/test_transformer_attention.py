import math

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from mmseq.builtins.text.transformer_attention import NAME, attend, install

ROWS, HEADS, LENGTH, WIDTH = 3, 2, 5, 4


class Layer(nn.Module):
    is_causal = False


@pytest.fixture
def parts():
    torch.manual_seed(1)
    return tuple(torch.randn(ROWS, HEADS, LENGTH, WIDTH, dtype=torch.float64) for _ in range(3))


@pytest.fixture
def mask():
    """Rows of 5, 3 and 1 sub-words: (3, 1, 5, 5)."""
    lengths = torch.tensor([5, 3, 1])
    return (torch.arange(LENGTH) < lengths[:, None])[:, None, None].expand(-1, 1, LENGTH, -1)


def shares_of(query, key, mask):
    """By the definition, one row, head and query at a time."""
    shares = torch.zeros(ROWS, HEADS, LENGTH, LENGTH, dtype=torch.float64)
    for row in range(ROWS):
        for head in range(HEADS):
            for place in range(LENGTH):
                seen = [k for k in range(LENGTH) if mask[row, 0, place, k]]
                scores = [
                    math.exp(query[row, head, place] @ key[row, head, k] / WIDTH**0.5) for k in seen
                ]
                for k, score in zip(seen, scores, strict=True):
                    shares[row, head, place, k] = score / sum(scores)
    return shares


@pytest.mark.parametrize("added", [False, True])
def test_every_share_is_dropped_or_scaled_up(parts, mask, added):
    query, key, _ = parts
    shares = shares_of(query, key, mask)
    # Values that are unit vectors: what comes out are the shares themselves.
    value = torch.eye(LENGTH, dtype=torch.float64).expand(ROWS, HEADS, LENGTH, LENGTH)
    given = torch.zeros(mask.shape).double().masked_fill(~mask, -1e30) if added else mask
    torch.manual_seed(3)
    found, _ = attend(Layer(), query, key, value, given, dropout=0.25)
    assert found.shape == (ROWS, LENGTH, HEADS, LENGTH)
    found = found.transpose(1, 2)
    stays = found != 0
    # 16384 of 65536.
    torch.testing.assert_close(found, torch.where(stays, shares / 0.75, 0.0))
    there = shares > 0
    assert 0 < (stays & there).sum() < there.sum()
    assert not (stays & ~there).any()


def test_gradients_are_those_of_the_definition(parts, mask):
    """Against numerical ones, the draws held."""

    def drawn(query, key, value):
        torch.manual_seed(5)
        return attend(Layer(), query, key, value, mask, dropout=0.25)[0]

    assert torch.autograd.gradcheck(drawn, [part.requires_grad_() for part in parts])


def test_a_layer_s_own_scale_counts(parts, mask):
    query, key, value = parts
    torch.manual_seed(7)
    found, _ = attend(Layer(), query, key, value, mask, dropout=0.1, scaling=0.25)
    torch.manual_seed(7)
    # Twice the query at half the scale.
    twice, _ = attend(Layer(), query * 0.5, key, value, mask, dropout=0.1)
    torch.testing.assert_close(found, twice)


def test_without_a_mask_all_is_seen(parts):
    query, key, value = parts
    whole = torch.ones(ROWS, 1, LENGTH, LENGTH, dtype=torch.bool)
    torch.manual_seed(9)
    found, _ = attend(Layer(), query, key, value, None, dropout=0.1)
    torch.manual_seed(9)
    assert found.equal(attend(Layer(), query, key, value, whole, dropout=0.1)[0])


def causal(parts):
    return Layer(), parts, {"is_causal": True}


def fewer_keys(parts):
    query, key, value = parts
    layer = Layer()
    layer.num_key_value_groups = HEADS
    return layer, (query, key[:, :1], value[:, :1]), {}


def biased(parts):
    return Layer(), parts, {"position_bias": torch.full((1, 1, LENGTH, LENGTH), 2.0).double()}


@pytest.mark.parametrize("kind", [causal, fewer_keys, biased])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_is_not_alike_is_the_library_s(parts, kind, dropout):
    layer, given, options = kind(parts)
    torch.manual_seed(1)
    found, _ = attend(layer, *given, None, dropout, **options)
    torch.manual_seed(1)
    assert found.equal(sdpa_attention_forward(layer, *given, None, dropout, **options)[0])


TOKENS = dict.fromkeys([f"{name}_token_id" for name in ("pad", "bos", "eos", "cls", "sep")], 0)


def small(kind, **options):
    sizes = {
        "vocab_size": 50,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 32,
    }
    return AutoModel.from_config(AutoConfig.for_model(kind, **sizes, **TOKENS, **options))


DROPPING = {"attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.0}
KINDS = {
    "bert": DROPPING,
    "roberta": DROPPING,
    "electra": DROPPING,
    # Sees 2 places to each side in all but the first layer.
    "modernbert": {"attention_dropout": 0.1, "global_attn_every_n_layers": 2, "local_attention": 4},
}


@pytest.fixture
def drawn(monkeypatch):
    """The shares that were asked for; nothing is dropped."""
    asked = []
    monkeypatch.setattr(
        "mmseq.builtins.text.transformer_attention.drop",
        lambda values, p: asked.append(p) or values,
    )
    return asked


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_trains_with_the_attention_it_predicts_with(kind, drawn):
    """Drops nothing: what is left must be the library's."""
    torch.manual_seed(1)
    model = small(kind, **KINDS[kind])
    ids = torch.randint(5, 50, (3, 9))
    seen = torch.arange(9) < torch.tensor([9, 6, 2])[:, None]
    before = model.eval()(input_ids=ids, attention_mask=seen.long()).last_hidden_state
    for name, module in model.named_modules():
        if name.endswith("out_drop"):
            # ModernBERT drops what comes out, too, by the same number.
            module.p = 0.0
    install(model)
    assert model.config._attn_implementation == NAME
    after = model.train()(input_ids=ids, attention_mask=seen.long()).last_hidden_state
    assert drawn == [0.1, 0.1]
    torch.testing.assert_close(after[seen], before[seen])


def test_a_bert_s_attention_drops_in_training_and_only_there(drawn):
    model = small("bert")
    install(model)
    ids = torch.randint(5, 50, (3, 9))
    model.train()(input_ids=ids)
    assert drawn == [0.1, 0.1]
    model.eval()(input_ids=ids)
    assert drawn == [0.1, 0.1]


def test_a_model_with_an_attention_of_its_own_keeps_it():
    model = small("mpnet")
    install(model)
    assert model.config._attn_implementation == "eager"


def test_a_saved_config_does_not_name_it(tmp_path):
    model = small("bert")
    install(model)
    model.save_pretrained(tmp_path)
    assert NAME not in (tmp_path / "config.json").read_text()
    assert AutoModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
