"""The command line: one file a group of commands, and what plugins add.

Nothing here imports torch, transformers or timm at module level: `mmseq --help` must be quick.
"""

from __future__ import annotations

import click

from mmseq.cli.audit import audit
from mmseq.cli.bench import bench
from mmseq.cli.check import check
from mmseq.cli.compare import compare
from mmseq.cli.data import data, sample
from mmseq.cli.data_import import import_data
from mmseq.cli.data_split import split
from mmseq.cli.evaluate import evaluate
from mmseq.cli.help import keep_names_whole
from mmseq.cli.inspect import list_components, plugins, show
from mmseq.cli.new_plugin import new_plugin
from mmseq.cli.predict import predict
from mmseq.cli.score import score
from mmseq.cli.table import table
from mmseq.cli.train import train
from mmseq.cli.tune import tune
from mmseq.registry.plugins import load_plugins
from mmseq.streams import is_plain
from mmseq.version import __version__

COMMANDS = (
    train,
    evaluate,
    predict,
    bench,
    tune,
    table,
    compare,
    score,
    audit,
    list_components,
    show,
    plugins,
    check,
    new_plugin,
    data,
    sample,
)

data.add_command(split)
data.add_command(import_data)


def build() -> click.Group:
    """The group with the engine's commands and those of every plugin, new at each call."""

    @click.group(
        "mmseq",
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
            # Of plugins' commands, too.
            "color": False if is_plain() else None,
        },
    )
    @click.version_option(__version__, prog_name="mmseq")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    def cli(debug: bool) -> None:
        """Label sequences of words with the help of pictures.

        \b
        Example:
          mmseq train --fusion cross-transformer --aux contrastive,cluster,boundary
        """

    for command in COMMANDS:
        cli.add_command(command)
    # A plugin may add to the engine's groups: what it adds must not outlive this call.
    cli.add_command(click.Group(data.name, dict(data.commands), help=data.help))
    load_plugins().register_commands(cli)
    keep_names_whole(cli)
    return cli
