"""The run folder: what is in it, how it is written and read."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseq.config.config import Config
from mmseq.config.layering import SECTIONS, SEVERAL, SINGLE
from mmseq.data.tags import is_tag
from mmseq.errors import UserError, did_you_mean
from mmseq.files import locked, read_json, read_toml, refusals, write_json
from mmseq.prose import say
from mmseq.registry.kinds import KINDS
from mmseq.registry.plugins import registry
from mmseq.runs.components import component_records, exactly, read_components
from mmseq.runs.earlier import earlier_options
from mmseq.runs.inside import require_inside
from mmseq.shapes import Text, fault, shown

if TYPE_CHECKING:
    from mmseq.model.model import Model


COMPONENTS = "components.json"


LIBRARIES = ("torch", "transformers", "timm", "pytorch-crf", "seqeval", "accelerate")


def new_folder(output: Path | None, stem: str) -> Path:
    """The folder for a new run (not yet made): `output`, or the next free ``runs/<stem>-N``."""
    if output is None:
        number = 1
        while (Path("runs") / f"{stem}-{number}").exists():
            number += 1
        return Path("runs") / f"{stem}-{number}"
    require_no_file(output)
    _require_text(output)
    _require_writable(output)
    if output.is_dir() and any(output.iterdir()):
        if (output / "metrics.json").is_file():
            raise UserError(f"{output}: holds a finished run; give another folder (--output).")
        if (output / "config.toml").is_file():
            raise UserError(
                f"{output}: holds an unfinished run; resume it (--resume), delete it, or give "
                "another folder (--output)."
            )
        raise UserError(f"{output}: is not empty; give another folder (--output).")
    return output


def _require_writable(output: Path) -> None:
    """`UserError` where the folder could not be made, or written into, at the end of long work."""
    there = next(place for place in (output, *output.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK):
        raise UserError(
            f"{output}: {there} may not be written into; give another folder (--output)."
        )


def _require_text(output: Path) -> None:
    """`UserError` for a name that could not be written down in the run."""
    try:
        str(output.absolute()).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{str(output.absolute())!a}: the name is not UTF-8; give another folder (--output)."
        ) from error


def require_no_file(output: Path) -> None:
    """`UserError` where the folder to be made, or one above it, is a file."""
    for place in (output, *output.parents):
        if place.exists() and not place.is_dir():
            raise UserError(f"{output}: {place} is a file; give a folder (--output).")


def make(folder: Path) -> None:
    """Make the folder; `UserError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be made ({error.strerror}); give another folder (--output)."
        ) from error


def begin(folder: Path, config: Config, model: Model, fitted: Mapping[str, Any]) -> None:
    """Make the folder with all that is known before training: config, labels, assets."""
    make(folder)
    try:
        (folder / "config.toml").touch(exist_ok=False)
    except FileExistsError as error:
        raise UserError(
            f"{folder}: another run has begun there meanwhile; give another folder (--output)."
        ) from error
    config.save(folder / "config.toml")
    write_known(folder, config, model, fitted)


def write_known(folder: Path, config: Config, model: Model, fitted: Mapping[str, Any]) -> None:
    """Labels and assets: of a new run, and again of a resumed one, which may have lost some."""
    write_json(folder / "labels.json", list(model.labels))
    (folder / "assets").mkdir(exist_ok=True)
    write_json(folder / "assets" / COMPONENTS, component_records(config))
    owners: dict[str, Any] = {"text_encoder": model.text_encoder}
    if model.image_encoder is not None:
        owners["image_encoder"] = model.image_encoder
    for key, component in owners.items():
        place = folder / "assets" / key
        place.mkdir(parents=True, exist_ok=True)
        with refusals(place):
            component.save_assets(place)
    for key, learned in fitted.items():
        (folder / "assets" / key).mkdir(parents=True, exist_ok=True)
        write_json(folder / "assets" / key / "fitted.json", learned)


FIRST_KEYS = {
    "data": "path splits image_folder reader scheme map images image_dropout features splitter",
    "train": "seed epochs batch_size accumulate learning_rate weight_decay warmup gradient_clip "
    "precision device checkpoint_steps keep_last init",
}
"""What config.toml of every run holds; keys that came later have their default in older runs"""


def own_config(folder: Path) -> Config:
    """The config of a run. `UserError` where its file is empty or lacks a part: with defaults in
    their place, it would be another run.
    """
    path = folder / "config.toml"
    tables = read_toml(path)
    if not _holds_sections(tables):
        # It says what is not one.
        return Config.from_file(path)
    missing = [f"[{section}]" for section in SECTIONS if section not in tables]
    missing += [f"{s}.name" for s in SINGLE if s in tables and "name" not in tables[s]]
    missing += [
        f"{section}.{key}"
        for section, keys in FIRST_KEYS.items()
        for key in keys.split()
        if key not in tables.get(section, {key})
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{path}: incomplete: {missing[0]}{more} missing, as after a kill or a full disk; "
            "restore the file, or start again in another folder (--output)."
        )
    before = earlier_options(tables)
    return Config.from_file(
        path, {f"{p}.{k}": v for p, own in before.items() for k, v in own.items()}
    )


def _holds_sections(tables: Mapping[str, Any]) -> bool:
    several = [tables.get(section, {}) for section in SEVERAL]
    sections = [tables.get(section, {}) for section in (*SECTIONS, *SINGLE)]
    within = [value for table in several if isinstance(table, dict) for value in table.values()]
    return all(isinstance(table, dict) for table in (*sections, *several, *within))


def held(folder: Path) -> AbstractContextManager[None]:
    """A run under way is this process's alone; `UserError` where another one has it."""
    return locked(folder / "config.toml", f"{folder}: another process is training this run.")


def resuming(folder: Path, processes: int) -> str:
    """The command that resumes a run with the same number of processes."""
    launcher = f"torchrun --nproc-per-node {processes} -m " if processes > 1 else ""
    return f"{launcher}mmseq train --resume --output {shlex.quote(str(folder))}"


def require_components(folder: Path, *, quiet: bool = False) -> None:
    """`UserError` naming the distribution of a component that is not installed.

    One of another version than the run was made with is a line on stderr, unless `quiet`.
    """
    others: dict[str, tuple[str, str]] = {}
    for record in read_components(folder / "assets" / COMPONENTS):
        kind, name = record["kind"], record["name"]
        what, distribution, version = KINDS[kind], record["distribution"], record["version"]
        if name not in registry().names(kind):
            limit = os.environ.get("MMSEQ_LOAD_PLUGINS")
            remedy = f"pip install {distribution}"
            if limit is not None:
                remedy += f", or change MMSEQ_LOAD_PLUGINS, which lets in '{limit}' alone"
            raise UserError(
                f"{folder}: needs the {what} '{name}' of {distribution} {version}, which is not "
                f"installed or could not be loaded; {remedy}."
            )
        found = registry().get(kind, name)
        if (found.distribution, found.version) != (distribution, version):
            others[f"{distribution} {version}"] = found.provider, exactly(distribution, version)
    for made_with, (here, remedy) in others.items() if not quiet else ():
        say(
            f"mmseq: {folder} was made with {made_with}, and here is {here}: results may differ; "
            f"for the same ones: pip install '{remedy}'.",
            err=True,
        )


def require_folder(folder: Path) -> None:
    """`UserError` with the closest name where there is no such folder."""
    if not folder.is_dir():
        others = [p.name for p in folder.parent.glob("*") if p.is_dir()]
        hint = did_you_mean(folder.name, others, lambda name: f"'{folder.parent / name}'")
        raise UserError(f"No run folder '{folder}'.{hint}")


def open_run(folder: Path) -> tuple[Config, list[str]]:
    """Config and labels of a finished run; `UserError` saying what is wrong with any other."""
    require_folder(folder)
    require_inside(folder)
    missing = [n for n in ("config.toml", "labels.json") if not (folder / n).is_file()]
    if missing:
        lacks = " and ".join(missing) + (" are" if len(missing) > 1 else " is")
        raise UserError(f"{folder}: not a run folder, or damaged: {lacks} missing.")
    if not (folder / "model.safetensors").is_file():
        if (folder / "metrics.json").is_file():
            raise UserError(
                f"{folder}: damaged: model.safetensors is missing (of many runs mmseq bench, "
                "without --keep-weights all, and mmseq tune keep the best one's only)."
            )
        raise UserError(
            f"{folder}: the run is unfinished; finish it with mmseq train --resume --output "
            f"{folder}."
        )
    require_components(folder)
    return own_config(folder), _labels(folder / "labels.json")


def _labels(path: Path) -> list[str]:
    """The tag names of a run; `UserError` where they are none."""
    labels: list[str] = read_json(path)
    wrong = fault(list[Text], labels)
    if not wrong:
        strange = [label for label in labels if not is_tag(label) or label[0] not in "BIO"]
        twice = [label for label, times in Counter(labels).items() if times > 1]
        wrong = f"{shown(strange[0])} is no BIO tag" if strange else ""
        wrong = wrong or (f"{shown(twice[0])} stands there twice" if twice else "")
        wrong = wrong or ("" if "O" in labels else "'O' is missing")
    if wrong:
        raise UserError(
            f"{path}: damaged: not a list of tag names ({wrong}); restore the folder from where "
            "the run was made."
        )
    return labels


@lru_cache
def _installed_version(library: str) -> str:
    return importlib.metadata.version(library)


def component_versions(config: Config) -> dict[str, str]:
    """Distribution -> version of every component used, and of the libraries under them."""
    versions = {choice.entry.distribution: choice.entry.version for choice in config.choices}
    for library in LIBRARIES:
        versions[library] = _installed_version(library)
    return {"python": platform.python_version(), **versions}
