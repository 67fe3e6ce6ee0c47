import subprocess
import sys
import tomllib
from pathlib import Path

import mmseq_mlmner

import mmseq

PRESET = Path(mmseq_mlmner.__file__).parent / "presets" / "mlmner.toml"


class Recorder:
    def __init__(self):
        self.added = []

    def aux_task(self, name, target):
        self.added.append(("aux_task", name, target))

    def preset(self, name, target):
        self.added.append(("preset", name, target))


def test_the_plugin_registers_its_components():
    recorder = Recorder()
    mmseq_mlmner.register_components(recorder)
    assert recorder.added == [
        ("aux_task", "contrastive", "mmseq_mlmner.contrastive:ContrastiveTask"),
        ("aux_task", "cluster", "mmseq_mlmner.cluster:ClusterTask"),
        ("preset", "mlmner", "mmseq_mlmner:presets/mlmner.toml"),
    ]


def test_importing_the_plugin_imports_no_torch():
    code = "import sys, mmseq_mlmner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_preset_has_the_papers_settings():
    preset = tomllib.loads(PRESET.read_text())
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


def test_the_presets_first_line_describes_it():
    first = PRESET.read_text().partition("\n")[0]
    assert first.startswith("# MLMNER")
    assert len(first) <= 100


def test_the_preset_is_a_whole_configuration():
    config = mmseq.Config.from_preset("mlmner")
    assert list(config.aux) == ["boundary", "contrastive", "cluster"]
    assert config.component("fusion").name == "cross-transformer"
