import json
from pathlib import Path

import pytest
import torch
from mmseq_umt.parity import TOLERANCE, compare
from mmseq_umt.parity.comparison import Difference, difference, differences

from mmseq.__main__ import run

PUBLISHED = Path(__file__).parents[4] / "shared" / "parity" / "umt_small.safetensors"
OUTPUTS = [
    "text_X",
    "boundary_H",
    "boundary_emissions",
    "text_R",
    "image_queried_P",
    "image_A",
    "text_T",
    "fused_F",
    "main_emissions",
    "final_emissions",
    "loss",
    "decoded",
]


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="needs shared/parity/umt_small.safetensors")
def test_the_published_codes_numbers():
    found = differences(PUBLISHED)
    assert list(found) == OUTPUTS
    assert found["decoded"] == Difference(0, 1)
    assert TOLERANCE == 1e-5
    assert all(each.within for each in found.values())
    assert compare(PUBLISHED) == {name: each.largest for name, each in found.items()}


@pytest.mark.parametrize(
    ("ours", "theirs", "largest", "magnitude", "within"),
    [
        # 1e-5 of 1000 is 0.01, and 1e-5 of 0.01 is 1e-7.
        ([3.0, -1000.005], [3.0, -1000.0], 0.005, 1000.0, True),
        ([3.02, -1000.0], [3.0, -1000.0], 0.02, 1000.0, False),
        ([0.011, 0.0], [0.01, 0.0], 0.001, 0.01, False),
        ([0.01, 5e-8], [0.01, 0.0], 5e-8, 0.01, True),
        ([0.0, 0.0], [0.0, 0.0], 0.0, 0.0, True),
        ([1e-9, 0.0], [0.0, 0.0], 1e-9, 0.0, False),
        ([float("nan"), 2.0], [1.0, 2.0], float("nan"), 2.0, False),
        ([float("inf"), 2.0], [1.0, 2.0], float("inf"), 2.0, False),
    ],
)
def test_a_difference_is_judged_by_the_outputs_magnitude(ours, theirs, largest, magnitude, within):
    found = difference(*(torch.tensor(x, dtype=torch.double) for x in (ours, theirs)))
    assert found.largest == pytest.approx(largest, nan_ok=True)
    assert found.magnitude == magnitude
    assert found.within is within


def test_other_sizes_and_several_layers(write_parity):
    found = compare(write_parity())
    assert list(found) == OUTPUTS
    assert found["decoded"] == 0
    assert max(found.values()) <= 1e-5


FROM_FINAL = {"final_emissions", "loss"}
FROM_BOUNDARY = {"boundary_emissions", *FROM_FINAL}
FROM_FUSED = {"fused_F", "main_emissions", *FROM_FINAL}
FROM_TEXT = {"text_T", *FROM_FUSED}
FROM_IMAGE = {"image_A", *FROM_FUSED}
FROM_QUERIED = {"image_queried_P", *FROM_TEXT}
DOWNSTREAM = {
    "bert.embeddings.LayerNorm.bias": set(OUTPUTS) - {"decoded"},
    "bert.encoder.layer.1.output.dense.weight": set(OUTPUTS) - {"decoded"},
    "bert.pooler.dense.weight": set(),
    "self_attention.layer.1.attention.self.value.weight": {"boundary_H", *FROM_BOUNDARY},
    "self_attention_v2.layer.2.intermediate.dense.weight": {"text_R"} | FROM_QUERIED | FROM_IMAGE,
    "vismap2text_v2.weight": FROM_QUERIED,
    "img2txt_attention.layer.0.attention.self.query.weight": FROM_QUERIED,
    "txt2txt_attention.layer.2.attention.output.dense.weight": FROM_TEXT,
    "vismap2text.bias": FROM_IMAGE,
    "txt2img_attention.layer.1.attention.output.LayerNorm.weight": FROM_IMAGE,
    "gate.weight": FROM_FUSED,
    "classifier.weight": {"main_emissions", *FROM_FINAL},
    "aux_classifier.weight": FROM_BOUNDARY,
    "aux_crf.transitions": {"loss"},
    "crf.transitions": {"loss"},
}


@pytest.mark.parametrize(("weight", "downstream"), DOWNSTREAM.items(), ids=list(DOWNSTREAM))
def test_a_changed_weight_shows_in_what_depends_on_it(
    parity_tensors, write_parity, weight, downstream
):
    name = f"weights.{weight}"
    torch.manual_seed(1)
    found = compare(
        write_parity({name: parity_tensors[name] + 0.3 * torch.randn(parity_tensors[name].shape)})
    )
    # Whether the best paths change as well is up to the numbers.
    found.pop("decoded")
    assert {output for output, difference in found.items() if difference > 1e-5} == downstream


def test_other_best_paths_show(parity_tensors, write_parity):
    # Every sentence must now end with tag 2, as not all of the file's do.
    last = [parity_tensors["outputs.decoded"][i, n - 1].item() for i, n in enumerate((5, 3, 1))]
    assert last != [2, 2, 2]
    end = parity_tensors["weights.crf.end_transitions"] + 1000 * torch.eye(5)[2]
    found = compare(write_parity({"weights.crf.end_transitions": end}))
    assert found["decoded"] == 1
    assert {output for output, difference in found.items() if difference > 1e-5} == {
        "loss",
        "decoded",
    }


def test_numbers_of_other_width_are_read(parity_tensors, write_parity):
    kinds = {
        "weights.gate.weight": torch.double,
        "outputs.loss": torch.double,
        "inputs.tags": torch.int32,
        "inputs.attention_mask": torch.bool,
    }
    changes = {name: parity_tensors[name].to(kind) for name, kind in kinds.items()}
    assert max(compare(write_parity(changes)).values()) <= 1e-5


def test_the_command_prints_a_table(write_parity, capsys):
    path = write_parity()
    found = differences(path)
    assert run(["parity", str(path)]) == 0
    heading, *rows, verdict = capsys.readouterr().out.splitlines()
    assert heading.split() == ["output", "largest", "difference", "magnitude"]
    assert [row.split() for row in rows] == [
        [n, f"{each.largest:.1e}", f"{each.magnitude:.3g}"] for n, each in found.items()
    ]
    assert rows[-1].split() == ["decoded", "0.0e+00", "1"]
    assert verdict == "Every output is within 1e-05 of its magnitude."


def test_the_command_names_what_differs(parity_tensors, write_parity, capsys):
    emissions = parity_tensors["outputs.main_emissions"].clone()
    # At padding, whose own value is small.
    assert emissions[1, 4, 0].abs() < 10
    emissions[1, 4, 0] += 100
    path = write_parity({"outputs.main_emissions": emissions, "outputs.loss": torch.zeros(1)})
    assert run(["parity", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    magnitude = f"{100 + parity_tensors['outputs.main_emissions'][1, 4, 0].item():.3g}"
    assert ["main_emissions", "1.0e+02", magnitude] in [line.split() for line in lines]
    assert lines[-1] == "Above 1e-05 of its magnitude: main_emissions, loss."


@pytest.mark.parametrize(("share", "code"), [(5e-6, 0), (2e-5, 1)])
def test_the_command_judges_by_magnitude(parity_tensors, write_parity, capsys, share, code):
    loss = parity_tensors["outputs.loss"]
    path = write_parity({"outputs.loss": loss * (1 + share)})
    assert compare(path)["loss"] > 1e-5
    assert run(["parity", str(path)]) == code
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict == (
        "Above 1e-05 of its magnitude: loss."
        if code
        else "Every output is within 1e-05 of its magnitude."
    )


@pytest.mark.parametrize(("loss", "code"), [(None, 0), (0.0, 1)])
def test_the_command_prints_json(parity_tensors, write_parity, capsys, loss, code):
    changes = {} if loss is None else {"outputs.loss": torch.tensor([loss])}
    path = write_parity(changes)
    assert run(["parity", str(path), "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found == compare(path)
    if loss is not None:
        assert found["loss"] == pytest.approx(parity_tensors["outputs.loss"].item())


def test_numbers_that_overflow_are_not_within(write_parity, capsys):
    path = write_parity({"weights.classifier.weight": torch.full((5, 64), 3e38)})
    assert run(["parity", str(path)]) == 1
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.startswith("Above 1e-05 of its magnitude: main_emissions, final_emissions, loss")
