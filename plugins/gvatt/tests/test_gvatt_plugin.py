import subprocess
import sys

import mmseq_gvatt
import pytest

import mmseq


class Recorder:
    def __init__(self):
        self.added = []

    def fusion(self, name, target):
        self.added.append(("fusion", name, target))

    def preset(self, name, target):
        self.added.append(("preset", name, target))


def test_the_plugin_registers_its_components():
    recorder = Recorder()
    mmseq_gvatt.register_components(recorder)
    assert recorder.added == [
        ("fusion", "gvatt", "mmseq_gvatt.fusion:GvattFusion"),
        ("preset", "gvatt-hbilstm-crf", "mmseq_gvatt:presets/gvatt-hbilstm-crf.toml"),
        ("preset", "gvatt-bert-crf", "mmseq_gvatt:presets/gvatt-bert-crf.toml"),
    ]


def test_importing_the_plugin_imports_no_torch():
    code = "import sys, mmseq_gvatt; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("text_only", ["hbilstm-crf", "bert-crf"])
def test_a_preset_is_its_text_only_system_with_the_fusion(text_only):
    bare = mmseq.Config.from_preset(text_only).tables()
    whole = mmseq.Config.from_preset(f"gvatt-{text_only}").tables()
    for section in ("text_encoder", "decoder", "train"):
        assert whole[section] == bare[section]
    assert whole["fusion"]["name"] == "gvatt"
    assert (whole["fusion"]["attention"], whole["fusion"]["join"]) == (200, "concatenate")
    images = whole["image_encoder"]
    assert (images["name"], images["model"], images["train"]) == ("timm", "resnet152", "frozen")
    assert whole["aux"] == {}
