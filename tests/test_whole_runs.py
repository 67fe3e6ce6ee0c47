"""A run is rebuilt from its folder alone: no place, no code, no more memory than its weights."""

import json
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

import mmseq
from mmseq.builtins.text.plain import without_places
from mmseq.builtins.text.transformer import TransformerEncoder
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError
from mmseq.model.budget import Budget

ENCODER = "assets/text_encoder/config.json"
TOKENIZER = "assets/text_encoder/tokenizer_config.json"
TIMM = "assets/image_encoder/timm.json"
TRANSFORM = {
    "input_size": [3, 160, 160],
    "interpolation": "bicubic",
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
}


@pytest.fixture
def run(pictured_run, tmp_path):
    return shutil.copytree(pictured_run, tmp_path / "run")


@pytest.fixture
def no_network(monkeypatch):
    """Names of the hosts that were asked for, none of which answers."""
    asked = []

    def refuse(host, *arguments, **options):
        asked.append(host)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: refuse(address))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return asked


def change(path, changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def told(result, *words):
    assert result.code == 2, result.err
    (line,) = result.err.splitlines()
    for word in words:
        assert word in line
    assert len(line) < 600
    return line


PLACE = "names code or a place, and a run holds all that it needs: remove the key"
HOSTILE = [
    (ENCODER, {"auto_map": {"AutoModel": "own.Model"}}, f"'auto_map' {PLACE}"),
    (ENCODER, {"a": {"b": [{"auto_map": "x"}]}}, f"'auto_map' {PLACE}"),
    (ENCODER, {"_name_or_path": "someone/model"}, f"'_name_or_path' {PLACE}"),
    (ENCODER, {"configuration_files": ["config.4.0.json"]}, f"'configuration_files' {PLACE}"),
    (ENCODER, {"model_type": "unheard-of"}, "transformers knows no model_type 'unheard-of'"),
    (ENCODER, {"model_type": None}, "transformers knows no model_type None"),
    (ENCODER, {"model_type": ["bert"]}, "transformers knows no model_type a list"),
    (ENCODER, {"num_hidden_layers": 10**9}, "'num_hidden_layers' is not from 0 to 10000"),
    (ENCODER, {"num_attention_heads": -1}, "'num_attention_heads' is not from 0 to 10000"),
    (ENCODER, {"hidden_dropout_prob": float("nan")}, "'hidden_dropout_prob' is no number"),
    (ENCODER, {"hidden_act": "no_such"}, "damaged or incomplete (KeyError"),
    (ENCODER, {"hidden_size": "32"}, "damaged or incomplete"),
    (TOKENIZER, {"tokenizer_file": "/etc/passwd"}, f"'tokenizer_file' {PLACE}"),
    (TOKENIZER, {"vocab_file": "../../other"}, f"'vocab_file' {PLACE}"),
    (TOKENIZER, {"gguf_file": "x.gguf"}, f"'gguf_file' {PLACE}"),
    (TOKENIZER, {"auto_map": {"AutoTokenizer": ["own.T", None]}}, f"'auto_map' {PLACE}"),
    (TOKENIZER, {"cls_token": "[NEW]"}, "ids up to 148, its embeddings are 148"),
    (TOKENIZER, {"cls_token": 3}, "damaged or incomplete (TypeError"),
    (TIMM, {"architecture": "hf-hub:someone/model"}, "no architecture 'hf-hub:someone/model'"),
    (TIMM, {"architecture": "local-dir:/etc"}, "no architecture 'local-dir:/etc'"),
    (TIMM, {"architecture": 3}, "timm.json: architecture: 3 is no string"),
    (TIMM, {"arguments": {"checkpoint_path": "a.pth"}}, "'checkpoint_path' is not one that"),
    (TIMM, {"arguments": {"pretrained_cfg": {"file": "a"}}}, "'pretrained_cfg' is not one that"),
    (TIMM, {"arguments": {"pretrained_cfg_overlay": {"url": "a"}}}, "'pretrained_cfg_overlay' is"),
    (TIMM, {"arguments": {"depth": 10**6}}, "its argument 'depth' is above 1000"),
    (TIMM, {"arguments": {"embed_dim": float("inf")}}, "its argument 'embed_dim' is neither"),
    (TIMM, {"arguments": []}, "timm.json: arguments: a list is no table"),
    (TIMM, {"url": "http://x"}, "timm.json: url is not a key that it may have"),
    (TIMM, {"input_size": [3, 10**6, 10**6]}, "timm.json: input_size.1: 1000000 is refused"),
    (TIMM, {"input_size": [3, 160]}, "timm.json: input_size: a list is refused"),
    (TIMM, {"fixed_input_size": 1}, "timm.json: fixed_input_size: 1 is neither true nor false"),
    (TIMM, {"data": {**TRANSFORM, "mean": [0.5, 0.5]}}, "timm.json: data.mean: a list is refused"),
    (TIMM, {"data": {**TRANSFORM, "std": [0.5] * 4}}, "timm.json: data.std: a list is refused"),
    (TIMM, {"cut_before": "1"}, "timm.json: cut_before: '1' is no whole number"),
]


@pytest.mark.parametrize(("file", "changes", "words"), HOSTILE)
def test_a_run_names_no_place_and_no_code(run, run_cli, no_network, file, changes, words):
    change(run / file, changes)
    told(run_cli("predict", run, "--text", "Jordan"), f"{run / 'assets'}: ", words)
    assert no_network == []


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ([], "text_encoder/form.json: it is no table"),
        ({"part": "decoder"}, "text_encoder/form.json: part: 'decoder' is refused"),
        ({"width": -1}, "text_encoder/form.json: width: -1 is too small"),
        ({"tokenizer": ["/etc/passwd"]}, "'/etc/passwd' is no file's name"),
    ],
)
def test_the_form_of_an_encoder_is_checked(run, run_cli, form, words):
    (run / "assets" / "text_encoder" / "form.json").write_text(json.dumps(form))
    told(run_cli("predict", run, "--text", "Jordan"), words)


def test_a_run_asks_no_network_where_its_encoder_is_lost(run, run_cli, no_network, monkeypatch):
    shutil.rmtree(run / "assets" / "text_encoder")
    # Seen from here, the folder is called as an encoder of the Hub could be.
    monkeypatch.chdir(run)
    told(run_cli("predict", ".", "--text", "Jordan"), "text_encoder/config.json is missing")
    assert no_network == []


def test_a_whole_run_asks_no_network(run, run_cli, no_network):
    assert run_cli("predict", run, "--text", "Jordan").code == 0
    assert no_network == []


def test_what_names_places_is_not_saved(tmp_path, tiny_encoder):
    """An encoder from elsewhere may say where it was, and that it had code of its own."""
    source = shutil.copytree(tiny_encoder, tmp_path / "source")
    change(source / "config.json", {"auto_map": {"AutoModel": "own.Model"}})
    (tmp_path / "saved").mkdir()
    TransformerEncoder(Sizes(("O",)), model=str(source)).save_assets(tmp_path / "saved")
    assert "auto_map" not in json.loads((tmp_path / "saved" / "config.json").read_text())
    TransformerEncoder(Sizes(("O",)), assets=tmp_path / "saved")


def test_only_keys_that_name_a_place_go(tmp_path):
    kept = {"model_type": "bert", "vocab_file": None, "label2id": {"file": 1}, "n": [{"a": "b"}]}
    gone = {"vocab_file2": 1, "n": [{"a": "b", "url": "x"}], "spm_file": "x"}
    (tmp_path / "config.json").write_text(json.dumps({**kept, **gone}))
    without_places(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == {**kept, "vocab_file2": 1}


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        (ENCODER, {"intermediate_size": 10**8}),
        (ENCODER, {"vocab_size": 10**9}),
        (ENCODER, {"max_position_embeddings": 10**9}),
        (TIMM, {"arguments": {"embed_dim": 65536}}),
    ],
)
def test_a_model_larger_than_its_weights_is_refused_before_memory_is_taken(
    run, run_cli, monkeypatch, file, changes
):
    largest = []
    plain = torch.empty

    def empty(*sizes, **options):
        made = plain(*sizes, **options)
        largest.append(0 if made.is_meta else made.nbytes)
        return made

    monkeypatch.setattr(torch, "empty", empty)
    change(run / file, changes)
    line = told(run_cli("predict", run, "--text", "Jordan"))
    assert line.startswith(f"Error: {run / 'assets'}: asks for ")
    assert " GB at once, and the weights are 0.001 GB in all: they are of another" in line
    assert max(largest) < 2**29


def many(number):
    for _ in range(number):
        torch.zeros(0)


def test_a_budget_counts_bytes_and_tensors():
    """3 times the weights, and half a GiB; 20 tensors for one, and 5,000."""
    with Budget(0, 0, "run"):
        torch.empty(2**27, dtype=torch.float32)
    with Budget(1, 0, "run"):
        many(5020)
    with pytest.raises(UserError, match=r"^run: asks for ever more tensors"), Budget(0, 0, "run"):
        many(5001)
    with pytest.raises(UserError, match=r"asks for 0\.5 GB at once"), Budget(0, 1000, "run"):
        torch.empty(2**29 + 3001, dtype=torch.uint8)


def rewrite(path, name, new):
    tensors = load_file(path)
    tensors[name] = new(tensors[name])
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (lambda t: t.half(), "(head.weight is of float16, here of float32); config.toml"),
        (lambda t: t.view(torch.int32), "(head.weight is of int32, here of float32); config.toml"),
        (lambda t: t[:, :1].contiguous(), "here ("),
        (lambda t: t * float("nan"), "damaged: head.weight holds what is no number; restore"),
        (lambda t: t + float("inf"), "damaged: head.weight holds what is no number; restore"),
        (lambda t: t * 0 + 3e38, "gives scores that are no numbers: its weights are damaged"),
    ],
)
def test_weights_that_are_garbage_tag_nothing(run, run_cli, new, words):
    rewrite(run / "model.safetensors", "head.weight", new)
    found = run_cli("predict", run, "--text", "Jordan", "--json")
    told(found, words)
    assert found.out == ""


def test_large_weights_whose_sum_is_no_number_are_weights(run):
    """Each of them is one; only all together are beyond float32."""
    rewrite(run / "model.safetensors", "text_encoder.case.weight", lambda t: t * 0 + 2e38)
    mmseq.load(run)
