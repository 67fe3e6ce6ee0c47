import tomllib
from pathlib import Path

import mmseq_mlmner
import pytest

import mmseq

PRESETS = Path(mmseq_mlmner.__file__).parent / "presets"
WITHOUT = {
    "mlmner-no-cluster": ["cluster"],
    "mlmner-no-contrastive": ["contrastive"],
    "mlmner-no-cluster-no-contrastive": ["contrastive", "cluster"],
}


def test_the_preset_has_the_papers_settings():
    preset = tomllib.loads((PRESETS / "mlmner.toml").read_text())
    aux = preset["aux"]
    assert {name: table["weight"] for name, table in aux.items()} == {
        "boundary": 0.4,
        "contrastive": 0.5,
        "cluster": 0.01,
    }
    assert (aux["contrastive"]["mix"], aux["contrastive"]["temperature"]) == (0.75, 0.1)
    assert preset["text_encoder"]["model"] == "bert-base-cased"
    assert preset["text_encoder"]["window"] == 128
    assert preset["image_encoder"]["model"] == "resnet152"
    assert preset["train"]["batch_size"] == 32


@pytest.mark.parametrize("name", WITHOUT)
def test_an_ablation_differs_by_the_task_alone(name):
    """In particular by no training step: a preparation phase counts among the epochs."""
    whole, ablated = (mmseq.Config.from_preset(preset).tables() for preset in ("mlmner", name))
    for task in WITHOUT[name]:
        del whole["aux"][task]
    assert ablated == whole


@pytest.mark.parametrize("name", ["mlmner", *WITHOUT])
def test_a_presets_first_line_describes_it(name):
    first = (PRESETS / f"{name}.toml").read_text().partition("\n")[0]
    assert first.startswith("# MLMNER")
    assert len(first) <= 100


@pytest.mark.parametrize("name", ["mlmner", *WITHOUT])
def test_each_number_has_its_reason(name):
    """A line that sets a number says why, or stands in a group whose first line does."""
    reasoned = False
    for line in (PRESETS / f"{name}.toml").read_text().splitlines():
        _, equals, value = line.partition(" = ")
        if equals and not value.startswith(('"', "true", "false")):
            assert reasoned or "#" in value, line
        reasoned = "#" in line or (reasoned and bool(equals))


def test_the_preset_is_a_whole_configuration():
    config = mmseq.Config.from_preset("mlmner")
    assert list(config.aux) == ["boundary", "contrastive", "cluster"]
    assert config.component("fusion").name == "cross-transformer"
