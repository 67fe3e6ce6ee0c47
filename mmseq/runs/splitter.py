"""The word splitter of a run: what cuts plain strings before they are tagged."""

from __future__ import annotations

from pathlib import Path

from mmseq.config.config import Config
from mmseq.data.splitter import EarlierSplitter
from mmseq.data.splitting.bases import BASES
from mmseq.data.splitting.returning import Returned
from mmseq.data.splitting.splitter import Splitter, splitter_from
from mmseq.errors import UserError
from mmseq.files import read_json, write_json

SPLITTER = "splitter.json"
"""Its file in the assets; a run from before splitters were learned has none"""

AnySplitter = Splitter | EarlierSplitter


def write_splitter(folder: Path, splitter: Splitter, returned: Returned) -> None:
    """Write it into the assets, with the share of the training that comes back."""
    back = {
        "sentences": [returned.sentences, len(returned.which)],
        "entities": [returned.entities, returned.of_entities],
    }
    write_json(folder / "assets" / SPLITTER, {**splitter.record(), "training": back})


def read_splitter(folder: Path, config: Config, name: str | None = None) -> AnySplitter:
    """The splitter of a run or, by its `name`, a base alone. A run without the file splits as runs
    did before there was one. `UserError` for another name, and a file that is damaged or lost.
    """
    if name is not None and not isinstance(name, str):
        raise UserError(f"splitter {name!r} is no name; give one of {', '.join(BASES)}.")
    path = folder / "assets" / SPLITTER
    if path.is_file():
        try:
            own = splitter_from(read_json(path))
        except ValueError as error:
            raise UserError(f"{path}: damaged: {error}.") from error
        # What is known of the training words stays known.
        return own if name is None else Splitter(name, longest=own.longest, scripts=own.scripts)
    if name is not None:
        return Splitter(name)
    if config.data.splitter == "auto":
        raise UserError(
            f"{folder}: damaged: assets/{SPLITTER} is missing; copy it from where the run was made."
        )
    return EarlierSplitter(config.data.splitter)


def splitter_text(folder: Path) -> str:
    """One sentence on the splitter of a run, for its model card; empty where there is no file."""
    path = folder / "assets" / SPLITTER
    if not path.is_file():
        return ""
    record = read_json(path)
    back = record["training"]
    shares = " and ".join(
        f"{back[what][0]} of {back[what][1]} {what}" for what in ("sentences", "entities")
    )
    return (
        f"Plain strings are cut into words as `assets/{SPLITTER}` says (base `{record['base']}`): "
        f"with it {shares} of the training data come back from their text."
    )
