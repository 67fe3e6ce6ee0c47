"""Linear layers in 8 bits: what they compute, which layers they are, and a whole run with them."""

import json
import warnings

import pytest
import torch
from torch import nn

import mmseq
from mmseq.config.config import Config
from mmseq.data.splits import load_folder
from mmseq.layers.quantise import Int8Linear, quantise


@pytest.fixture(scope="module")
def run(tiny_encoder, tiny_data, run_once):
    """A text-only run that has learned its few names."""
    config = Config.from_layers(
        flags={
            "text_encoder": {
                "name": "transformer",
                "model": str(tiny_encoder),
                "learning_rate": 1e-2,
            },
            "fusion": {"name": "none"},
        },
        aux=[],
        settings={
            "data.path": str(tiny_data),
            "train.epochs": 12,
            "train.batch_size": 4,
            "train.device": "cpu",
        },
    )
    return run_once(config)


def test_weights_are_the_nearest_of_127_steps_of_each_output():
    torch.manual_seed(0)
    linear = nn.Linear(48, 7)
    with torch.no_grad():
        # Outputs of very different size: one scale for all would lose the small ones.
        linear.weight.mul_(torch.logspace(-3, 3, 7)[:, None])
    small = Int8Linear(linear)
    steps = linear.weight.detach().abs().amax(dim=1, keepdim=True) / 63
    assert small.weight.shape == (7, 48)
    assert ((small.weight - linear.weight).abs() <= steps * 0.5001).all()
    assert small.bias.equal(linear.bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [32, 64, 96])
def test_results_are_those_of_the_rounded_weights_and_input(bias, outputs):
    torch.manual_seed(0)
    small = Int8Linear(nn.Linear(64, outputs, bias=bias))
    values = torch.randn(3, 5, 64)
    found = small(values)
    assert found.shape == (3, 5, outputs)
    assert found.dtype == torch.float32
    # The range of the whole input, or of each row with more outputs than inputs, has 255 steps.
    step = (values.max() - values.min()) / 255
    if outputs > 64:
        step = 2 * values.abs().amax(dim=-1, keepdim=True) / 255
    expected = nn.functional.linear(values, small.weight, small.bias)
    # Some five standard errors, where each rounding is an even draw.
    assert ((found - expected).abs() <= 5 * step / 12**0.5 * small.weight.norm(dim=1)).all()


def test_the_largest_values_do_not_overflow():
    """Two products of full size are added in 16 bits on some processors."""
    linear = nn.Linear(64, 8, bias=False)
    nn.init.constant_(linear.weight, 1.0)
    values = torch.full((4, 64), 3.0)
    assert Int8Linear(linear)(values).allclose(torch.full((4, 8), 192.0), rtol=1e-2)


def test_a_large_row_costs_the_others_nothing_where_outputs_are_more():
    torch.manual_seed(0)
    linear = nn.Linear(16, 64)
    values = torch.randn(6, 16)
    values[0] *= 1000
    found, expected = Int8Linear(linear)(values)[1:], linear(values)[1:]
    assert (found - expected).norm() < 0.03 * expected.norm()


def test_a_layer_of_zeros_stays_one():
    linear = nn.Linear(8, 3)
    nn.init.zeros_(linear.weight)
    assert Int8Linear(linear)(torch.randn(2, 8)).allclose(linear.bias.expand(2, -1))


class Looking(nn.Module):
    """Two names for one layer, one whose weights its owner reads, one of another class."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.again = self.first
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, values):
        values = self.again(values) @ self.first.weight.T
        return self.attention(values, values, values)[0]


def test_shared_layers_stay_shared_and_weights_can_be_looked_at():
    torch.manual_seed(0)
    part, values = Looking().eval(), torch.randn(2, 3, 8)
    before = part(values)
    assert quantise(part, "the encoder") == 1
    assert part.first is part.again
    assert isinstance(part.first, Int8Linear)
    # torch's attention multiplies with this layer's weights itself.
    assert not isinstance(part.attention.out_proj, Int8Linear)
    torch.testing.assert_close(part(values), before, rtol=0.1, atol=0.05)


def test_without_linear_layers_it_says_so():
    with pytest.raises(mmseq.UserError, match="text encoder 'x' .*linear"):
        quantise(nn.LSTM(4, 4), "text encoder 'x'")


def test_a_torch_that_cannot_is_one_line(monkeypatch):
    # What torch says without an engine, which cannot be taken from it at run time.
    def absent(*arguments):
        raise RuntimeError("Didn't find engine for operation quantized::linear_prepack NoQEngine")

    monkeypatch.setattr(torch.ops.quantized, "linear_prepack", absent)
    with pytest.raises(mmseq.UserError, match="8-bit .*processor"):
        quantise(nn.Sequential(nn.Linear(4, 4)), "text encoder")


def test_a_run_in_8_bits_tags_nearly_as_before_in_less_memory(run, tiny_data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, small = mmseq.load(run), mmseq.load(run, int8=True)
    linear = {n for n, m in whole.model.text_encoder.named_modules() if type(m) is nn.Linear}
    replaced = {n: m for n, m in small.model.named_modules() if isinstance(m, Int8Linear)}
    # Six in each of two layers: queries, keys, values, output, and the two of the feed-forward.
    assert len(linear) == 12
    assert set(replaced) == {f"text_encoder.{name}" for name in linear}

    kept = sum(p.numel() for p in small.model.parameters())
    weights = [whole.model.text_encoder.get_submodule(name) for name in linear]
    assert kept == sum(p.numel() for p in whole.model.parameters()) - sum(
        p.numel() for layer in weights for p in layer.parameters()
    )
    integers = [torch.ops.quantized.linear_unpack(m._packed)[0] for m in replaced.values()]
    assert {weight.element_size() for weight in integers} == {1}

    sentences = [list(e.tokens) for e in load_folder(tiny_data)["train"].examples]
    pairs = [
        (a, b)
        for one, two in zip(whole.predict(sentences), small.predict(sentences), strict=True)
        for a, b in zip(one.tags, two.tags, strict=True)
    ]
    assert len({a for a, _ in pairs}) > 2
    assert sum(a == b for a, b in pairs) >= 0.95 * len(pairs)


def test_the_commands_take_it(run, run_cli, tiny_data, tmp_path):
    result = run_cli("evaluate", run, "--int8", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["int8"] is True
    scores = mmseq.load(run, int8=True).evaluate()
    assert json.loads(result.out)["test"] == scores
    assert "8 bits" in run_cli("evaluate", run, "--int8").out
    target = tmp_path / "tagged.jsonl"
    result = run_cli(
        "predict", run, "--int8", "--input", tiny_data / "test.jsonl", "--output", target
    )
    assert (result.code, result.err) == (0, "")
    assert len(target.read_text().splitlines()) == 8


def test_on_a_gpu_it_is_one_line(run):
    with pytest.raises(mmseq.UserError, match="int8 .*'cuda'"):
        mmseq.load(run, int8=True, device="cuda")
    with pytest.raises(mmseq.UserError, match="device 'nonsense'"):
        mmseq.load(run, int8=True, device="nonsense")
