"""What `mmseq tune` does: a space file, with flags on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmseq.bench.plan import Problems, checked
from mmseq.config.config import Config
from mmseq.config.layering import as_now
from mmseq.config.places import placed
from mmseq.data.folder import not_found
from mmseq.errors import UserError, unknown
from mmseq.files import at_home, read_toml
from mmseq.tune.parameter import Parameter, config_keys, parse_parameter
from mmseq.tune.space import TRIAL_SPLITS, Space, checked_space

KEYS = {
    "trials": int,
    "preset": str,
    "config": str,
    "data": str,
    "images": str,
    "offline": bool,
    "aux": list,
    "set": dict,
    "sampler": str,
    "random_trials": int,
    "pruner": str,
    "prune_after_trials": int,
    "prune_after_epochs": int,
    "space": dict,
}
LEAST = {"trials": 1, "random_trials": 1, "prune_after_trials": 1, "prune_after_epochs": 0}
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")


@dataclass(frozen=True)
class Method:
    """How a study goes about it."""

    sampler: str = "tpe"
    random_trials: int = 10
    """Of sampler ``tpe``: finished trials before it begins; those until then are random"""
    pruner: str = "median"
    """``median``: a trial stops whose best validation F1 so far is below the median of what the
    completed ones had after as many epochs
    """
    prune_after_trials: int = 5
    """Completed trials before any is stopped"""
    prune_after_epochs: int = 1
    """Epochs that every trial gets"""


@dataclass(frozen=True)
class Search:
    """A space file, or what flags make of it; mistakes in names are not yet reported."""

    trials: int = 20
    """In all, those of earlier calls included"""
    preset: str = ""
    config: Path | None = None
    data: str = ""
    """A data folder or ``sample``; empty: the config's"""
    images: str = ""
    offline: bool = False
    aux: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fixed ones"""
    method: Method = Method()
    parameters: tuple[Parameter, ...] = ()


def read_search(path: Path, problems: Problems) -> Search:
    """The search in a TOML file; paths in it are relative to it. Mistakes go into `problems`.

    `UserError` where there is no such file, or it is not TOML.
    """
    if not path.is_file():
        raise not_found(path, "space file")
    table = checked("the space file", read_toml(path), KEYS, problems)
    for key, least in LEAST.items():
        if table.get(key, least) < least:
            problems.add(f"{key} = {table[key]}: it must be at least {least}.")
    for what, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if table.get(what, known[0]) not in known:
            problems.add(str(unknown(what, table[what], known)))
    aux = table.get("aux")
    for name in aux or []:
        if not isinstance(name, str):
            problems.add(f"aux: {name!r} is not the name of a task.")
            aux = None
    method = Method(**{key: table[key] for key in Method.__dataclass_fields__ if key in table})
    found = [parse_parameter(key, v, problems) for key, v in config_keys(table.get("space", {}))]
    if "space" not in table or not (found or problems.lines):
        problems.add("nothing to search: write keys with ranges or lists of choices in [space].")
    data, images, config = table.get("data", ""), table.get("images"), table.get("config")
    return Search(
        trials=table.get("trials", Search.trials),
        preset=table.get("preset", ""),
        config=path.parent / at_home(config) if config else None,
        data=data if data in ("", "sample") else str(path.parent / at_home(data)),
        images=str(path.parent / at_home(images)) if images else "",
        offline=table.get("offline", False),
        aux=None if aux is None else tuple(aux),
        settings=placed(as_now(dict(config_keys(table.get("set", {})))), path.parent),
        method=method,
        parameters=tuple(parameter for parameter in found if parameter is not None),
    )


def space_of(search: Search, problems: Problems) -> tuple[Space | None, list[str]]:
    """The checked space on its base config, and lines on what `offline` replaced.

    Mistakes go into `problems`; None where there is no base to lay anything on.
    """
    both = [p.key for p in search.parameters if p.key in search.settings]
    for key in both:
        problems.add(f"{key} is fixed by [set] or --set, and in [space]; leave one out.")
    settings = {key: value for key, value in search.settings.items() if key not in both}
    replaced: list[str] = []
    try:
        base = Config.from_layers(search.preset or None, search.config, None, search.aux)
        if search.offline:
            base, replaced = base.offline()
    except UserError as error:
        problems.add(str(error))
        return None, replaced
    good: dict[str, Any] = {}
    for key in sorted(settings, key=lambda key: not key.endswith(".name")):
        try:
            base.replaced({**good, key: settings[key]})
            good[key] = settings[key]
        except UserError as error:
            problems.add(str(error))
    base = _placed(base.replaced(good), search)
    for split in TRIAL_SPLITS:
        if split not in base.data.splits:
            problems.add(f"data.splits: a search needs '{split}'; add it.")
    return checked_space(base, search.parameters, problems), replaced


def _placed(base: Config, search: Search) -> Config:
    """With absolute paths of data, which must be found from wherever a config is used."""
    path = search.data or base.data.path
    images = search.images or base.data.image_folder
    return base.replaced(
        {
            "data.path": path if path == "sample" else str(Path(path).resolve()),
            "data.image_folder": str(Path(images).resolve()) if images else "",
        }
    )
