import subprocess
import sys

import click
import mmseq_umt


class Recorder:
    def __init__(self):
        self.added = []

    def fusion(self, name, target):
        self.added.append(("fusion", name, target))

    def aux_task(self, name, target):
        self.added.append(("aux_task", name, target))


def test_the_plugin_registers_its_components():
    recorder = Recorder()
    mmseq_umt.register_components(recorder)
    assert recorder.added == [
        ("fusion", "cross-transformer", "mmseq_umt.cross_transformer:CrossTransformerFusion"),
        ("aux_task", "boundary", "mmseq_umt.boundary:BoundaryTask"),
    ]


def test_the_plugin_adds_its_command():
    group = click.Group("mmseq")
    mmseq_umt.register_commands(group)
    assert list(group.commands) == ["parity"]


def test_importing_the_plugin_and_its_command_imports_no_torch():
    code = "import sys, mmseq_umt.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
