"""The plugin example of mmseq: its hooks, and nothing that takes time to import."""

from __future__ import annotations

import click
import mmseq


@mmseq.hookimpl
def register_components(add: mmseq.Add) -> None:
    """Register names; what they stand for is imported when it is first used."""
    add.text_encoder("example", "mmseq_example.text_encoder:ExampleTextEncoder")
    add.image_encoder("example", "mmseq_example.image_encoder:ExampleImageEncoder")
    add.fusion("example", "mmseq_example.fusion:ExampleFusion")
    add.aux_task("example", "mmseq_example.aux_task:ExampleTask")
    add.decoder("example", "mmseq_example.decoder:ExampleDecoder")
    add.weighting("example", "mmseq_example.weighting:ExampleWeighting")
    add.reader("example", "mmseq_example.reader:ExampleReader")
    add.callback("example", "mmseq_example.callback:ExampleCallback")
    add.preset("example", "mmseq_example:presets/example.toml")


@mmseq.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add the command to those of mmseq."""
    from mmseq_example.command import count_types

    cli.add_command(count_types)
