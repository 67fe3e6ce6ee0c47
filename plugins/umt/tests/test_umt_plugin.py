import subprocess
import sys

import click
import mmseq_umt

import mmseq

LAYERS = ("text", "image_to_text", "text_to_text", "text_to_image")


class Recorder:
    def __init__(self):
        self.added = []

    def fusion(self, name, target):
        self.added.append(("fusion", name, target))

    def aux_task(self, name, target):
        self.added.append(("aux_task", name, target))

    def preset(self, name, target):
        self.added.append(("preset", name, target))


def test_the_plugin_registers_its_components():
    recorder = Recorder()
    mmseq_umt.register_components(recorder)
    assert recorder.added == [
        ("fusion", "cross-transformer", "mmseq_umt.cross_transformer:CrossTransformerFusion"),
        ("aux_task", "boundary", "mmseq_umt.boundary:BoundaryTask"),
        ("preset", "umt-bert-crf", "mmseq_umt:presets/umt-bert-crf.toml"),
        ("preset", "mt-bert-crf", "mmseq_umt:presets/mt-bert-crf.toml"),
    ]


def test_the_plugin_adds_its_command():
    group = click.Group("mmseq")
    mmseq_umt.register_commands(group)
    assert list(group.commands) == ["parity"]


def test_importing_the_plugin_and_its_command_imports_no_torch():
    code = "import sys, mmseq_umt.parity.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_preset_has_the_papers_settings():
    config = mmseq.Config.from_preset("umt-bert-crf")
    boundary = config.aux["boundary"]
    assert (boundary.weight, boundary.options["refine"]) == (0.5, True)
    assert boundary.options["refine_share"] == 0.5
    text, fusion = config.component("text_encoder"), config.component("fusion")
    assert (text.options["model"], text.options["learning_rate"]) == ("bert-base-cased", 5e-5)
    assert config.component("image_encoder").options["model"] == "resnet152"
    assert config.component("image_encoder").options["train"] == "frozen"
    assert fusion.name == "cross-transformer"
    assert [fusion.options[f"{way}_layers"] for way in LAYERS] == [1, 1, 1, 1]
    train = config.train
    assert (train.batch_size, train.epochs, train.warmup) == (32, 22, 0.1)
    assert (train.learning_rate, train.weight_decay) == (5e-5, 0.01)


def test_mt_is_umt_without_the_boundary_task():
    whole, ablated = (
        mmseq.Config.from_preset(name).tables() for name in ("umt-bert-crf", "mt-bert-crf")
    )
    del whole["aux"]["boundary"]
    assert ablated == whole
