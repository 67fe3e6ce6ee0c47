"""What is wrong with a file is one line that names it."""

import pytest
import torch
from mmseq_umt.parity import compare

from mmseq import UserError
from mmseq.__main__ import run


def error(path):
    with pytest.raises(UserError) as caught:
        compare(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_a_missing_file(tmp_path, capsys):
    path = tmp_path / "nothing.safetensors"
    assert error(path) == "no such file; check the path."
    assert error(tmp_path) == "no such file; check the path."
    assert run(["parity", str(path)]) == 2
    assert capsys.readouterr() == ("", f"Error: {path}: no such file; check the path.\n")


@pytest.mark.parametrize("text", [b"", b"no tensors here\n", b"\x02\0\0\0\0\0\0\0[]"])
def test_no_safetensors_file(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_bytes(text)
    assert error(path).startswith("no safetensors file that can be read (")


def test_a_file_cut_short(write_parity):
    path = write_parity()
    path.write_bytes(path.read_bytes()[:-100])
    assert error(path).startswith("no safetensors file that can be read (")


def test_a_header_without_config(write_parity):
    line = "its header has no entry 'config', which gives the sizes."
    assert error(write_parity(header={})) == line
    assert error(write_parity(header={"format": "pt"})) == line


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "Invalid JSON"), ("[1]", "Input should be an object"), ("null", "Input should be")],
)
def test_a_config_that_is_no_object(write_parity, text, fault):
    line = error(write_parity(header={"config": text}))
    assert line.startswith(f"faults in the header's 'config' (1): {fault}")


def test_a_config_without_a_key(write_parity):
    line = error(write_parity(config={"txt2img_layers": None, "num_tags": None}))
    assert line.startswith(
        "faults in the header's 'config' (2): txt2img_layers: Field required; "
        "num_tags: Field required. "
    )


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("vocab_size", 0, "Input should be"),
        ("hidden_size", "32", "Input should be"),
        ("num_tags", 5.5, "Input should be"),
        ("txt2txt_layers", True, "Input should be"),
        ("emission_mix", 1.5, "Input should be"),
        ("layer_norm_eps", float("nan"), "Input should be"),
        ("num_attention_heads", 5, "5 does not divide hidden_size 32"),
        ("intermediate_size", 48, "48 is not a multiple of hidden_size 32"),
    ],
)
def test_an_impossible_value_in_the_config(write_parity, key, value, fault):
    line = error(write_parity(config={key: value}))
    assert line.startswith(f"faults in the header's 'config' (1): {key}: {fault}")


def test_missing_inputs_and_outputs_are_counted_and_the_first_named(write_parity):
    names = ["inputs.tags", "inputs.image_regions", "outputs.text_X", "outputs.loss"]
    assert error(write_parity(dict.fromkeys(names))) == (
        "missing tensors (4): inputs.tags; inputs.image_regions; outputs.text_X; …. "
        "The README of mmseq-umt says what belongs in such a file."
    )


def test_missing_weights(write_parity):
    names = ["bert.embeddings.word_embeddings.weight", "gate.bias"]
    line = error(write_parity({f"weights.{name}": None for name in names}))
    assert line.startswith(
        "missing tensors (2): weights.bert.embeddings.word_embeddings.weight; weights.gate.bias. "
    )


def test_a_file_without_any_weight(parity_tensors, write_parity):
    weights = [name for name in parity_tensors if name.startswith("weights.")]
    # One layer at least is expected of the two text stacks, which have 2 and 3.
    least = len(weights) - 2 - (1 + 2) * 16
    line = error(write_parity(dict.fromkeys(weights)))
    assert line.startswith(f"missing tensors ({least}): ")


@pytest.mark.parametrize(
    ("name", "shape", "right"),
    [
        ("weights.gate.weight", (32, 63), (32, 64)),
        ("weights.vismap2text.weight", (32, 7), (32, 6)),
        ("weights.bert.embeddings.token_type_embeddings.weight", (), (2, 32)),
        ("weights.bert.embeddings.position_embeddings.weight", (8, 32), (9, 32)),
        ("weights.crf.transitions", (5, 4), (5, 5)),
        ("inputs.tags", (3, 4), (3, 5)),
        ("inputs.conversion_matrix", (5, 4), (4, 5)),
        ("inputs.image_regions", (2, 6, 2, 3), (3, "E", "h", "w")),
        ("inputs.image_regions", (3, 6, 6), (3, "E", "h", "w")),
        ("outputs.image_queried_P", (3, 5, 32), (3, 6, 32)),
        ("outputs.fused_F", (3, 5, 32), (3, 5, 64)),
        ("outputs.loss", (), (1,)),
    ],
)
def test_a_tensor_of_another_shape(write_parity, name, shape, right):
    line = error(write_parity({name: torch.zeros(shape)}))
    given, right = (", ".join(map(str, sizes)) for sizes in (shape, right))
    assert line.startswith("tensors of another shape (")
    assert f": {name} is ({given}), not ({right})" in line


def test_an_empty_batch(parity_tensors, write_parity):
    empty = {n: x[:0] for n, x in parity_tensors.items() if not n.startswith("weights.")}
    line = error(write_parity(empty))
    assert "): inputs.input_ids is (0, 5), not (B, N); " in line


def test_more_or_fewer_layers_than_the_header_says(write_parity):
    line = error(write_parity(config={"txt2txt_layers": 2}))
    assert line.startswith("tensors without a meaning here (16): weights.txt2txt_attention.layer.2")
    line = error(write_parity(config={"num_hidden_layers": 3}))
    assert line.startswith("missing tensors (16): weights.bert.encoder.layer.2.")


@pytest.mark.parametrize("name", ["weights.gate.scale", "outputs.text_Y", "notes"])
def test_a_tensor_that_nothing_reads(write_parity, name):
    line = error(write_parity({name: torch.zeros(3)}))
    assert line.startswith(f"tensors without a meaning here (1): {name}. ")


def test_undefined_numbers(parity_tensors, write_parity):
    loss = torch.tensor([float("nan")])
    weight = parity_tensors["weights.gate.bias"].clone()
    weight[3] = float("inf")
    line = error(write_parity({"outputs.loss": loss, "weights.gate.bias": weight}))
    assert line.startswith("tensors with infinite or undefined numbers (2): ")
    assert "outputs.loss" in line
    assert "weights.gate.bias" in line


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("input_ids", 11, "(not whole numbers from 0 to 10)"),
        ("tags", -1, "(not whole numbers from 0 to 4)"),
        ("boundary_tags", 0.5, "(not whole numbers from 0 to 3)"),
        ("attention_mask", [1, 0, 1, 0, 0], "(not ones, then zeros, in each row)"),
        ("attention_mask", [0, 0, 0, 0, 0], "(not ones, then zeros, in each row)"),
        ("attention_mask", [2, 1, 1, 0, 0], "(not ones, then zeros, in each row)"),
    ],
)
def test_impossible_inputs(write_parity, name, values, fault):
    wrong = torch.ones(3, 5, dtype=torch.long) * torch.tensor(values)
    line = error(write_parity({f"inputs.{name}": wrong}))
    assert line.startswith(f"impossible inputs (1): inputs.{name} {fault}. ")


def test_sentences_longer_than_the_positions(write_parity, parity_tensors):
    positions = "weights.bert.embeddings.position_embeddings.weight"
    changes = {positions: parity_tensors[positions][:4].clone()}
    line = error(write_parity(changes, config={"max_position_embeddings": 4}))
    assert line.startswith("impossible inputs (1): inputs.input_ids (5 in a row, 4 positions). ")
