"""`mmseq.train`: a new run, or one taken up again, from its config to its finished folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.callback import Callback
from mmseq.errors import UserError
from mmseq.files import at_home
from mmseq.runs import folder as runs
from mmseq.runs.leftovers import sweep
from mmseq.training.loop import Trainer
from mmseq.training.lost import others_here
from mmseq.training.setup import new_run, resume_run


def train(
    config: Config | None = None,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
    callbacks: Mapping[str, Callback] | None = None,
) -> Path:
    """Train a tagger; gives back its run folder.

    `config`: without one, all defaults. `data`: a data folder or "sample", instead of the
    config's. `output`: a new folder, by default the next free ``runs/<data>-<fusion>-N``; with
    `resume` the folder of an unfinished run, which is continued exactly, by its own config.
    `callbacks`: further ones by name, beside the config's; a resumed run needs them again.
    Raises `mmseq.UserError` for what a user can correct.
    """
    reporter = reporter or Reporter()
    folder = at_home(output) if output else None
    if resume:
        setup = resume_run(folder, reporter)
    else:
        if config is not None and not isinstance(config, Config):
            raise UserError(
                f"train: config is a {type(config).__name__}; give a Config, such as "
                "Config.from_preset('quick'), and the data folder as data=…."
            )
        config = config or Config.from_layers()
        if data is not None:
            config = config.replaced({"data.path": str(data)})
        setup = new_run(config, folder, reporter)
    setup.callbacks |= callbacks or {}
    main = setup.accelerator.is_main_process
    with runs.held(setup.folder) if main else nullcontext(), others_here(setup.folder):
        if resume and main:
            sweep(setup.folder)
        Trainer(setup).run()
    return setup.folder
