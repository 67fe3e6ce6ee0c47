"""Every kind of component of mmseq 0.1."""

import mmseq

TASKS = {"anchors": "Anchors", "pairs": "Pairs", "outline": "Outline", "next-letter": "NextLetter"}


@mmseq.hookimpl
def register_components(add):
    add.text_encoder("letters", "mmseq_settled.letters:Letters")
    add.text_encoder("tinted", "mmseq_settled.tinted:Tinted")
    add.image_encoder("tiles", "mmseq_settled.tiles:Tiles")
    for name in ("glance", "plain", "leaky"):
        add.fusion(name, f"mmseq_settled.fusions:{name.title()}")
    for name, attribute in TASKS.items():
        add.aux_task(name, f"mmseq_settled.tasks:{attribute}")
    add.decoder("each-word", "mmseq_settled.decoders:EachWord")
    add.decoder("tempered", "mmseq_settled.decoders:Tempered")
    add.decoder("focal", "mmseq_settled.decoders:Focal")
    add.weighting("noise-scaled", "mmseq_settled.weightings:NoiseScaled")
    add.weighting("late", "mmseq_settled.weightings:Late")
    add.reader("cols", "mmseq_settled.cols:Cols")
    add.callback("logbook", "mmseq_settled.logbook:Logbook")
    add.preset("settled", "mmseq_settled:files/preset.toml")
    add.plan("settled", "mmseq_settled:files/plan.toml")
    add.published("settled", "mmseq_settled:files/published.toml")


@mmseq.hookimpl
def register_commands(cli):
    from mmseq_settled.command import settled

    cli.add_command(settled)
